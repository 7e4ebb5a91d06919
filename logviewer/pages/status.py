"""The one word for how a build or step is doing. It names the icon and the CSS class as well."""

from __future__ import annotations

from collections.abc import Iterable

from logviewer.models import Build, BuildState, Completeness, LogFile, LogState, Results, Step
from logviewer.models.states import BAD_RESULTS

RANKS = (Results.FAILURE, Results.EXCEPTION, BuildState.RUNNING, Results.WARNINGS, Results.SUCCESS)
"""What comes first where many are to be told in one word."""
BYTES_A_UNIT = 1024


def status_word(noun: Build | Step) -> str:
    """`running`, `abandoned`, or the results; `finished` where there are none."""
    return word_of(noun.state, noun.results)


def word_of(state: str, results: str | None) -> str:
    """As `status_word`, of a row that is no noun."""
    if state != BuildState.FINISHED:
        return str(state)
    return str(results) if results else "finished"


def is_bad(noun: Build | Step) -> bool:
    """Whether someone should look: it ended with a failure or an exception."""
    return noun.results in BAD_RESULTS


def worst_word(builds: Iterable[Build]) -> str | None:
    """The word of a list's builds as one: of one that went wrong, else of one that runs, else of any; None of none."""
    words = [status_word(build) for build in builds]
    ranked = sorted(words, key=lambda word: RANKS.index(word) if word in RANKS else len(RANKS))
    return ranked[0] if ranked else None


def size_text(size: int) -> str:
    """Bytes in the largest unit that leaves at least one: `812 B`, `1.4 KiB`, `256.0 MiB`."""
    if size < BYTES_A_UNIT:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= BYTES_A_UNIT
        if amount < BYTES_A_UNIT:
            return f"{amount:.1f} {unit}"
    return f"{amount / BYTES_A_UNIT:.1f} TiB"


def completeness_text(log: LogFile) -> str:
    """How sure it is that all of the log is here, in a few words (viewer.md, "Completeness is shown")."""
    if log.state == LogState.OPEN:
        return "still being written"
    if log.state == LogState.ABANDONED:
        return f"writer went silent at {log.written_at:%Y-%m-%d %H:%M} UTC"
    if log.omitted:
        return f"{size_text(log.omitted)} omitted"
    match log.completeness:
        case Completeness.VERIFIED:
            return "complete, SHA-256 verified"
        case Completeness.ABANDONED:
            return "finished after its writer went silent"
        case _:
            return "finished, not verified"
