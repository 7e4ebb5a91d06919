"""Logs: finished, and shown. Their bytes go through the doors."""

from __future__ import annotations

from typing import Annotated, Self

from ninja import Router, Status
from pydantic import Field, model_validator

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import refuse_unknown
from logviewer.api.fields import Body, ByteCount, LineNumber, NoQuery, Reason, Sha256
from logviewer.intake.output import finish_log
from logviewer.resources.access import administered_log, readable_log, writable_log
from logviewer.resources.shapes import LogShape, log_end, log_shape
from logviewer.upkeep.deleting import delete_log
from logviewer.upkeep.redacting import redact_lines

router = Router(tags=["logs"])


class LogEnding(Body):
    """What the writer knows of what it sent."""

    received: Annotated[ByteCount | None, Field(description="payload bytes sent, of all channels")] = None
    sha256: Annotated[Sha256 | None, Field(description="their SHA-256, in hex")] = None
    unverified: Annotated[bool, Field(description="finish it also where these do not agree with what is stored")] = (
        False
    )


class LinesToRedact(Body):
    """Lines of a log, both ends included."""

    start: Annotated[LineNumber, Field(description="the first of them, from 1")]
    end: Annotated[LineNumber, Field(description="the last of them")]
    reason: Annotated[Reason, Field(description="for the audit log; of the text itself nothing is kept anywhere")]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("end lies before start")
        return self


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


@router.post("/{int:log_id}/redact", response=LogShape, summary="Overwrite lines of a finished log, for good")
def post_redact(request: ApiRequest, log_id: int, body: LinesToRedact) -> LogShape:
    """Each of their bytes becomes `*`; line ends stay, and so do the numbers of lines.

    With 409 `locked`, 503 or 507 it was noted, and is done as soon as it can be; the same call again
    says whether it is.
    """
    administered_log(request.auth, log_id)
    redacted = redact_lines(log_id, body.start, body.end, request.auth.actor, body.reason)
    return log_shape(redacted, log_end(redacted))


@router.delete("/{int:log_id}", response={204: None}, summary="Delete a finished log, for good")
def remove_log(request: ApiRequest, log_id: int) -> Status[None]:
    """One that is still open, or of a pinned build, is a conflict, and stays.

    With 409 `locked` or 503 its deletion has begun, and it is gone for all who read; the same call again, or upkeep a
    little later, completes that.
    """
    refuse_unknown(request, NoQuery)
    administered_log(request.auth, log_id)
    delete_log(log_id, request.auth.actor)
    return Status(204, None)
