"""How the log looks: lines of text or of JSON, each with the request it belongs to."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from logviewer.doors.requests import current_request


class InOneLine(logging.Filter):
    """Puts an exception into its message, without the traceback: for what is said again each second of an outage."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is always kept."""
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()}: {type(error).__name__}: {' '.join(str(error).split())}"
            record.args = ()
            record.exc_info = record.exc_text = None
        return True


class TextLines(logging.Formatter):
    """`time LEVEL logger: message`, and the id of the request in brackets where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The first line; a traceback follows it."""
        request = current_request()
        line = super().formatMessage(record)
        return line if request is None else f"{line} [{request.id}]"


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII: `time` (RFC 3339, UTC), `level`, `logger`, `message`; of a request its facts.

    These are `request_id`, `method`, `path`, `caller`, and `log` or `build` where the path names one; in the access log
    also `status`, `ms`, `client` and, of a socket, `code`. `exception` is the traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object, without the line's end."""
        request = current_request()
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request is not None:
            line |= request.facts()
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
