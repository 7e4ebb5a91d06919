"""When the steps of a build ran, as bars over its time. `static/logviewer/js/timeline.js` draws the same.

Both are put to the same table of cases, `tests/javascript/timeline.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from logviewer.models import Build, BuildState, Step
from logviewer.pages.moments import build_elapsed, duration_text, step_elapsed
from logviewer.pages.status import status_word

MAX_BARS = 100  # of more steps, neighbours share a bar
MAX_LANES = 4  # steps that run beside each other lie below each other
LANE_PX = 16  # a bar, and room for the mark under it
BAR_PX = 8
NARROWEST_PERCENT = 0.4  # a step of no length is still seen
MAX_LABEL_CHARACTERS = 60
OVERLAP_PERCENT = 0.1  # clocks differ: what overlaps by less comes after

# A bar of several steps shows the first of these that one of them is in.
_GRAVEST_FIRST = (
    "exception", "failure", "running", "abandoned", "cancelled", "retry", "warnings", "success", "finished", "skipped",
)  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """One step, or neighbours; `number` is the step that it leads to, `x` and `width` are percent of the drawing."""

    number: int
    first: int
    last: int
    status: str
    label: str
    x: str
    width: str
    lane: int

    @property
    def y(self) -> int:
        """The bar's upper end."""
        return self.lane * LANE_PX

    @property
    def y_of_mark(self) -> int:
        """The upper end of the diamond under it."""
        return self.y + BAR_PX + 1

    @property
    def is_marked(self) -> bool:
        """Whether the diamond is drawn: a failure is told by shape, not by colour alone."""
        return self.status in ("failure", "exception")


@dataclass(frozen=True)
class Timeline:
    """The bars in the order of their steps; `usual` is where the usual duration ends, None where that is not shown."""

    bars: Sequence[Bar]
    lanes: int
    usual: str | None
    summary: str

    @property
    def height(self) -> int:
        """Of the drawing."""
        return self.lanes * LANE_PX


@dataclass(frozen=True)
class _Span:
    """Steps that share a bar, from their first start to their last end, in seconds since the build's start."""

    steps: Sequence[Step]
    start: float
    end: float


def timeline_of(build: Build, steps: Sequence[Step], usual: float | None, now: datetime) -> Timeline:
    """Draw the steps, given in their order, against the time that the build took, or takes if it goes as usual."""
    elapsed = build_elapsed(build, now).seconds
    spans = _spans(build, steps, now)
    whole = max([elapsed, *(span.end for span in spans)], default=0.0)
    if usual is not None and build.state == BuildState.RUNNING:
        whole = max(whole, usual)
    whole = whole or 1.0
    lanes = _lanes(spans, whole * OVERLAP_PERCENT / 100)
    bars = [_bar(span, lane, whole) for span, lane in zip(spans, lanes, strict=True)]
    return Timeline(
        bars=bars,
        lanes=max(lanes, default=0) + 1,
        usual=_percent(usual / whole * 100) if usual is not None and usual <= whole else None,
        summary=_summary(len(steps), elapsed, usual),
    )


def _spans(build: Build, steps: Sequence[Step], now: datetime) -> list[_Span]:
    size = max(1, -(-len(steps) // MAX_BARS))
    spans = []
    for place in range(0, len(steps), size):
        group = steps[place : place + size]
        starts = [max(0.0, (step.started_at - build.started_at).total_seconds()) for step in group]
        lengths = [step_elapsed(step, build, now).seconds for step in group]
        ends = [start + length for start, length in zip(starts, lengths, strict=True)]
        spans.append(_Span(group, min(starts), max(ends)))
    return spans


def _lanes(spans: Sequence[_Span], overlap: float) -> list[int]:
    """The lane of each span: the first one that is free, or, where all are taken, the one that is free soonest."""
    ends: list[float] = []
    lanes = []
    for span in spans:
        free = next((lane for lane, end in enumerate(ends) if end <= span.start + overlap), None)
        if free is None and len(ends) < MAX_LANES:
            ends.append(0.0)
            free = len(ends) - 1
        if free is None:
            free = ends.index(min(ends))
        ends[free] = max(ends[free], span.end)
        lanes.append(free)
    return lanes


def _bar(span: _Span, lane: int, whole: float) -> Bar:
    words = [status_word(step) for step in span.steps]
    status = min(words, key=_GRAVEST_FIRST.index)
    width = max(NARROWEST_PERCENT, (span.end - span.start) / whole * 100)
    return Bar(
        number=span.steps[words.index(status)].number,
        first=span.steps[0].number,
        last=span.steps[-1].number,
        status=status,
        label=_label(span, words),
        x=_percent(min(span.start / whole * 100, 100 - width)),
        width=_percent(width),
        lane=lane,
    )


def _label(span: _Span, words: Sequence[str]) -> str:
    took = duration_text(span.end - span.start)
    if len(span.steps) == 1:
        return f"{span.steps[0].name[:MAX_LABEL_CHARACTERS]}: {words[0]}, {took}"
    counts = Counter(words)
    told = ", ".join(f"{counts[word]} {word}" for word in _GRAVEST_FIRST if word in counts)
    return f"steps {span.steps[0].number} to {span.steps[-1].number}: {told}, {took}"


def _summary(count: int, elapsed: float, usual: float | None) -> str:
    steps = "1 step" if count == 1 else f"{count} steps"
    held = f", usually {duration_text(usual)}" if usual is not None else ""
    return f"Timeline of {steps} in {duration_text(elapsed)}{held}"


def _percent(share: float) -> str:
    return f"{share:.2f}%"
