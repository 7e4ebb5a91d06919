"""The rules, one small class each: which of a builder's builds it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from logviewer.upkeep.retention.bounds import Bounds

SUCCESSFUL = frozenset({"success", "warnings"})
FAILED = frozenset({"failure", "exception"})


class History(Protocol):
    """A builder's builds that have ended."""

    def nth_number(self, count: int, results: frozenset[str] | None) -> int:
        """The number of the `count`th newest of them, from 1, among those with these results; 0 if there are fewer."""
        ...


class Rule(Protocol):
    """Keeps some of a builder's builds. `yields` to a limit on what all builds may take."""

    yields: ClassVar[bool]

    def bounds(self, history: History, now: datetime) -> Bounds:
        """Those that it keeps."""
        ...


@dataclass(frozen=True)
class KeepDays:
    """Keeps builds so many days after their end."""

    yields: ClassVar[bool] = True
    days: int

    def bounds(self, history: History, now: datetime) -> Bounds:
        """By the time of the end."""
        return Bounds(finished_after=now - timedelta(days=self.days))


@dataclass(frozen=True)
class KeepFailedDays:
    """Keeps failed builds so many days."""

    yields: ClassVar[bool] = True
    days: int

    def bounds(self, history: History, now: datetime) -> Bounds:
        """By results and the time of the end."""
        return Bounds(results=FAILED, finished_after=now - timedelta(days=self.days))


@dataclass(frozen=True)
class KeepLast:
    """Keeps the last so many builds."""

    yields: ClassVar[bool] = False
    count: int

    def bounds(self, history: History, now: datetime) -> Bounds:
        """By number."""
        return Bounds(number_from=history.nth_number(self.count, None))


@dataclass(frozen=True)
class KeepLastSuccessful:
    """Keeps the last so many builds that succeeded, with warnings or without."""

    yields: ClassVar[bool] = False
    count: int

    def bounds(self, history: History, now: datetime) -> Bounds:
        """By results and number."""
        return Bounds(results=SUCCESSFUL, number_from=history.nth_number(self.count, SUCCESSFUL))


@dataclass(frozen=True)
class KeepViewed:
    """Keeps builds that somebody looked at within so many days."""

    yields: ClassVar[bool] = False
    days: int

    def bounds(self, history: History, now: datetime) -> Bounds:
        """By when it was last looked at."""
        return Bounds(viewed_after=now - timedelta(days=self.days))
