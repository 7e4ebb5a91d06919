"""Checking logs against their rows: their files from end to end, then what the database says of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from django.db.models import QuerySet, Sum

from logviewer.chunkstore import ChunkStore, InvalidKey
from logviewer.chunkstore.keys import LogFiles, log_files
from logviewer.chunkstore.verification import Verification
from logviewer.models import LogFile, LogState

BATCH_LOGS = 200
"""Rows fetched at once."""

MAX_FINDINGS = 1000
"""Kept of one log; a log that is damaged in more places is not worth the memory."""

QUIET_SECONDS = 5.0
"""The row of an open log follows it within a second or so; where nothing moved for this long, it should have."""


COUNTERS = frozenset({"size", "lines", "received", "omitted"})
"""What the row of an open log has from the last time it was written: a crash may leave it behind for good."""


class RowFault(StrEnum):
    """What may be wrong besides a log's files themselves."""

    ROW = "row-differs"
    ORPHAN = "orphan"
    LEFTOVER = "leftover"
    KEY = "key-refused"
    UNREADABLE = "directory-unreadable"


@dataclass(frozen=True)
class LogFinding:
    """One line of the report. `resume_offset` is where reading goes on behind damage."""

    log_id: int | None
    key: str
    fault: str
    detail: str
    resume_offset: int | None = None
    repaired: bool = False


@dataclass(frozen=True)
class Checked:
    """One log's check: the row as it was then, its findings, and what it should say instead of what it says.

    `verification` is None where the row's key names no files at all.
    """

    row: LogFile
    verification: Verification | None
    findings: tuple[LogFinding, ...]
    row_truth: dict[str, Any]

    @property
    def faults(self) -> frozenset[str]:
        """The kinds of faults found."""
        return frozenset(finding.fault for finding in self.findings)


def check_log(row: LogFile, store: ChunkStore) -> Checked | None:
    """Check one log's files and its row; None where it was deleted meanwhile. Nothing is changed."""
    try:
        files = log_files(store.root, row.key)
    except InvalidKey as error:
        return Checked(row, None, (LogFinding(row.pk, row.key, RowFault.KEY, str(error)),), {})
    verification = Verification(files, store.archive)
    found = [
        LogFinding(row.pk, row.key, finding.fault, finding.detail, finding.resume_offset)
        for finding in islice(verification.findings(), MAX_FINDINGS)
    ]
    now = LogFile.objects.filter(pk=row.pk).first()
    if now is None:
        return None
    truth = row_truth(now, verification)
    if truth and not _only_lags(now, truth) and not _may_be_behind(now, row, files):
        told = ", ".join(
            f"{name} is {getattr(now, name)!r}, the files say {value!r}" for name, value in sorted(truth.items())
        )
        found.append(LogFinding(row.pk, row.key, RowFault.ROW, told))
    return Checked(now, verification, tuple(found), truth)


def row_truth(row: LogFile, verification: Verification) -> dict[str, Any]:
    """Return the row's fields that differ from what the files say, with the values they should have.

    Empty where damage leaves the truth unknown: what a row says of a damaged log is all that is left of it.
    """
    end, digests, form = verification.end, verification.digests, verification.form
    if end is None or digests is None or form is None:
        return {}
    truth: dict[str, Any] = {
        "size": end.size,
        "lines": end.lines,
        "received": end.received,
        "omitted": end.omitted,
        "form": form.value,
        "stored_bytes": verification.stored_bytes,
    }
    if end.finished:
        truth |= {"state": LogState.FINISHED.value, "sha256": digests.payload, "text_sha256": digests.text}
    else:
        truth |= {"sha256": None, "text_sha256": None}
        if row.state == LogState.FINISHED:
            truth["state"] = LogState.OPEN.value
    return {name: value for name, value in truth.items() if getattr(row, name) != value}


def _only_lags(row: LogFile, truth: dict[str, Any]) -> bool:
    """Whether the row only says less than the files of an open log; a row that says more tells of lost bytes."""
    is_open = row.state != LogState.FINISHED and "state" not in truth
    return is_open and all(name in COUNTERS and getattr(row, name) < value for name, value in truth.items())


def _may_be_behind(now: LogFile, before: LogFile, files: LogFiles) -> bool:
    """Whether the log or its row moved so lately that the one need not have followed the other yet."""
    names = ("size", "state", "form", "stored_bytes")
    if any(getattr(now, name) != getattr(before, name) for name in names):
        return True
    looked_at = [files.index, files.sealed]
    if not files.index.exists():  # the log lies elsewhere: what is left of its directory changed when it went
        looked_at.append(next(path for path in files.index.parents if path.is_dir()))
    return any(_changed_at(path) > time.time() - QUIET_SECONDS for path in looked_at)


def _changed_at(path: Path) -> float:
    """When a file or directory last changed, in seconds since the epoch; 0 where it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def total_bytes(logs: QuerySet[LogFile]) -> int:
    """Return how much text these rows speak of: for a progress bar."""
    return int(logs.aggregate(total=Sum("size"))["total"] or 0)
