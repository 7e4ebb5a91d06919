"""Handing a log out as a chunk stream, which without times is a log file of Buildbot 0.8, or as plain text."""

from __future__ import annotations

import bz2
import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from logviewer.chunkstore import LogReader, encode_runs

FRAME_BYTES = 1024 * 1024
ANY_TIME_US = 2**64
"""Larger than any time, so that neighbours of one channel are one entry whatever their times."""

NO_TIME = -1


class Coding(StrEnum):
    """How an exported file is compressed, by the names that Buildbot's `logCompressionMethod` has."""

    NONE = "none"
    GZIP = "gz"
    BZIP2 = "bz2"


def export_log(
    reader: LogReader, out: BinaryIO, *, times: bool = False, text: bool = False, progress: Callable[[int], object]
) -> int:
    """Write what the log holds now; return its bytes of text.

    With `times` a `t` entry stands before each change of time: import understands it, Buildbot 0.8 does not. With
    `text` there is nothing but the text. `progress` is told how many bytes of text were written since the last call.
    Raises CorruptIndex where the log cannot be read, and OSError where `out` cannot be written.
    """
    offset, stop = 0, reader.end().size
    time_us = NO_TIME if times else None
    while offset < stop:
        frame = reader.frame(
            offset, max_bytes=min(FRAME_BYTES, stop - offset), precision_us=1 if times else ANY_TIME_US
        )
        if frame is None:
            raise EOFError(f"{reader.files.key} was cut at byte {offset} while it was exported")
        if text:
            out.write(frame.data)
        else:
            out.write(b"".join(entry for entry, _length in encode_runs(frame.runs, frame.data, time_us)))
        if times:
            time_us = frame.runs[-1][2]
        progress(len(frame.data))
        offset = frame.end
    return stop


@contextmanager
def compressed(out: BinaryIO, coding: Coding) -> Iterator[BinaryIO]:
    """Compress what is written to the file given; `out` stays open. The same log always gives the same bytes."""
    if coding is Coding.GZIP:
        with gzip.GzipFile("", "wb", fileobj=out, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    elif coding is Coding.BZIP2:
        with bz2.BZ2File(out, "wb") as packed_bz2:
            yield cast(BinaryIO, packed_bz2)
    else:
        yield out


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name, and give it its own once it is whole and on stable storage."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            unfinished.unlink()
        raise
