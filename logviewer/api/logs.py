"""Logs: finished, and shown. Their bytes go through the doors."""

from __future__ import annotations

from typing import Annotated

from ninja import Router
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.fields import Body, ByteCount, Sha256
from logviewer.intake.output import finish_log
from logviewer.resources.access import readable_log, writable_log
from logviewer.resources.shapes import LogShape, log_end, log_shape

router = Router(tags=["logs"])


class LogEnding(Body):
    """What the writer knows of what it sent."""

    received: Annotated[ByteCount | None, Field(description="payload bytes sent, of all channels")] = None
    sha256: Annotated[Sha256 | None, Field(description="their SHA-256, in hex")] = None
    unverified: Annotated[bool, Field(description="finish it also where these do not agree with what is stored")] = (
        False
    )


@router.get("/{int:log_id}", response=LogShape, summary="One log")
def get_log(request: ApiRequest, log_id: int) -> LogShape:
    """Size, lines, received and state are those of this moment."""
    log = readable_log(request.auth, log_id)
    return log_shape(log, log_end(log))


@router.post("/{int:log_id}/finish", response=LogShape, summary="Finish a log")
def post_log_finish(request: ApiRequest, log_id: int, body: LogEnding = LogEnding()) -> LogShape:  # noqa: B008
    """Where count or hash differ from what is stored: 409 `mismatch`, and the log stays open."""
    log = writable_log(request.auth, log_id)
    finished = finish_log(log, received=body.received, sha256=body.sha256, unverified=body.unverified)
    return log_shape(finished, log_end(finished))
