"""Putting right what verification found, where the files themselves say what is right.

Nothing is deleted that holds bytes that lie nowhere else; damage to what was on stable storage is left as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from django.db import transaction

from logviewer.chunkstore import ChunkStore, ChunkStoreError
from logviewer.chunkstore.findings import Fault
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, lock
from logviewer.chunkstore.opening import archived_name
from logviewer.chunkstore.sealed import FRAME_BYTES, SealedText
from logviewer.chunkstore.shapes import Form
from logviewer.chunkstore.sources import LocalFile
from logviewer.chunkstore.verification import Verification
from logviewer.intake.output import finish_log
from logviewer.models import Completeness, LogFile, LogState
from logviewer.upkeep.lost import put_aside
from logviewer.upkeep.redacting import forget_findings, overwriting_rows
from logviewer.upkeep.verification import Checked, LogFinding, check_log
from logviewer.upkeep.weighing import forget

FILE_MODE = 0o640
LOST_FILES = frozenset({Fault.MISSING, Fault.NO_TEXT})
"""Of an open log, these leave nothing that its writer could go on with."""

OLD_INDEX = frozenset({Fault.SEALED_EARLY, Fault.SEALED_DIFFERS, Fault.DAMAGED, Fault.BAD_INDEX, Fault.SHORT_INDEX})
"""Of a log that lies in the other store, these say that an index which lies here is an older one."""

SEALED_BESIDE = frozenset({Fault.SEALED, Fault.SEALED_DIFFERS, Fault.SEALED_EARLY, Fault.TEXT_LEFT})
"""Faults of a sealed file that, where a text lies beside it, leave one of the two superfluous."""


def repair_log(checked: Checked, store: ChunkStore) -> tuple[LogFinding, ...]:
    """Repair what can be; return all findings, those that are no more marked as repaired."""
    if checked.verification is None:
        return checked.findings
    try:
        _repair_files(checked, checked.verification, store)
        again = check_log(checked.row, store)
        if again is not None and again.row_truth:
            _repair_row(again)
            again = check_log(again.row, store)
    except (ChunkStoreError, OSError) as error:
        failed = LogFinding(checked.row.pk, checked.row.key, Fault.UNREADABLE, f"it could not be repaired: {error}")
        return (*checked.findings, failed)
    left = again.findings if again is not None else ()
    faults = {finding.fault for finding in left}
    return (*(replace(finding, repaired=True) for finding in checked.findings if finding.fault not in faults), *left)


def _repair_files(checked: Checked, verification: Verification, store: ChunkStore) -> None:
    """Bring the log's files to a state that index and text agree on."""
    faults, files, form = checked.faults, verification.files, verification.form
    row = checked.row
    if faults & LOST_FILES and row.state != LogState.FINISHED:
        _begin_anew(row, verification, store)
    if form is Form.ARCHIVED and faults & OLD_INDEX:
        _leave_to_archive(verification, store)
    if Fault.MARKS in faults:
        files.marks.unlink(missing_ok=True)
    if form is Form.PLAIN and faults & SEALED_BESIDE:
        with _locked(files.index):
            if files.text.exists() and files.sealed.exists():  # else somebody has just sealed it
                if Fault.TEXT_LEFT in faults:
                    files.text.unlink()
                else:
                    put_aside(store.root, files.sealed)
    if form is Form.SEALED and Fault.SEALED_EARLY in faults:
        _restore_text(files.sealed, files.text)
        put_aside(store.root, files.sealed)
        store.append(row.key, [])
    if Fault.TORN in faults:
        store.append(row.key, [])  # as every append does first: cut back to the last whole record


def _begin_anew(row: LogFile, verification: Verification, store: ChunkStore) -> None:
    """Make an open log again whose text is gone, so that its writer can go on, or somebody give it up and delete it.

    A notice in it says how many bytes it lost; an index without its text is put aside.
    """
    files, received = verification.files, row.received
    with suppress(FileNotFoundError), _locked(files.index):
        if files.text.exists() or files.sealed.exists():  # it came back
            return
        with closing(LocalFile(os.open(files.index, os.O_RDONLY | os.O_CLOEXEC))) as source:
            index = Index(files.index, source)
            if count := index.count():
                received = max(received, index.record(count - 1).received)
        for path in (files.index, files.tail, files.marks):
            if path.exists():
                put_aside(store.root, path)
    with transaction.atomic():
        forget_findings(row)  # of lines that are gone; insight begins anew
    store.create(row.key)
    if received:
        store.append(row.key, [], offset=0, skip=received)


def _leave_to_archive(verification: Verification, store: ChunkStore) -> None:
    """Put aside an index that lies here if the archive has one as well: what is there was whole when it went there."""
    files = verification.files
    if store.archive is None:
        return
    with suppress(FileNotFoundError), _locked(files.index):
        store.archive.open(archived_name(files.key, files.index)).close()
        if not files.text.exists() and not files.sealed.exists():
            put_aside(store.root, files.index)


@contextmanager
def _locked(index: Path) -> Iterator[None]:
    """Hold a log's lock, over processes: nobody appends, and nobody is about to put a sealed file in its place."""
    fd = os.open(index, os.O_RDWR | os.O_CLOEXEC)
    try:
        lock(fd, index, time.monotonic() + LOCK_WAIT_SECONDS)
        yield
    finally:
        os.close(fd)


def _restore_text(sealed: Path, text: Path) -> None:
    """Write a sealed log's text as a plain file, whole or not at all."""
    unfinished = text.with_name(f"{text.name}.tmp")
    fd = os.open(sealed, os.O_RDONLY | os.O_CLOEXEC)
    with closing(SealedText(LocalFile(fd), sealed.name)) as source, unfinished.open("wb") as file:
        unfinished.chmod(FILE_MODE)
        offset = 0
        while piece := source.read(offset, FRAME_BYTES):
            file.write(piece)
            offset += len(piece)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(text)


def _repair_row(checked: Checked) -> None:
    """Bring the row to what the files say."""
    row, truth = checked.row, dict(checked.row_truth)
    state = truth.pop("state", row.state)
    reopened = False
    if state == LogState.FINISHED and row.state != LogState.FINISHED:
        finish_log(row, received=None, sha256=None, unverified=True)  # the one way in which a log is finished
    elif state == LogState.OPEN and row.state != LogState.OPEN:
        truth |= {"state": state, "finished_at": None, "completeness": None}
        reopened = True  # it may say more now: insight begins anew
    elif state == LogState.FINISHED and truth.get("omitted"):
        truth["completeness"] = Completeness.OMITTED
    elif row.completeness == Completeness.VERIFIED and {"sha256", "received"} & truth.keys():
        truth["completeness"] = Completeness.UNVERIFIED  # by a hash that the text does not have any more
    redacted = state == LogState.FINISHED and "omitted" in truth  # perhaps, when the row had been copied
    with overwriting_rows() if redacted else nullcontext(), transaction.atomic():
        forget(row.step_id)
        if redacted or reopened:
            forget_findings(row)
        if redacted:
            truth["redactions"] = row.redactions + 1
        if truth:
            LogFile.objects.filter(pk=row.pk).update(**truth)
