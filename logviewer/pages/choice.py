"""Which step and log a build's page opens, and where. `static/logviewer/js/build-state.js` chooses by the same rules.

Both are put to the same table of cases, `tests/javascript/choice.json`.
"""

from __future__ import annotations

from collections.abc import Sequence

from logviewer.models import BuildState, LogFile, LogState, Step
from logviewer.pages.status import is_bad

MAX_STEPS_LISTED = 100  # beyond it the list shows a part: a page is no longer than that, whatever the build


def first_failed(steps: Sequence[Step]) -> Step | None:
    """The first step that went wrong."""
    return next((step for step in steps if is_bad(step)), None)


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
    if (failed := first_failed(steps)) is not None:
        return failed
    abandoned = [step for step in steps if step.state == BuildState.ABANDONED]
    if abandoned:
        return abandoned[-1]
    return steps[0] if steps else None


def choose_log(step: Step | None, logs: Sequence[LogFile], wanted: str | None) -> LogFile | None:
    """The step's log whose slug is `wanted`; else, of a failed step, the first that has errors; else the first."""
    for log in logs:
        if log.slug == wanted:
            return log
    if step is not None and is_bad(step):
        for log in logs:
            if log.errors:
                return log
    return logs[0] if logs else None


def opening_of(step: Step, log: LogFile, first_error: int | None) -> str:
    """Where the log opens: `follow` (its end, as it grows), `L120` (that line), `end` or `top`.

    `first_error` is the number of the log's first line that tells of an error; None where none is known. A failed step
    without one opens at its end, where commands say what went wrong.
    """
    if log.state != LogState.FINISHED:
        return "follow"
    if not is_bad(step):
        return "top"
    return "end" if first_error is None else f"L{first_error}"


def steps_listed(count: int, chosen: int | None) -> range:
    """The places, from 0, of those of `count` steps that are listed: the part that the chosen one's place lies in."""
    first = (chosen or 0) // MAX_STEPS_LISTED * MAX_STEPS_LISTED
    return range(first, min(count, first + MAX_STEPS_LISTED))
