"""Going through a log once, from its beginning to its end, as it comes: errors, warnings and folds.

Time is linear in the text: most of it is passed over by one search over whole blocks, lines that this finds are looked
at one by one. What it has to remember between two pieces of text is bounded, and can be stored (`state`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from logviewer.insight.annotations import Annotation, Pending, annotate, heading_of, read_on
from logviewer.insight.folds import MAX_FOLDS, Folds
from logviewer.insight.markers import read_markers
from logviewer.insight.patterns import Kind, Pattern, Patterns, patterns
from logviewer.insight.shown_text import shown

MAX_LINE_BYTES = 4096
"""What is looked at of a line."""

MAX_UNENDED_BYTES = 64 * 1024
"""A line without an end of which there is so much is looked at as it is; the rest of it is passed over."""

MAX_ERRORS = 1000
MAX_WARNINGS = 500
"""That are kept of a log, the first ones.

The others are only counted, each by its first line: what else is said of it may then count as well.
"""

CROWDED_LINES = 64
"""Where so many lines in a row are something, further ones are looked at without a search."""

CROWDED_SHARE = 8
"""As long as one of so many is something."""

NEAR_BYTES = 400
"""In a row: nearer to each other than that. A search that finds costs as much as six lines or so."""

TimeAt = Callable[[int], int | None]
"""The time (µs) of the byte at that offset of the piece at hand; None where nobody knows."""


def no_time(_offset: int) -> None:
    """For text without times."""


class _Ahead:
    """Finds the lines of a text that have to be looked at, from the first to the last, and searches no byte twice."""

    def __init__(self, search: Any, text: bytes) -> None:
        self._search, self._text = search, text
        self._match = -1
        self._return = -1 if b"\r" in text else len(text)

    def next(self, at: int) -> int:
        """Where the next line begins, from `at` on, that may be something or has a CR; -1 where there is none."""
        text = self._text
        if self._match < at:
            match = self._search(text, at)
            self._match = len(text) if match is None else max(at, text.rfind(b"\n", at, match.start()) + 1)
        if self._return < at:
            place = text.find(b"\r", at)
            self._return = len(text) if place < 0 else max(at, text.rfind(b"\n", at, place) + 1)
        nearest = min(self._match, self._return)
        return nearest if nearest < len(text) else -1


class UnreadableState(Exception):
    """A state is none that this version writes."""


class Inspector:
    """Takes a log's text in pieces. `annotations` has what was found since the caller last cleared it.

    An annotation may come again with more in it: the later one, by its line, takes the place of the earlier.

    Raises UnreadableState: another version, whose fields have other names, wrote it.
    """

    def __init__(self, state: dict[str, Any] | None = None, known: Patterns | None = None) -> None:
        self._patterns = known or patterns()
        self.annotations: list[Annotation] = []
        try:
            self._go_on_from(state or {})
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnreadableState(f"{type(error).__name__}: {error}") from error
        self._crowd = 0
        self._raw = b""
        self._time_at: TimeAt = no_time
        self._place = (0, 0)

    def _go_on_from(self, state: dict[str, Any]) -> None:
        self.line = int(state.get("line", 0))
        self.counts: dict[str, int] = {"error": 0, "warning": 0, **state.get("counts", {})}
        self.folds = Folds.from_state(state["folds"]) if "folds" in state else Folds()
        self._passes_over = bool(state.get("passes_over", False))
        self._heading: tuple[str, int] | None = tuple(state["heading"]) if state.get("heading") else None
        self._pending = _pending(state.get("pending"), self._patterns)

    def state(self) -> dict[str, Any]:
        """What has to be known to go on, for JSON; a few KiB."""
        return {
            "line": self.line,
            "counts": self.counts,
            "folds": self.folds.state(),
            "passes_over": self._passes_over,
            "heading": self._heading,
            "pending": asdict(self._pending) if self._pending else None,
        }

    @property
    def errors(self) -> int:
        """How many lines so far are errors."""
        return self.counts["error"]

    @property
    def warnings(self) -> int:
        """How many lines so far are warnings."""
        return self.counts["warning"]

    def feed(self, data: bytes, *, is_last: bool, time_at: TimeAt = no_time) -> int:
        """Look at text that begins where the last call stopped; return how many of its bytes were looked at.

        What was not is the beginning of a line whose end has not come; it is to be given again, with what follows.
        With `is_last` all of it is looked at, and the log is over.
        """
        start = 0
        if self._passes_over:
            start = data.find(b"\n") + 1
            if not start:
                return self._finish(data) if is_last else len(data)
            self._passes_over = False
            self.line += 1
        stop = len(data) if is_last else max(start, data.rfind(b"\n") + 1)
        self._raw, self._time_at, self._place = data, time_at, (self.line, start)
        if stop > start:
            self._look(data[start:stop])
        if is_last:
            return self._finish(data)
        if len(data) - stop > MAX_UNENDED_BYTES:
            self._look(data[stop : stop + MAX_UNENDED_BYTES])
            self._passes_over = True
            stop = len(data)
        self._show_pending()
        self._raw = b""
        return stop

    def _finish(self, data: bytes) -> int:
        if self._pending is not None:
            self._settle()
        is_unended = not data.endswith(b"\n") if data else self._passes_over
        self.folds.finish(self.line + is_unended, self._time_at(len(data) - 1) if data else None)
        return len(data)

    def _look(self, raw: bytes) -> None:
        """Look at whole lines, or at one that is the last or has no end yet."""
        text = shown(raw)
        at, end = 0, len(text)
        number, counted = self.line, 0
        ahead = _Ahead(self._patterns.candidates.search, text)
        while at < end:
            if self._crowd >= CROWDED_LINES:
                self._look_at_all(text[at:], number + text.count(b"\n", counted, at))
                break
            begin = at if self._pending is not None else ahead.next(at)
            if begin < 0:
                break
            self._crowd = self._crowd + 1 if begin - at < NEAR_BYTES else 0
            number += text.count(b"\n", counted, begin)
            counted = begin
            feed = text.find(b"\n", begin)
            at = end if feed < 0 else feed + 1
            self._line(text[begin : min(end if feed < 0 else feed, begin + MAX_LINE_BYTES)], number + 1)
        self.line += raw.count(b"\n")

    def _look_at_all(self, text: bytes, number: int) -> None:
        """Look at line after line: where most are something, that costs less than to search for them."""
        place_of, outcomes = self._patterns.place, self._patterns.outcomes
        only_counted = self._only_counted()
        lines = text.removesuffix(b"\n").split(b"\n")
        nothings = 0
        for number, line in enumerate(lines, number + 1):  # noqa: B020 - goes on
            if len(line) > MAX_LINE_BYTES:
                line = line[:MAX_LINE_BYTES]
            if self._pending is not None or b"\r" in line:
                self._line(line, number)
                continue
            place = place_of(line)
            level = only_counted.get(place)
            if level is not None:
                self.counts[level] += 1
            elif (outcome := outcomes[place]) is not None:
                self._take(outcome, line, line, number)
                only_counted = self._only_counted()
            else:
                nothings += 1
        if len(lines) > CROWDED_SHARE * (len(lines) - nothings):
            self._crowd = 0

    def _only_counted(self) -> dict[int, str]:
        """The places of the patterns, and their levels, of which no further annotations are kept."""
        full = {level for level in self.counts if not self._has_room(level)}
        return {
            place: outcome.level
            for place, outcome in enumerate(self._patterns.outcomes)
            if isinstance(outcome, Pattern) and not outcome.is_decided_later and outcome.level in full
        }

    def _line(self, line: bytes, number: int) -> None:
        """Look at one line."""
        whole = line
        if b"\r" in line:
            line = line.rstrip(b"\r").rpartition(b"\r")[2]
        if self._pending is not None and self._read_on(self._pending, line, number):
            return
        outcome = self._outcome(whole if line is not whole and b"section_" in whole else line)
        if outcome is not None:
            self._take(outcome, line, whole, number)

    def _outcome(self, line: bytes) -> Pattern | Kind | None:
        return self._patterns.outcomes[self._patterns.place(line)]

    def _take(self, outcome: Pattern | Kind, line: bytes, whole: bytes, number: int) -> None:
        """Do what follows from what the line is; `whole` is the line with what was overwritten of it."""
        if isinstance(outcome, Pattern):
            self._found(outcome, line, number)
        elif outcome is Kind.HEADING:
            path = heading_of(self._patterns.heading.search(line))
            self._heading = None if path is None else (path, number)
        else:
            is_kept = self.folds.total < MAX_FOLDS  # else nobody asks how long it took
            for marker in read_markers(whole):
                self.folds.take(marker, number, self._time_of(number) if is_kept else None)

    def _read_on(self, pending: Pending, line: bytes, number: int) -> bool:
        """See what the line says of the annotation before it; True where it is used up by that."""
        pattern = self._patterns.by_name[pending.pattern]
        if read_on(pending, pattern, line, number):
            self._settle()
            return True
        pending.left -= 1
        if pending.left <= 0:
            self._settle()
            return False
        if pattern.end is not None:
            return line[:1] in (b"", b" ", b"\t")
        if isinstance(self._outcome(line), Pattern):
            self._settle()
        return False

    def _found(self, pattern: Pattern, line: bytes, number: int) -> None:
        """The line matches the pattern."""
        if self._pending is not None:
            self._settle()
        if not pattern.is_decided_later and not self._has_room(pattern.level):
            self.counts[pattern.level] += 1
            return
        pending, is_open = annotate(pattern, line, number)
        if pattern.headed and self._heading is not None and self._heading[1] == number - 1:
            pending.path = self._heading[0]
            self._heading = (self._heading[0], number)
        self._pending = pending
        if not is_open:
            self._settle()

    def _has_room(self, level: str) -> bool:
        return self.counts[level] < (MAX_ERRORS if level == "error" else MAX_WARNINGS)

    def _settle(self) -> None:
        """No more will be known of the annotation."""
        pending, self._pending = self._pending, None
        assert pending is not None
        pattern = self._patterns.by_name[pending.pattern]
        if pattern.required and not pending.filled:
            return
        if not pending.counted or pending.filled:
            self._tell(pending, pattern.level)

    def _show_pending(self) -> None:
        """Tell of the annotation what is known now: nobody knows when the next line comes."""
        pending = self._pending
        if pending is None or pending.counted:
            return
        pattern = self._patterns.by_name[pending.pattern]
        if not pattern.required and pattern.end is None:
            self._tell(pending, pattern.level)

    def _tell(self, pending: Pending, level: str) -> None:
        if not pending.counted:
            pending.counted, pending.kept = True, self._has_room(level)
            self.counts[level] += 1
        if pending.kept:
            self.annotations.append(pending.annotation(level))

    def _time_of(self, number: int) -> int | None:
        """The time of that line of the piece at hand; they are asked for in order."""
        line, offset = self._place
        while line < number - 1:
            offset = self._raw.find(b"\n", offset) + 1
            line += 1
        self._place = (line, offset)
        return self._time_at(offset)


def _pending(state: dict[str, Any] | None, known: Patterns) -> Pending | None:
    """What was pending, unless its pattern is no more: the file may have changed in between."""
    return None if state is None or state["pattern"] not in known.by_name else Pending(**state)
