"""Downloads that nginx sends itself (`X-Accel-Redirect`), once the door has said who may and what.

The door answers with the file's place below BUILDLOGS_ACCEL_PREFIX, and nginx, whose location there is internal, with
the file (deploy/nginx.conf). Off by default; and where it is on, only for requests that say by `X-Sendfile-Type` that
an nginx is there which does so: it overwrites what clients say of it, and asks without it for a file that was sealed
or moved between the answer and its opening.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from django.conf import settings

from logviewer.chunkstore import LogReader
from logviewer.doors.http import Exchange, Headers
from logviewer.live.threads import in_reading_thread

SHORT_RANGE = re.compile(r"(bytes=[0-9]{0,18}-[0-9]{0,18})?", re.ASCII)
"""A Range that nginx reads as the door does, or none: its numbers overflow where the door takes any."""

OWN_CONDITIONS = (b"if-match", b"if-unmodified-since")
"""What nginx would judge by, and the door does not."""

FOR_NGINX = {"Accept-Ranges": None, "Cache-Control": None, "Content-Disposition": "X-Content-Disposition"}
"""Headers that nginx would keep of this answer whatever follows, and so send twice where the file is gone and the door
answers after all: it has them from deploy/nginx.conf, or under another name."""


async def hand_over(exchange: Exchange, reader: LogReader, headers: Headers) -> bool:
    """Have nginx answer with the log's file and these headers; False where it is not to, and nothing was sent.

    The answer is to be the whole file, or the one range of it that the request asks for and the door grants.
    """
    if not _takes_files(exchange):
        return False
    path = await in_reading_thread(reader.file)
    if path is None:
        return False
    told = [(name, value) for header, value in headers if (name := FOR_NGINX.get(header, header)) is not None]
    place = f"{settings.ACCEL_PREFIX}{quote(str(path.relative_to(settings.LOGS_DIR)))}"
    await exchange.respond(200, [*told, ("X-Accel-Redirect", place)], b"")
    return True


def _takes_files(exchange: Exchange) -> bool:
    """Whether an nginx is there that takes a file for this request; a HEAD has none to take."""
    return (
        bool(settings.ACCEL_PREFIX)
        and exchange.scope["method"] == "GET"
        and exchange.header(b"x-sendfile-type") == "X-Accel-Redirect"
        and SHORT_RANGE.fullmatch(exchange.header(b"range") or "") is not None
        and all(exchange.header(name) is None for name in OWN_CONDITIONS)
    )
