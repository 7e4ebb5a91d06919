"""Folds of a log: kept as its markers come, bounded in number and in depth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from logviewer.insight.markers import Marker

MAX_FOLDS = 2000
"""Of one log; the others are counted."""

MAX_DEPTH = 32
"""Folds that are open at once; those within are counted, not kept."""

MAX_NAME_CHARACTERS = 200
US_PER_SECOND = 1_000_000


@dataclass
class Fold:
    """Lines `start` to `end`, both included, with the line of the marker; `end` is None while it is open.

    `number` counts the log's folds from 0, in the order of their beginnings; `level` is 1 outside of all others.
    """

    number: int
    start: int
    name: str
    level: int
    system: str
    key: str
    begun_us: int | None
    end: int | None = None
    seconds: float | None = None


@dataclass
class Folds:
    """What has to be known to go on: the open folds, and how many there were.

    The numbers in `forgotten` are to be deleted, then what is in `changed`, by number, to be stored.
    """

    open: list[Fold] = field(default_factory=list)
    total: int = 0
    too_deep: int = 0
    headers: int = 0
    changed: dict[int, Fold] = field(default_factory=dict)
    forgotten: list[int] = field(default_factory=list)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Go on from what `state` gave."""
        return cls(**{**state, "open": [Fold(**fold) for fold in state["open"]]})

    def state(self) -> dict[str, Any]:
        """What has to be known to go on, for JSON."""
        state = asdict(self)
        del state["changed"], state["forgotten"]
        return state

    def take(self, marker: Marker, line: int, time_us: int | None) -> None:
        """Begin or end a fold at that line."""
        time_us = time_us if marker.time_us is None else marker.time_us
        if marker.system == "header":
            self._header(marker, line, time_us)
        elif marker.begins:
            self._begin(marker, line, time_us)
        else:
            self._end(marker, line, time_us)

    def finish(self, line: int, time_us: int | None) -> None:
        """The log has ended with that line: so do the folds that are open."""
        self._close(0, line, time_us)
        self.total -= self.headers == 1  # a single one is none

    def _header(self, marker: Marker, line: int, time_us: int | None) -> None:
        last = self.open[-1] if self.open else None
        if marker.key == "+++":
            if last is not None and last.system == "header" and last.key == "---" and last.start == line - 1:
                self._forget(last)  # a diff's two lines
                return
            if not self.headers:  # as `set -x` writes
                return
        self.headers += 1
        at = next((place for place, fold in enumerate(self.open) if fold.system == "header"), len(self.open))
        self._close(at, line - 1, time_us)
        self._begin(marker, line, time_us)

    def _begin(self, marker: Marker, line: int, time_us: int | None) -> None:
        self.total += 1
        if len(self.open) >= MAX_DEPTH:
            self.too_deep += marker.system == "group"
            return
        name = marker.name[:MAX_NAME_CHARACTERS]
        fold = Fold(self.total - 1, line, name, len(self.open) + 1, marker.system, marker.key, time_us)
        self.open.append(fold)
        self._changed(fold)

    def _end(self, marker: Marker, line: int, time_us: int | None) -> None:
        if marker.system == "group" and self.too_deep:
            self.too_deep -= 1
            return
        for at in range(len(self.open) - 1, -1, -1):
            fold = self.open[at]
            if fold.system == marker.system and fold.key == marker.key:
                self._close(at, line, time_us)
                return

    def _close(self, at: int, line: int, time_us: int | None) -> None:
        """Close the open folds from that place on."""
        for fold in self.open[at:]:
            fold.end = max(line, fold.start)
            if fold.begun_us is not None and time_us is not None and time_us >= fold.begun_us:
                fold.seconds = round((time_us - fold.begun_us) / US_PER_SECOND, 3)
            self._changed(fold)
        if self.open[at:]:
            self.too_deep = 0
        del self.open[at:]

    def _forget(self, fold: Fold) -> None:
        """It was none."""
        self.open.remove(fold)
        self.total -= 1
        self.headers -= 1
        self.changed.pop(fold.number, None)
        self.forgotten.append(fold.number)

    def _changed(self, fold: Fold) -> None:
        """It is to be stored; the first header only with the second: other lines look like one."""
        if fold.number < MAX_FOLDS and not (fold.system == "header" and self.headers == 1):
            self.changed[fold.number] = fold
