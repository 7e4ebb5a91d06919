"""Where the log viewer is mounted, and what stands there without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass

from logviewer.chunkstore import ArchiveAway, ChunkStoreError, CorruptIndex, CorruptSealed, NoSuchLog
from logviewer.chunkstore.reader import LogReader
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from logviewer.pages.plain import plain_text
from logviewer.pages.preview import Preview, preview_of
from logviewer.pages.status import completeness_text, size_text
from logviewer.resources.problems import STORE_AWAY, damage_text

PLAIN_TAIL_BYTES = 24 * 1024  # of text that compresses badly, no more than a page may weigh beside its steps


@dataclass(frozen=True)
class PlainTail:
    """The end of a log as plain text; `size` is the whole log's, in bytes."""

    text: str
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether the log has more before this text."""
        return self.size > PLAIN_TAIL_BYTES


@dataclass(frozen=True)
class Mount:
    """What the viewer's element says about its log; `trouble` is why there is no tail."""

    log: LogFile
    opens_at: str
    tail: PlainTail | None
    preview: Preview | None = None
    trouble: str = ""

    @property
    def socket(self) -> str:
        """Where the log is watched."""
        return f"/ws/logs/{self.log.pk}/"

    @property
    def raw(self) -> str:
        """Where the text lies."""
        return f"/api/v1/logs/{self.log.pk}/raw"

    @property
    def completeness(self) -> str:
        """As `completeness_text`."""
        return completeness_text(self.log)

    @property
    def size(self) -> str:
        """As `size_text`."""
        return size_text(self.log.size)


def mount_of(log: LogFile, opens_at: str) -> Mount:
    """What the page needs to show the log, which opens at `opens_at`."""
    try:
        with chunk_store().reader(log.key) as reader:
            return Mount(log, opens_at, plain_tail(reader), preview_of(reader, opens_at))
    except NoSuchLog:
        return Mount(log, opens_at, PlainTail("", 0))
    except ArchiveAway:
        trouble = STORE_AWAY
    except (CorruptIndex, CorruptSealed) as error:
        trouble = damage_text(error)
    except (ChunkStoreError, ValueError):  # no right to read it, a row without a key: not for a viewer's eyes
        trouble = "The log's text cannot be read at the moment."
    return Mount(log, opens_at, None, trouble=trouble)


def plain_tail(reader: LogReader) -> PlainTail:
    """The last 24 KiB of the log from the start of a line on. Raises ChunkStoreError where the store cannot give it."""
    size = reader.end().size
    offset = max(0, size - PLAIN_TAIL_BYTES)
    cut = offset > 0
    pieces = []
    while offset < size and (frame := reader.frame(offset, max_bytes=size - offset)) is not None:
        pieces.append(frame.data)
        offset = frame.end
    data = b"".join(pieces)
    if cut:  # unless the last line is longer than that
        data = data.partition(b"\n")[2] or data
    return PlainTail(plain_text(data), size)
