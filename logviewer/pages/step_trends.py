"""What a builder's last builds say of its steps: how long each usually takes, and which one got slower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from logviewer.models import Build, Step
from logviewer.pages.moments import duration_text
from logviewer.pages.sparkline import sparkline
from logviewer.pages.status import status_word
from logviewer.pages.trends import Change, PassRate, Run, change_of, median_seconds, pass_rate

MAX_STEPS = 40
"""So many of each build are looked at: with 30 builds, 1200 rows of one query."""


@dataclass(frozen=True)
class StepTrend:
    """One step, by its slug, over some builds; `runs` are oldest first."""

    name: str
    runs: Sequence[Run]

    @property
    def usual(self) -> str | None:
        """The median duration in words."""
        seconds = median_seconds(self.runs)
        return None if seconds is None else duration_text(seconds)

    @property
    def passed(self) -> PassRate | None:
        """How many of its runs passed."""
        return pass_rate(self.runs)

    @property
    def change(self) -> Change | None:
        """Its newest runs against those before."""
        return change_of(self.runs)

    @property
    def sparkline(self) -> SafeString:
        """Its durations."""
        return sparkline(self.runs)


def step_trends(builds: Iterable[Build]) -> list[StepTrend]:
    """The steps of these builds of one builder, in one query: the newest build's first, each in its order."""
    steps = list(
        Step.objects.filter(build__in=[build.pk for build in builds], number__lte=MAX_STEPS)
        .only("build_id", "number", "name", "slug", "state", "results", "started_at", "finished_at")
        .order_by("-build__number", "number")
    )
    by_slug: dict[str, list[Step]] = {}
    for step in steps:
        by_slug.setdefault(step.slug, []).append(step)
    trends = [StepTrend(same[0].name, [_run(step) for step in reversed(same)]) for same in by_slug.values()]
    return trends[:MAX_STEPS]


def slowed(trends: Iterable[StepTrend]) -> StepTrend | None:
    """The step that costs the most seconds more than before; None where none got slower."""
    slower = [(trend.change, trend) for trend in trends]
    costs = [(change.now - change.before, trend) for change, trend in slower if change and change.word == "slower"]
    return max(costs, key=lambda cost: cost[0])[1] if costs else None


def _run(step: Step) -> Run:
    seconds = None if step.finished_at is None else max(0.0, (step.finished_at - step.started_at).total_seconds())
    return Run(status_word(step), seconds)
