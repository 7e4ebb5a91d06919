"""Bringing a log's marks up to its end."""

import fcntl
import os
import tempfile

from logviewer.chunkstore.checkpoint import START
from logviewer.chunkstore.marks_file import MarksFile
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.sources import LocalFile
from logviewer.chunkstore.stretch import Stretch

FILE_MODE = 0o640
"""As text and index: escape sequences and torn characters of the log are in it."""


def extend_marks(reader: LogReader, keep: int | None = None) -> None:
    """Write the checkpoints that the log's marks lack, up to the end that the reader sees; keep the first `keep`.

    Costs reading the text behind the last good checkpoint, a stretch at a time. Any number of processes may do so at
    once: they take turns, and write the same. Not on stable storage: a crash costs the same work again. Raises
    CorruptIndex where the log is damaged, having written what comes before; OSError where the file cannot be written.
    """
    if not reader.end().size:
        return
    fd = os.open(reader.files.marks, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if not reader.is_deleted():  # or redacted: what this reader still reads must not come back
            _extend(reader, fd, keep)
    finally:
        if reader.is_deleted():
            reader.files.marks.unlink(missing_ok=True)
        os.close(fd)


def marks_of_its_own(reader: LogReader) -> MarksFile:
    """Make marks that go with the reader, for a log beside which nothing can be written. Costs reading all of it."""
    with tempfile.TemporaryFile() as file:
        fd = os.dup(file.fileno())
    marks = MarksFile(LocalFile(fd), reader.index)
    _extend(reader, fd, 0)
    return marks


def _extend(reader: LogReader, fd: int, keep: int | None) -> None:
    """Cut the file behind its last good checkpoint, and write those that follow."""
    marks = MarksFile(LocalFile(fd), reader.index)
    records, size = reader.records, reader.end().size
    number = marks.count_within(records, size)
    if keep is not None:
        number = min(number, keep)
    checkpoint = (marks.read(number - 1) or START) if number else START
    marks.cut(fd, number)
    while (stretch := Stretch(reader, checkpoint, records, size)).full:
        checkpoint = stretch.checkpoint()
        marks.write(fd, number, checkpoint)
        number += 1
