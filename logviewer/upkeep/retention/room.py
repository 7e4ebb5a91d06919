"""Making room: which builds go so that the others fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weighed:
    """A build that may go, by id, and what its logs take."""

    build_id: int
    builder_id: int
    stored_bytes: int


def oldest_beyond(max_total_bytes: int, total_bytes: int, builds: Iterable[Weighed]) -> Iterator[Weighed]:
    """Of builds from the oldest on, yield those that go until what is left of `total_bytes` is no more than the limit.

    Builds that take nothing would make no room, and stay. No more of `builds` is read than goes.
    """
    excess = total_bytes - max_total_bytes
    if excess <= 0:
        return
    for build in builds:
        if build.stored_bytes:
            yield build
            excess -= build.stored_bytes
            if excess <= 0:
                return
