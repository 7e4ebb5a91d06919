"""How the log reads where a library says more than helps."""

from __future__ import annotations

import logging


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
