"""Errors as RFC 9457 problem documents, the same for the REST API and for the byte doors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig

from logviewer.chunkstore import (
    ArchiveAway,
    CorruptIndex,
    CorruptSealed,
    InvalidAppend,
    LogFinished,
    LogLocked,
    MalformedChunks,
    Mismatch,
    NoSuchLog,
    OffsetGap,
    OverlapDiffers,
    StorageDenied,
    StorageFull,
)
from logviewer.intake.errors import AlreadyFinished, Conflict
from logviewer.live.database import AWAY_ERRORS
from logviewer.models import IllegalTransition
from logviewer.resources.errors import Forbidden, Invalid, NotFound, TooLarge, Unauthenticated
from logviewer.upkeep.errors import BeingDeleted, NoSuchLines, Pinned, StillOpen

CONTENT_TYPE = "application/problem+json"
RETRY_LOCKED_SECONDS = 1
RETRY_FULL_SECONDS = 30
"""How long a client had better wait before it tries again: a disk is not emptied in a second."""

RETRY_AWAY_SECONDS = 10
"""Twice as long as nobody asks another store again that did not answer."""

RETRY_DATABASE_SECONDS = 2
"""A database that was restarted is back in a moment."""

DATABASE_AWAY = "The server's database does not answer at the moment. Nothing is lost: try again later."

STORE_AWAY = "This log lies in another store, which does not answer at the moment. Nothing is lost: try again later."
"""What is said of it everywhere; which store, and what is wrong with it, is in the server's log."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Problem:
    """One problem document.

    `type` is a short word that clients may act on; `errors` names each field at fault; `members` are further members
    of the document; `headers` go with the answer beside Content-Type.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: Mapping[str, list[str]] | None = None
    members: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def document(self) -> dict[str, Any]:
        """The members of the document, those of RFC 9457 first."""
        document: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors is not None:
            document["errors"] = {name: list(messages) for name, messages in self.errors.items()}
        return {**self.members, **document}

    def body(self) -> bytes:
        """The document as JSON, in ASCII: a name sent by a client may hold what UTF-8 cannot."""
        return json.dumps(self.document()).encode("ascii")


def problem_from(error: Exception) -> Problem | None:
    """The problem that stands for `error`; None for one that no client is to blame for or can act on."""
    for kind, translate in _TRANSLATIONS:
        if isinstance(error, kind):
            return translate(error)
    return None


def internal() -> Problem:
    """A fault of the server's own. It says nothing of what happened: that is in the server's log."""
    return Problem("internal", "The server failed", 500, "This is a fault of the server; its log says more.")


def of_status(status: int) -> Problem:
    """The problem for an answer of which nothing but its status is known."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal()
    kind, detail = _STATUSES.get(status, ("invalid", "The request was refused."))
    return Problem(kind, HTTPStatus(status).phrase, status, detail)


_STATUSES: dict[int, tuple[str, str]] = {
    401: ("unauthorized", "This needs a token: send 'Authorization: Bearer TOKEN'."),
    403: ("forbidden", "You may not do this."),
    404: ("not-found", "There is nothing at this address."),
    405: ("method-not-allowed", "This address does not take this method; the Allow header names those it does."),
    413: ("too-large", "The body is longer than the server takes."),
}


def _unauthenticated(error: Unauthenticated) -> Problem:
    return Problem("unauthorized", "Who is asking?", 401, str(error), headers={"WWW-Authenticate": "Bearer"})


def _forbidden(error: Forbidden) -> Problem:
    return Problem("forbidden", "Not allowed", 403, str(error))


def _not_found(error: NotFound) -> Problem:
    return Problem("not-found", "Not found", 404, str(error))


def _gone_meanwhile(error: ObjectDoesNotExist | NoSuchLog) -> Problem:
    return Problem("not-found", "Not found", 404, "What was asked for does not exist any more.")


def _invalid(error: Invalid) -> Problem:
    return Problem("invalid", "Invalid values", 400, str(error), errors=error.errors)


def _too_large(error: TooLarge) -> Problem:
    return Problem("too-large", "Too large", 413, str(error), members={"limit": error.limit_bytes})


def _too_large_for_django(error: RequestDataTooBig) -> Problem:
    return Problem("too-large", "Too large", 413, "The body is longer than the server takes; send less at once.")


def _conflict(error: Conflict | IllegalTransition) -> Problem:
    return Problem("conflict", "Conflict", 409, str(error))


def _already_finished(error: AlreadyFinished) -> Problem:
    return Problem("finished", "Finished already", 409, str(error))


def _upload_offset(received: int) -> dict[str, str]:
    return {"Upload-Offset": str(received)}


def _pinned(error: Pinned) -> Problem:
    return Problem("pinned", "Pinned", 409, str(error))


def _being_deleted(error: BeingDeleted) -> Problem:
    return Problem("conflict", "Conflict", 409, str(error))


def _still_open(error: StillOpen) -> Problem:
    return Problem("not-finished", "Not finished yet", 409, str(error))


def _no_such_lines(error: NoSuchLines) -> Problem:
    return Problem("invalid", "Invalid values", 400, str(error), errors={"end": [str(error)]})


def _offset_gap(error: OffsetGap) -> Problem:
    return Problem(
        "offset-gap",
        "Bytes are missing in between",
        409,
        str(error),
        members={"received": error.received},
        headers=_upload_offset(error.received),
    )


def _invalid_append(error: InvalidAppend) -> Problem:
    return Problem("invalid", "Invalid values", 400, str(error), errors={"Upload-Skip": [str(error)]})


def _overlap_differs(error: OverlapDiffers) -> Problem:
    return Problem(
        "overlap-differs",
        "Bytes sent again are not those stored",
        409,
        str(error),
        members={"received": error.received, "position": error.position},
        headers=_upload_offset(error.received),
    )


def _log_finished(error: LogFinished) -> Problem:
    return Problem(
        "finished",
        "The log is finished",
        409,
        str(error),
        members={"received": error.received},
        headers=_upload_offset(error.received),
    )


def _locked(error: LogLocked) -> Problem:
    return Problem(
        "locked",
        "Another writer holds the log",
        409,
        "Another writer holds this log: send the same again.",
        headers={"Retry-After": str(RETRY_LOCKED_SECONDS)},
    )


def _mismatch(error: Mismatch) -> Problem:
    return Problem(
        "mismatch",
        "What was sent is not what was received",
        409,
        str(error),
        members={
            "expected": {"received": error.expected_received, "sha256": error.expected_sha256},
            "received": error.received,
            "sha256": error.sha256,
        },
    )


def _malformed_chunks(error: MalformedChunks) -> Problem:
    return Problem(
        "malformed-chunks",
        "Not a chunk stream",
        400,
        str(error),
        members={"position": error.position, "reason": error.reason},
    )


def _storage_full(error: StorageFull) -> Problem:
    return Problem(
        "storage-full",
        "The server's storage is full",
        507,
        "The server has no room for this; nothing of it was stored. Send it again later.",
        headers={"Retry-After": str(RETRY_FULL_SECONDS)},
    )


def _storage_denied(error: StorageDenied) -> Problem:
    return Problem(
        "storage-denied",
        "The server may not use its storage",
        500,
        "The server's user has no right to this log's files; nothing was stored. Its keeper must give it.",
        headers={"Retry-After": str(RETRY_FULL_SECONDS)},
    )


def _store_away(error: ArchiveAway) -> Problem:
    headers = {"Retry-After": str(RETRY_AWAY_SECONDS)}
    return Problem("store-away", "The store of this log is away", 503, STORE_AWAY, headers=headers)


def database_away(_error: object = None) -> Problem:
    """The database cannot be asked: who may do what is not known, so that nothing was done."""
    headers = {"Retry-After": str(RETRY_DATABASE_SECONDS)}
    return Problem("database-away", "The database is away", 503, DATABASE_AWAY, headers=headers)


def damage_text(error: CorruptIndex | CorruptSealed) -> str:
    """What is wrong with a log, for whoever reads it; on which file system it lies is nobody's business."""
    return f"This log is damaged on the server: {error.detail}."


def _damaged_index(error: CorruptIndex) -> Problem:
    """Where the damage is and how to read around it."""
    resume = error.resume_offset
    detail = damage_text(error)
    if resume is not None:
        detail = f"{detail[:-1]}; reading can go on from byte {resume}: /chunks?offset={resume}."
    return Problem("damaged", "The log is damaged", 500, detail, members={"resume_offset": resume})


def _damaged_sealed(error: CorruptSealed) -> Problem:
    return Problem("damaged", "The log is damaged", 500, damage_text(error), members={"resume_offset": None})


_TRANSLATIONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Any], Problem]], ...] = (
    (Unauthenticated, _unauthenticated),
    (Forbidden, _forbidden),
    (NotFound, _not_found),
    (Invalid, _invalid),
    (TooLarge, _too_large),
    (RequestDataTooBig, _too_large_for_django),
    (AlreadyFinished, _already_finished),
    ((Conflict, IllegalTransition), _conflict),
    (Pinned, _pinned),
    (BeingDeleted, _being_deleted),
    (StillOpen, _still_open),
    (NoSuchLines, _no_such_lines),
    (OffsetGap, _offset_gap),
    (InvalidAppend, _invalid_append),
    (OverlapDiffers, _overlap_differs),
    (LogFinished, _log_finished),
    (LogLocked, _locked),
    (Mismatch, _mismatch),
    (MalformedChunks, _malformed_chunks),
    (StorageFull, _storage_full),
    (StorageDenied, _storage_denied),
    (ArchiveAway, _store_away),
    (AWAY_ERRORS, database_away),
    (CorruptIndex, _damaged_index),
    (CorruptSealed, _damaged_sealed),
    ((ObjectDoesNotExist, NoSuchLog), _gone_meanwhile),
)
