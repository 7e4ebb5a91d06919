"""The checkpoints of a log as one reader sees them, wherever they come from."""

from collections.abc import Callable
from contextlib import suppress

from logviewer.chunkstore.checkpoint import START, Checkpoint
from logviewer.chunkstore.errors import CorruptIndex, CorruptSealed
from logviewer.chunkstore.marking import extend_marks, marks_of_its_own
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.stretch import STRETCH_BYTES, STRETCH_RECORDS, Stretch

CACHED_STRETCHES = 3
"""A window's own and the one before or after it; 1 MiB each, and 0.3 MiB for many records."""

FAR_STRETCHES = 8
"""How far the marks may be behind before a reader brings them up to date itself: 8 MiB, some 10 ms."""


class Checkpoints:
    """The checkpoints of a log as it stands now, numbered from 0, which is its beginning.

    Those behind the marks are made in memory, FAR_STRETCHES of them at most. Where the marks are further behind than
    that, are missing or damaged, making one of these costs once what `extend_marks` does.
    """

    def __init__(self, reader: LogReader) -> None:
        self.reader = reader
        self.end = reader.end()
        self._records = reader.records
        self._filed = self._count_filed()
        self._behind: list[Checkpoint] = []
        self._read: dict[int, Checkpoint] = {0: START}
        self._complete = self._repaired = False
        self._stretches: dict[int, Stretch] = {}
        self._catch_up()

    def last_at_most(self, value_of: Callable[[Checkpoint], int], value: int) -> int:
        """Return the number of the last checkpoint whose value, which never decreases, is at most `value` (≥ 0)."""
        low, high = 0, self._last + 1
        while high - low > 1:
            middle = (low + high) // 2
            if value_of(self.get(middle)) <= value:
                low = middle
            else:
                high = middle
        while low == self._last and self._extend() and value_of(self.get(self._last)) <= value:
            low = self._last
        return low

    def get(self, number: int) -> Checkpoint:
        """Return a checkpoint, which the log has."""
        while number > self._last:
            if not self._extend():
                raise CorruptIndex(self.reader.files.index, f"the records end before checkpoint {number}")
        if number > self._filed:
            return self._behind[number - self._filed - 1]
        checkpoint = self._read.get(number)
        if checkpoint is None:
            marks = self.reader.marks()
            checkpoint = marks.read(number - 1) if marks else None
            if checkpoint is None:
                self._repair(number - 1)
                return self.get(number)
            self._read[number] = checkpoint
        return checkpoint

    def stretch(self, number: int) -> Stretch:
        """Return the stretch that begins at a checkpoint, which the log has."""
        stretch = self._stretches.get(number)
        if stretch is None:
            stretch = Stretch(self.reader, self.get(number), self._records, self.end.size)
            if len(self._stretches) == CACHED_STRETCHES:
                del self._stretches[next(iter(self._stretches))]
            self._stretches[number] = stretch
        return stretch

    def last(self) -> int:
        """Return the number of the last checkpoint; its stretch is not full."""
        while self._extend():
            pass
        return self._last

    @property
    def _last(self) -> int:
        """The number of the last checkpoint known."""
        return self._filed + len(self._behind)

    def _extend(self) -> bool:
        """Add the checkpoint after the last one known; False if there is none."""
        if not self._complete:
            stretch = self.stretch(self._last)
            if stretch.full:
                self._behind.append(stretch.checkpoint())
                return True
            self._complete = True
        return False

    def _count_filed(self) -> int:
        marks = self.reader.marks()
        return marks.count_within(self._records, self.end.size) if marks else 0

    def _catch_up(self, keep: int | None = None) -> None:
        """Have marks made where they are far behind, or to be kept only up to a number."""
        if keep is None and not self._is_far(self.get(self._filed)):
            return
        try:
            if self.reader.is_local() and not self.reader.is_deleted():
                with suppress(CorruptIndex, CorruptSealed):  # what lies before the damage can be read
                    extend_marks(self.reader, keep)
                self._filed = self._count_filed()
                return
        except OSError:  # a full disk, a directory that only others may write in
            pass
        with suppress(CorruptIndex, CorruptSealed):
            self.reader.use_marks(marks_of_its_own(self.reader))
        self._filed = self._count_filed()

    def _repair(self, keep: int) -> None:
        """Have the marks made anew behind the first `keep`, for the next one is damaged."""
        self._filed = keep
        self._behind.clear()
        self._complete = False
        self._stretches.clear()
        self._read = {number: checkpoint for number, checkpoint in self._read.items() if number <= keep}
        if not self._repaired:  # once: who finds them damaged again does without the rest
            self._repaired = True
            self._catch_up(keep)

    def _is_far(self, checkpoint: Checkpoint) -> bool:
        return (
            self._records - checkpoint.records > FAR_STRETCHES * STRETCH_RECORDS
            or self.end.size - checkpoint.offset > FAR_STRETCHES * STRETCH_BYTES
        )
