"""Which step and log a build's page opens. `static/logviewer/js/build-state.js` chooses by the same rules."""

from __future__ import annotations

from collections.abc import Sequence

from logviewer.models import BuildState, LogFile, Step
from logviewer.pages.status import is_bad


def choose_step(steps: Sequence[Step], wanted: str | None) -> Step | None:
    """The step whose number is `wanted`; else the last that runs, the first that failed, the last given up, the first.

    A running build follows its running step even after an earlier step failed: what is being written comes first.
    """
    if wanted is not None:
        for step in steps:
            if str(step.number) == wanted:
                return step
    running = [step for step in steps if step.state == BuildState.RUNNING]
    if running:
        return running[-1]
    for step in steps:
        if is_bad(step):
            return step
    abandoned = [step for step in steps if step.state == BuildState.ABANDONED]
    if abandoned:
        return abandoned[-1]
    return steps[0] if steps else None


def choose_log(logs: Sequence[LogFile], wanted: str | None) -> LogFile | None:
    """The log whose slug is `wanted`; else the first."""
    for log in logs:
        if log.slug == wanted:
            return log
    return logs[0] if logs else None
