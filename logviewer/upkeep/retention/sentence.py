"""A policy in words, for those whose builds it is about."""

from __future__ import annotations

from collections.abc import Sequence

from logviewer.upkeep.retention.policy import Policy

EVERYTHING = "All builds are kept."
BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
BYTES_A_UNIT = 1000


def policy_words(policy: Policy, *, one_builder: bool = False) -> str:
    """Say what is kept, in one to three sentences; of `one_builder`, or of each builder of a project."""
    if policy.keeps_everything:
        return EVERYTHING
    whose = "" if one_builder else " of each builder"
    sentences = [_what_goes(policy, whose), _what_stays(policy, whose), _room(policy)]
    return " ".join(sentence for sentence in sentences if sentence)


def bytes_text(count: int) -> str:
    """A number of bytes in the largest unit of which there is at least one: `1.5 GB`, `12 MB`, `800 bytes`."""
    value, place = float(count), 0
    while value >= BYTES_A_UNIT and place < len(BYTE_UNITS) - 1:
        value, place = value / BYTES_A_UNIT, place + 1
    if place == 0:
        return _counted(count, "byte")
    return f"{value:.1f}".removesuffix(".0") + f" {BYTE_UNITS[place]}"


def _what_goes(policy: Policy, whose: str) -> str:
    """How long builds are kept, failed ones apart."""
    failed = policy.keep_failed_days
    if policy.keep_days is not None:
        longer = (
            f", failed ones for {_counted(failed, 'day')}" if failed is not None and failed > policy.keep_days else ""
        )
        return f"Builds are kept for {_counted(policy.keep_days, 'day')}{longer}."
    if policy.keep_builds is not None:
        besides = f", and failed ones for {_counted(failed, 'day')}" if failed is not None else ""
        return f"The {_last(policy.keep_builds, 'build')}{whose} {_is(policy.keep_builds)} kept{besides}."
    return "Builds of any age are kept."


def _what_stays(policy: Policy, whose: str) -> str:
    """What is kept besides, whatever its age."""
    kept: list[str] = []
    if policy.keep_days is not None and policy.keep_builds is not None:
        kept.append(f"the {_last(policy.keep_builds, 'build')}{whose}")
    if policy.keep_successful is not None:
        kept.append(f"the {_last(policy.keep_successful, 'successful one')}{whose}")
    if policy.keep_viewed_days is not None:
        kept.append(f"those that somebody looked at in the last {_days(policy.keep_viewed_days)}")
    kept.append("pinned ones")
    words = _listed(kept)
    return f"{words[0].upper()}{words[1:]} always stay."


def _room(policy: Policy) -> str:
    if policy.max_total_bytes is None:
        return ""
    room = bytes_text(policy.max_total_bytes)
    return f"If the logs take more than {room} in all, the oldest of the other builds go first, whatever their age."


def _listed(words: Sequence[str]) -> str:
    """As people list things: `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _last(count: int, noun: str) -> str:
    return f"last {noun}" if count == 1 else f"last {count} {noun}s"


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count} days"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
