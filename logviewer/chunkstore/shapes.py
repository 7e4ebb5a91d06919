"""What the store answers with: plain values, no behaviour beyond arithmetic."""

from enum import StrEnum
from typing import NamedTuple


class Form(StrEnum):
    """How a log lies: as plain text, as a sealed file beside its index, or both in the archive."""

    PLAIN = "plain"
    SEALED = "sealed"
    ARCHIVED = "archived"


class LogEnd(NamedTuple):
    """Where a log stands.

    `size` is bytes of text; `lines` its LFs, plus one where text follows the last; `received` payload bytes from
    the writer, the `omitted` ones (lost or dropped) included; `last_time_us` the time of the last record, None in
    an empty log.
    """

    size: int
    lines: int
    received: int
    finished: bool
    omitted: int
    last_time_us: int | None


class Position(NamedTuple):
    """A byte offset, and the number (from 1) of the line that the byte there belongs to."""

    offset: int
    line: int


class Frame(NamedTuple):
    """A piece of a log: `data` from `offset` on, whose first byte belongs to line number `line` (from 1).

    `runs` is `[(channel, length, time_us), …]`, their lengths adding up to `data`; neighbours of one channel and
    one millisecond are joined.
    """

    offset: int
    line: int
    runs: list[tuple[int, int, int]]
    data: bytes

    @property
    def end(self) -> int:
        """The offset of the byte after this frame: where the next one begins."""
        return self.offset + len(self.data)


class FrameView(NamedTuple):
    """As Frame, but `data` may be a view of memory that the next `LogReader.frame_now` of the thread overwrites."""

    offset: int
    line: int
    runs: list[tuple[int, int, int]]
    data: bytes | memoryview

    @property
    def end(self) -> int:
        """The offset of the byte after this frame: where the next one begins."""
        return self.offset + len(self.data)

    def frame(self) -> Frame:
        """The same with bytes of its own."""
        return Frame(self.offset, self.line, self.runs, bytes(self.data))


class Appended(NamedTuple):
    """What an append came to: payload bytes received so far, and the log's new end."""

    received: int
    end: LogEnd


class Sealed(NamedTuple):
    """What sealing came to: the bytes of the sealed file."""

    size_bytes: int


class Redacted(NamedTuple):
    """What a redaction came to: where the log ends, its text's SHA-256, and how it lies, sealed in so many bytes.

    A log of the archive lies here again.
    """

    end: LogEnd
    text_sha256: str
    form: Form
    stored_bytes: int


class Finished(NamedTuple):
    """What a finish came to.

    `sha256` is of the received payload, None where bytes were dropped; `text_sha256` of the stored text.
    `verified`: the writer gave both count and hash, and they agree.
    """

    end: LogEnd
    sha256: str | None
    text_sha256: str
    verified: bool
