"""The dry run: what retention would delete of a project now. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from logviewer.models import Build, Project
from logviewer.upkeep.retention.candidates import Ruled, Weight, beyond_room, rooms, ruled_builders, weigh
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.room import Weighed
from logviewer.upkeep.retention.sentence import policy_words

MAX_LISTED = 200
"""Builds that a plan names; it counts all."""

EXPIRED = "expired"
FOR_ROOM = "room"


@dataclass(frozen=True)
class Going:
    """A build that would go, with its builder and project fetched, and why: `expired`, or for `room`."""

    build: Build
    why: str


@dataclass(frozen=True)
class Plan:
    """What would go: the first MAX_LISTED builds, and in all. `words` is the project's policy."""

    project: Project
    words: str
    total: Weight
    listed: tuple[Going, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all of them are listed."""
        return len(self.listed) == self.total.builds


def plan_retention(project: Project, now: datetime, max_listed: int = MAX_LISTED) -> Plan:
    """Say what would go of the project's builds if retention ran now.

    The number of queries grows with that of builders, and not with that of builds; memory with `max_listed` alone.
    """
    ruled = ruled_builders(project, now)
    total = Weight()
    listed: list[Going] = []
    expired_bytes: dict[int, int] = {}
    for each in ruled:
        if each.protection.expires:
            weight = weigh(each.expired())
            total += weight
            expired_bytes[each.builder.pk] = weight.stored_bytes
            if weight.builds:
                listed += (Going(build, EXPIRED) for build in _first(each, max_listed - len(listed)))
    for max_total_bytes, sharing in rooms(ruled):
        going = beyond_room(max_total_bytes, sharing, sum(expired_bytes.get(each.builder.pk, 0) for each in sharing))
        named = list(islice(going, max_listed - len(listed)))
        total += _sum(named) + _sum(going)
        listed += (Going(build, FOR_ROOM) for build in _builds(named))
    return Plan(project, policy_words(Policy.of(project)), total, tuple(listed))


def _first(ruled: Ruled, count: int) -> list[Build]:
    """The oldest of a builder's builds that go by themselves."""
    return list(ruled.expired().select_related("builder__project")[:count]) if count else []


def _builds(named: list[Weighed]) -> list[Build]:
    """Their rows, in the same order."""
    rows = Build.objects.select_related("builder__project").in_bulk([each.build_id for each in named])
    return [rows[each.build_id] for each in named if each.build_id in rows]


def _sum(going: Iterable[Weighed]) -> Weight:
    """What these come to, one at a time."""
    builds = stored_bytes = 0
    for each in going:
        builds += 1
        stored_bytes += each.stored_bytes
    return Weight(builds, stored_bytes)
