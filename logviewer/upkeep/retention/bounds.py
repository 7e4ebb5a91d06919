"""What a rule says of a builder's builds, in a form that Python and SQL can both ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of a build that has ended; `is_fixed` if it is pinned, or something of it is still open."""

    number: int
    results: str | None
    finished_at: datetime
    viewed_at: datetime | None = None
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """Builds within all of these bounds are kept; None bounds nothing."""

    results: frozenset[str] | None = None
    number_from: int | None = None
    finished_after: datetime | None = None
    viewed_after: datetime | None = None

    def hold(self, build: Facts) -> bool:
        """Whether the build lies within them."""
        return (
            (self.results is None or build.results in self.results)
            and (self.number_from is None or build.number >= self.number_from)
            and (self.finished_after is None or build.finished_at > self.finished_after)
            and (self.viewed_after is None or (build.viewed_at is not None and build.viewed_at > self.viewed_after))
        )


@dataclass(frozen=True)
class Protection:
    """What of one builder is kept: `always`, and `for_a_time` unless room is wanted.

    `expires`: what is not kept goes. Otherwise it goes for want of room only.
    """

    expires: bool
    always: tuple[Bounds, ...]
    for_a_time: tuple[Bounds, ...]

    @property
    def over_by(self) -> datetime | None:
        """Builds that ended by then are expired or spared, so that none of them goes for want of room.

        None where time decides nothing. Spares a look at most builds of a long history.
        """
        times = [bounds.finished_after for bounds in self.for_a_time]
        if not self.expires or None in times:
            return None
        return min((time for time in times if time is not None), default=LATEST)

    def is_expired(self, build: Facts) -> bool:
        """Whether the build goes, whatever room there is."""
        return self.expires and not self.is_spared(build) and not any(bounds.hold(build) for bounds in self.for_a_time)

    def is_spared(self, build: Facts) -> bool:
        """Whether the build stays, also where room is wanted."""
        return build.is_fixed or any(bounds.hold(build) for bounds in self.always)
