"""The marks of a log on disk, or wherever they lie: checkpoints by number. The format is in checkpoint.py."""

import os
from bisect import bisect_right

from logviewer.chunkstore.checkpoint import (
    HEADER_BYTES,
    RECORD_BYTES,
    Checkpoint,
    pack_checkpoint,
    pack_header,
    unpack_checkpoint,
)
from logviewer.chunkstore.disk import write_whole
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.sources import Source


class MarksFile:
    """Checkpoints 0 to `count()` - 1 of the log that `index` is of; none where the file is another log's, or damaged.

    Writers append and cut: whatever is read is checked, and equal to what anyone would make of the log again.
    """

    def __init__(self, source: Source, index: Index) -> None:
        self.source = source
        self._index = index
        self._identity = index.record(0).crc32
        self._header = pack_header(self._identity)

    def count(self) -> int:
        """Return how many checkpoints there seem to be."""
        if self.source.read(0, HEADER_BYTES) != self._header:
            return 0
        return max(0, self.source.size() - HEADER_BYTES) // RECORD_BYTES

    def read(self, number: int) -> Checkpoint | None:
        """Return a checkpoint; None where it is damaged or gone."""
        packed = self.source.read(HEADER_BYTES + number * RECORD_BYTES, RECORD_BYTES)
        return unpack_checkpoint(packed, self._identity, number)

    def count_within(self, records: int, size: int) -> int:
        """Return how many checkpoints lie in the log's first `records` records and `size` bytes, the last one whole.

        A checkpoint that is not of the log as it is now, because the log was cut and went on otherwise, does not count.
        """
        lowest = Checkpoint(records=records + 1)  # in place of one that is damaged, which is then looked at below

        def is_beyond(number: int) -> bool:
            checkpoint = self.read(number) or lowest
            return checkpoint.records > records or checkpoint.offset > size

        count = self.count()
        if count and is_beyond(count - 1):
            count = bisect_right(range(count), False, key=is_beyond)
        while count and not self._is_of_this_log(self.read(count - 1)):
            count -= 1
        return count

    def cut(self, fd: int, count: int) -> None:
        """Leave the first `count` checkpoints, and nothing else but the header."""
        os.ftruncate(fd, HEADER_BYTES + count * RECORD_BYTES if count else 0)
        if not count:
            write_whole(fd, [self._header], 0)

    def write(self, fd: int, number: int, checkpoint: Checkpoint) -> None:
        """Put a checkpoint behind those before it."""
        write_whole(fd, [pack_checkpoint(checkpoint, self._identity, number)], HEADER_BYTES + number * RECORD_BYTES)

    def _is_of_this_log(self, checkpoint: Checkpoint | None) -> bool:
        """Say whether the log still has the record that a checkpoint was made after."""
        if checkpoint is None:
            return False
        last = self._index.record(checkpoint.records - 1)
        return last.crc32 == checkpoint.record_crc and last.end == checkpoint.offset
