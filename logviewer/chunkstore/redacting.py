"""Redacting: the bytes of some lines of a finished log become `*`, and what they were is nowhere any more.

The new text and the new index are written beside the old ones, put on stable storage, and renamed in, the text first.
LFs stay, so that every offset and every line stays where it was: a reader that has opened the index of one age and the
text of the other sees a whole log, and readers in the middle go on. What was overwritten counts as dropped, and the
stars as the server's words (record.py): `omitted` grows, and the payload has no SHA-256 any more. Marks go, and are
made anew by who reads.

Killed at any instant, the log is as before, redacted, or, between the two renames, redacted with an index whose CRCs
are those of the old bytes; redacting the same lines again completes it, also one that was moved or sealed meanwhile.
A log of another store is written here, and deleted there: it has to be moved again.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

from logviewer.chunkstore.appender import LogAppender
from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.disk import FILE_MODE, storage_full, sync_directories, write_whole
from logviewer.chunkstore.errors import CorruptSealed, LogLocked, LogOpen, NoSuchLine, NoSuchLog, TextMissing
from logviewer.chunkstore.files import DIRECTORY_MODE, remove_empty_directories
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, locked
from logviewer.chunkstore.moving import forget_archived
from logviewer.chunkstore.opening import form_of, open_log
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.record import (
    HEADER_BYTES,
    RECORD_BYTES,
    Flags,
    Record,
    pack_header,
    pack_record,
    unpack_record,
)
from logviewer.chunkstore.sealed import FRAME_BYTES, SealedText
from logviewer.chunkstore.sealing import sealed_sha256, temporary_file, write_sealed
from logviewer.chunkstore.shapes import Form, Redacted
from logviewer.chunkstore.sources import LocalFile, Source
from logviewer.chunkstore.tailfile import remove_tail

THREADS = 1
"""A source is for one thread at a time, and nobody waits for a redaction but who asked for it."""

STARS = bytes(byte if byte == ord("\n") else ord("*") for byte in range(256))
"""What becomes of each byte."""


def redact_log(
    root: Path,
    files: LogFiles,
    first: int,
    last: int,
    archive: Archive | None,
    exclusive: Callable[[], AbstractContextManager[LogAppender]],
) -> Redacted:
    """Overwrite the lines `first` to `last`, from 1; `exclusive` holds a plain log's lock.

    Raises NoSuchLog, LogOpen, NoSuchLine, LogLocked (another process seals, moves or redacts it), StorageFull,
    CorruptIndex, CorruptSealed, ArchiveAway. Where it raises after the text was renamed in, do it again.
    """
    if not 1 <= first <= last:
        raise ValueError(f"{first} to {last} are no lines")
    with ExitStack() as held:
        _check_finished(files, archive, exclusive)
        files.index.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)  # of an archived log it may be gone
        held.callback(remove_empty_directories, root, files.index.parent)
        sealing_fd = held.enter_context(temporary_file(files, LOCK_WAIT_SECONDS))  # nobody seals it meanwhile
        held.enter_context(locked(files.sealed, LOCK_WAIT_SECONDS))  # nor moves it
        reader = held.enter_context(open_log(files, archive))
        end = reader.end()
        if not end.finished:
            raise LogOpen(files.key)
        if last > end.lines:
            raise NoSuchLine(files.key, last, end.lines)
        span = reader.line_start(first), reader.line_start(last + 1)
        is_plain = reader.sealed is None
        new_text, new_index = files.redacting
        index_fd = held.enter_context(_new_file(new_index))
        if is_plain:
            text_fd = held.enter_context(_new_file(new_text))
            text: Source = LocalFile(text_fd)
            sha256 = _write_plain(reader, end.size, span, text_fd)
            moves = new_text, files.text
        else:
            sha256, text = _write_sealed(files, reader, end.size, span, sealing_fd)
            moves = files.sealing, files.sealed
        _write_index(reader.index, text, span, index_fd)
        _put_in_place(root, files, reader, *moves)
        if is_plain:
            files.sealing.unlink(missing_ok=True)
        elif archive is not None:
            forget_archived(files, archive)
            archive.revoke()  # after the objects went, or a process could yet come to know them
        return _outcome(files, is_plain, sha256)


def _check_finished(
    files: LogFiles, archive: Archive | None, exclusive: Callable[[], AbstractContextManager[LogAppender]]
) -> None:
    """Raise LogOpen for one that may grow, NoSuchLog; a plain one's end is on stable storage then, and never cut.

    Recovery after a crash looks at CRCs of what was not known to be there, and would take stars for a torn append.
    """
    try:
        with exclusive() as appender:
            if not appender.state.finished:
                raise LogOpen(files.key)
            appender.sync()
    except (NoSuchLog, TextMissing):
        form_of(files, archive)


def _write_plain(reader: LogReader, size: int, span: tuple[int, int], fd: int) -> str:
    """Write the text with its stars; return its SHA-256."""
    digest = hashlib.sha256()
    for offset in range(0, size, FRAME_BYTES):
        piece = _starred(reader.read(offset, min(FRAME_BYTES, size - offset)), offset, span)
        digest.update(piece)
        write_whole(fd, [piece], offset)
    os.fsync(fd)
    return digest.hexdigest()


def _write_sealed(
    files: LogFiles, reader: LogReader, size: int, span: tuple[int, int], fd: int
) -> tuple[str, SealedText]:
    """Write the sealed form of the text with its stars, compared with what it decodes to; return hash and text."""

    def read(offset: int, length: int) -> bytes:
        return _starred(reader.read(offset, length), offset, span)

    sha256 = write_sealed(files, read, size, fd, THREADS)
    os.fsync(fd)
    text = SealedText(LocalFile(fd), str(files.sealing))
    decoded = sealed_sha256(text, THREADS)
    if decoded != sha256:
        advice = "nothing was redacted: check this machine's memory and disk"
        raise CorruptSealed(str(files.sealing), f"written with SHA-256 {sha256}, it decodes to {decoded}", advice)
    return sha256, text


def _starred(piece: bytes, offset: int, span: tuple[int, int]) -> bytes:
    """Return the text's piece that begins at `offset` with stars where it lies in `span`."""
    start, stop = (min(max(0, place - offset), len(piece)) for place in span)
    return piece[:start] + piece[start:stop].translate(STARS) + piece[stop:] if start < stop else piece


def _write_index(index: Index, text: Source, span: tuple[int, int], fd: int) -> None:
    """Write the index that belongs to the new text; slabs of records outside `span` go over as they are."""
    at, count = HEADER_BYTES, 0
    for _number, slab in index.slabs(0, index.count()):
        begins, ends = unpack_record(slab[:RECORD_BYTES]).offset, unpack_record(slab[-RECORD_BYTES:]).end
        if begins < span[1] and span[0] < ends:
            places = range(0, len(slab), RECORD_BYTES)
            slab = b"".join(_redacted(slab[place : place + RECORD_BYTES], text, span) for place in places)
        write_whole(fd, [slab], at)
        at += len(slab)
        count += len(slab) // RECORD_BYTES
    write_whole(fd, [pack_header(count)], 0)
    os.fsync(fd)


def _redacted(packed: bytes, text: Source, span: tuple[int, int]) -> bytes:
    """Return the record, or the up to three that take its place."""
    record = unpack_record(packed)
    start, stop = max(record.offset, span[0]), min(record.end, span[1])
    if start >= stop:
        return packed
    extent = text.read(record.offset, record.length)
    if record.flags & Flags.NOTICE:  # the server's words stay its words
        return _pack(record, record.flags, record.offset, record.end, extent)
    cuts = sorted({record.offset, start, stop, record.end})
    stars = int(Flags.NOTICE | Flags.DROPPED)
    return b"".join(
        _pack(record, stars if begin == start else record.flags, begin, end, extent) for begin, end in pairwise(cuts)
    )


def _pack(record: Record, flags: int, begin: int, end: int, extent: bytes) -> bytes:
    """Return the record for the part of an extent from `begin` to `end`, which are offsets in the text."""
    before, part = extent[: begin - record.offset], extent[begin - record.offset : end - record.offset]
    counted_later = record.end - end if record.received_length else 0
    line = record.line + before.count(b"\n")
    return pack_record(begin, line, record.received - counted_later, record.time_us, record.channel, flags, part)


def _put_in_place(root: Path, files: LogFiles, reader: LogReader, new_text: Path, text: Path) -> None:
    """Rename the new files in, under the log's lock; then remove what else may hold the old bytes."""
    with locked(files.index, LOCK_WAIT_SECONDS) as index_is_here:
        if index_is_here != reader.is_local() or reader.is_deleted():
            raise LogLocked(files.index, 0.0)  # somebody moved, deleted or redacted it just now: the next try sees that
        try:
            new_text.rename(text)
        except FileNotFoundError:
            raise LogLocked(files.index, 0.0) from None  # deleted, in the other store, and this with it
        sync_directories(text.parent, root)  # for good, before an index follows that speaks of the new text only
        files.redacting[1].rename(files.index)
        sync_directories(text.parent, root)
    _remove_marks(files)
    remove_tail(files.tail)


def _remove_marks(files: LogFiles) -> None:
    """Remove the marks once nobody extends them; whoever comes later sees that the index is another (marking.py)."""
    try:
        fd = os.open(files.marks, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        files.marks.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _outcome(files: LogFiles, is_plain: bool, sha256: str) -> Redacted:
    with open_log(files) as reader:
        if is_plain:
            return Redacted(reader.end(), sha256, Form.PLAIN, 0)
        return Redacted(reader.end(), sha256, Form.SEALED, files.sealed.stat().st_size)


@contextmanager
def _new_file(new_path: Path) -> Iterator[int]:
    """Make an empty file that gets its name once it is whole; it does not outlive an error."""
    fd = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        yield fd
    except BaseException as error:
        new_path.unlink(missing_ok=True)
        full = storage_full(error, new_path) if isinstance(error, OSError) else None
        if full:
            raise full from error
        raise
    finally:
        os.close(fd)
