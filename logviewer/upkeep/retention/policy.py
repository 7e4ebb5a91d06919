"""How long builds are kept: what a project says, what a builder says instead, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from logviewer.upkeep.retention.bounds import Protection
from logviewer.upkeep.retention.rules import (
    History,
    KeepDays,
    KeepFailedDays,
    KeepLast,
    KeepLastSuccessful,
    KeepViewed,
    Rule,
)


@dataclass(frozen=True)
class Policy:
    """Each field is None, or a number of days, builds or bytes from 1. The default keeps everything.

    A build is kept if any rule keeps it. `keep_days` and `keep_builds` are what lets builds go at all: where neither is
    given, only a want of room (`max_total_bytes`) does. Pinned and open builds are never touched.
    """

    keep_days: int | None = None
    keep_builds: int | None = None
    keep_successful: int | None = None
    keep_failed_days: int | None = None
    keep_viewed_days: int | None = None
    max_total_bytes: int | None = None

    @classmethod
    def of(cls, *sayings: object) -> Policy:
        """Put together, field by field, what objects with these attributes say; the last that says something counts.

        None says nothing, 0 says that there is no such rule.
        """
        settled: dict[str, int | None] = {}
        for field in fields(cls):
            for saying in sayings:
                value = getattr(saying, field.name)
                if value is not None:
                    settled[field.name] = value or None
        return cls(**settled)

    @property
    def expires(self) -> bool:
        """Whether builds go by themselves, whatever room there is."""
        return self.keep_days is not None or self.keep_builds is not None

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing ever goes."""
        return not self.expires and self.max_total_bytes is None

    def rules(self) -> Iterator[Rule]:
        """Those that say what is kept."""
        if self.keep_days is not None:
            yield KeepDays(self.keep_days)
        if self.keep_failed_days is not None:
            yield KeepFailedDays(self.keep_failed_days)
        if self.keep_builds is not None:
            yield KeepLast(self.keep_builds)
        if self.keep_successful is not None:
            yield KeepLastSuccessful(self.keep_successful)
        if self.keep_viewed_days is not None:
            yield KeepViewed(self.keep_viewed_days)

    def protection(self, history: History, now: datetime) -> Protection:
        """What these rules keep of a builder's builds."""
        rules = list(self.rules())
        return Protection(
            expires=self.expires,
            always=tuple(rule.bounds(history, now) for rule in rules if not rule.yields),
            for_a_time=tuple(rule.bounds(history, now) for rule in rules if rule.yields),
        )
