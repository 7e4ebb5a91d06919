"""Taking a log in from a file that holds a chunk stream, as Buildbot 0.8's log files do.

Everything goes through intake, in bodies sent by offset: what the log holds already is compared, not stored again, so
an import that was stopped goes on when it is run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from django.db import DatabaseError

from logviewer.chunkstore import ChunkParser, ChunkStoreError, Entry
from logviewer.intake import counters
from logviewer.intake.builds import NewBuild, create_build
from logviewer.intake.errors import IntakeError
from logviewer.intake.logs import Created, create_log
from logviewer.intake.output import append_output, finish_log
from logviewer.intake.steps import create_step
from logviewer.live.store import chunk_store
from logviewer.models import Build, LogFile, LogType
from logviewer.upkeep.errors import ImportStopped, UpkeepError
from logviewer.upkeep.unpacking import UnpackedFile

PIECE_BYTES = 256 * 1024
"""Of content read at once. Entries of one byte cost a hundred times that in memory, so no more."""

MAX_BODY_BYTES = 1024 * 1024
"""As much as a body may have that comes over HTTP, and the longest entry."""

Progress = Callable[[int], object]
"""Called with the number of bytes of the file itself that were read since the last call."""


@dataclass(frozen=True)
class Destination:
    """Where an imported log goes; builder, build, step and log are made where there are none. Values were checked.

    Without a `number` the build is the one that an earlier import made under the same `title`, or a new one.
    """

    project: str
    builder: str
    step: str
    log: str
    number: int | None = None
    title: str = ""
    type: LogType = LogType.STDIO


class Imported(NamedTuple):
    """What an import came to: the log's row as it is now, and the payload bytes in the file."""

    log: LogFile
    received: int


def import_log(file: UnpackedFile, destination: Destination, *, finish: bool, progress: Progress) -> Imported:
    """Store the file's entries in the destination's log, and finish it, verified by count and SHA-256, if asked to.

    Raises:
        ImportStopped: whatever went wrong; a log that holds nothing then and was made here is gone again.
    """
    bodies = _bodies(file, progress)
    created: Created | None = None
    sent = 0
    try:
        body = next(bodies, None)  # before anything is made: a file that is no log leaves nothing behind
        created = _open_destination(destination)
        log = created.log
        payload = hashlib.sha256()
        while body is not None:
            append_output(log.pk, log.key, body, offset=sent)
            for entry in body:
                payload.update(entry.data)
                sent += len(entry.data)
            body = next(bodies, None)
        if finish:
            log = finish_log(log, received=sent, sha256=payload.hexdigest(), unverified=False)
    except (ChunkStoreError, IntakeError, UpkeepError, OSError) as error:
        raise _stopped(error, created) from error
    finally:
        if created is not None:
            _note_end(created.log)
    return Imported(log, sent)


def _bodies(file: UnpackedFile, progress: Progress) -> Iterator[list[Entry]]:
    """Yield the file's entries in order, at most MAX_BODY_BYTES at once."""
    parser = ChunkParser()
    told = 0
    while piece := file.read(PIECE_BYTES):
        yield from _split(parser.feed(piece))
        progress(file.packed_bytes - told)
        told = file.packed_bytes
    parser.close()


def _split(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    body: list[Entry] = []
    size = 0
    for entry in entries:
        if body and size + len(entry.data) > MAX_BODY_BYTES:
            yield body
            body, size = [], 0
        body.append(entry)
        size += len(entry.data)
    if body:
        yield body


def _open_destination(destination: Destination) -> Created:
    """Find or make the log."""
    build = _find_build(destination)
    step = build.steps.filter(name=destination.step).first() or create_step(build.pk, destination.step).step
    known = step.logs.filter(name=destination.log).first()
    return Created(known, is_new=False) if known else create_log(step.pk, destination.log, destination.type)


def _find_build(destination: Destination) -> Build:
    if destination.number is not None:
        known = Build.objects.filter(
            builder__project__slug=destination.project, builder__slug=destination.builder, number=destination.number
        ).first()
        if known is not None:
            return known
    external_id = None
    if destination.number is None:
        external_id = f"importlog:{hashlib.sha256(destination.title.encode()).hexdigest()}"
    details = {"title": destination.title, "reason": "imported"}
    new = NewBuild(destination.project, destination.builder, external_id, destination.number, details)
    return create_build(new).build


def _stopped(error: Exception, created: Created | None) -> ImportStopped:
    """Say what is stored, having removed the log that was made for nothing."""
    if created is None:
        return ImportStopped(error, 0, None)
    log = created.log
    try:
        with chunk_store().reader(log.key) as reader:
            received = reader.end().received
    except (ChunkStoreError, OSError):
        return ImportStopped(error, 0, log.pk)
    if created.is_new and not received:
        chunk_store().delete(log.key)
        log.delete()
        return ImportStopped(error, 0, None)
    return ImportStopped(error, received, log.pk)


def _note_end(log: LogFile) -> None:
    """Bring an open log's row up to what was stored: nobody else will, once the process has ended."""
    with suppress(ChunkStoreError, OSError, DatabaseError), chunk_store().reader(log.key) as reader:
        counters.write({log.pk: reader.end()})
