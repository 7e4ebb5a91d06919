"""What a row of runs says: how many passed, how long one usually takes, and whether they are getting slower.

Plain arithmetic on what is given; whoever asks decides how many runs that are. A run is one of a build or of a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

PASSED = frozenset({"success", "warnings"})
FAILED = frozenset({"failure", "exception"})

NEWEST_RUNS = 5
"""How many runs are compared with those before: their median moves once three of them have moved."""
LEAST_CHANGE = 0.10
"""The share of the median below which a change is noise."""
LEAST_CHANGE_SECONDS = 1.0
"""Nobody waits for less; short steps differ by more than a tenth from run to run."""
LEAST_MEDIAN_SECONDS = 0.1
TIMES_FROM = 2.0
"""From this factor on a change is told as a factor, not in per cent."""


@dataclass(frozen=True)
class Run:
    """How one build or step went: its word (`status_word`), and its seconds from start to finish if it has finished."""

    status: str
    seconds: float | None


@dataclass(frozen=True)
class PassRate:
    """How many passed of those that came to a verdict."""

    passed: int
    judged: int

    @property
    def text(self) -> str:
        """As pages say it: `27 of 30`."""
        return f"{self.passed} of {self.judged}"

    @property
    def is_whole(self) -> bool:
        """Whether all passed."""
        return self.passed == self.judged


@dataclass(frozen=True)
class Change:
    """The median of the newest runs against that of the runs before, both in seconds."""

    before: float
    now: float

    @property
    def factor(self) -> float:
        """How many times as long the newest take."""
        return max(self.now, LEAST_MEDIAN_SECONDS) / max(self.before, LEAST_MEDIAN_SECONDS)

    @property
    def word(self) -> str:
        """`slower`, `faster`, or `steady` where the difference is no more than noise."""
        if abs(self.now - self.before) < LEAST_CHANGE_SECONDS or abs(self.factor - 1) < LEAST_CHANGE:
            return "steady"
        return "slower" if self.factor > 1 else "faster"

    @property
    def text(self) -> str:
        """As pages say it: `32 % slower`, `3.5 times as long`, `40 % faster`, `steady`."""
        if self.word == "steady":
            return self.word
        if self.factor >= TIMES_FROM:
            return f"{self.factor:.1f} times as long"
        return f"{abs(self.factor - 1):.0%} {self.word}".replace("%", " %")


def passed_seconds(runs: Iterable[Run]) -> list[float]:
    """The durations of those that went through; what failed was cut short and says nothing of how long it takes."""
    return [run.seconds for run in runs if run.seconds is not None and run.status in PASSED]


def median_seconds(runs: Iterable[Run]) -> float | None:
    """The usual duration: the median of those that went through; None where none did."""
    lengths = passed_seconds(runs)
    return median(lengths) if lengths else None


def pass_rate(runs: Iterable[Run]) -> PassRate | None:
    """Of those that came to a verdict; None where none did.

    What runs, was cancelled, skipped, retried or given up says nothing of the code, and does not count.
    """
    words = [run.status for run in runs]
    passed = sum(word in PASSED for word in words)
    judged = passed + sum(word in FAILED for word in words)
    return PassRate(passed, judged) if judged else None


def change_of(runs: Sequence[Run]) -> Change | None:
    """How the newest NEWEST_RUNS compare with those before, of runs given oldest first.

    None unless there are as many before: fewer are no trend.
    """
    lengths = passed_seconds(runs)
    newest, before = lengths[-NEWEST_RUNS:], lengths[:-NEWEST_RUNS]
    return Change(median(before), median(newest)) if len(before) >= NEWEST_RUNS else None
