"""The survey of what all logs take up, by builder and by day: a slice of the logs at a time, so that nobody waits.

Rows are read in the order of their ids, and what was found is published once all were seen. So the figures are as old
as the survey, which says when it was; a log that was deleted since is still in them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from logviewer.models import LogFile, LogForm, StorageSurvey

SLICE_LOGS = 10_000
"""Rows added up in one query: some 60 ms on SQLite."""

ROUND_SECONDS = 0.2
"""How long a round of the background thread may take: it has other things to do."""

LEAST_PAUSE_SECONDS = 60.0
COST_FACTOR = 20
"""After a survey comes a pause of this many times what it cost, if that is longer: at most 5 % of a core."""

CLAIM = timedelta(hours=1)
"""How long a process that began a survey has for it, before another one begins anew."""

MAX_DAYS = 400

Figures = dict[str, dict[str, list[int]]]


class Surveyor:
    """Surveys in rounds. Any number of processes may: the row's `due_at` has one of them do it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks_again_at = 0.0
        self._running = False

    @property
    def is_running(self) -> bool:
        """Whether it is in the middle of one."""
        return self._running

    def run(self, seconds: float | None = ROUND_SECONDS) -> bool:
        """Go on with the survey for so long (None: to its end); True where it came to its end.

        Begins one if one is due.
        """
        began = self._clock()
        if not self._running and not self._claim():
            return False
        while not self._add_slice():
            if seconds is not None and self._clock() - began >= seconds:
                self._cost += self._clock() - began
                return False
        self._cost += self._clock() - began
        self._publish()
        return True

    def _claim(self) -> bool:
        """Begin a survey, if one is due and no other process has begun it."""
        if self._clock() < self._looks_again_at:
            return False
        self._looks_again_at = self._clock() + LEAST_PAUSE_SECONDS / 4
        StorageSurvey.objects.get_or_create(pk=1)
        now = timezone.now()
        if not StorageSurvey.objects.filter(pk=1, due_at__lte=now).update(due_at=now + CLAIM):
            return False
        self._running = True
        self._last_id = 0
        self._cost = 0.0
        self._builders: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._days: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        return True

    def _add_slice(self) -> bool:
        """Add up the next logs; True where there are no more."""
        rest = LogFile.objects.filter(pk__gt=self._last_id)
        last = rest.order_by("pk").values_list("pk", flat=True)[SLICE_LOGS - 1 : SLICE_LOGS].first()
        end = last or rest.aggregate(last=Max("pk"))["last"]
        if end is None:
            return True
        groups = (
            rest.filter(pk__lte=end)
            .order_by()
            .values_list("step__build__builder", "form", TruncDate("started_at", tzinfo=UTC))
            .annotate(Count("pk"), Sum("size"), Sum("stored_bytes"))
        )
        for builder, form, day, logs, text, sealed in groups:
            stored = text if form == LogForm.PLAIN else sealed
            place = 3 if form == LogForm.ARCHIVED else 2
            _add(self._builders[str(builder)], {0: logs, 1: text, place: stored})
            _add(self._days[day.isoformat()], {0: logs, 1: text, 2: stored})
        self._last_id = end
        return last is None

    def _publish(self) -> None:
        """Put what was found in place of what was known before."""
        now = timezone.now()
        days = {day: self._days[day] for day in sorted(self._days)[-MAX_DAYS:]}
        pause_seconds = max(LEAST_PAUSE_SECONDS, COST_FACTOR * self._cost)
        StorageSurvey.objects.filter(pk=1).update(
            finished_at=now,
            seconds=self._cost,
            due_at=now + timedelta(seconds=pause_seconds),
            figures={"builders": dict(self._builders), "days": days},
        )
        self._running = False
        self._looks_again_at = self._clock() + LEAST_PAUSE_SECONDS / 4
        self._builders.clear()
        self._days.clear()


def survey_now() -> None:
    """Survey from beginning to end at once, due or not."""
    StorageSurvey.objects.update_or_create(pk=1, defaults={"due_at": timezone.now()})
    Surveyor().run(None)


def _add(sums: list[int], parts: dict[int, int]) -> None:
    for place, amount in parts.items():
        sums[place] += amount


def last_survey() -> tuple[datetime | None, Figures]:
    """When the last survey ended, None where none has yet, and what it found."""
    row: tuple[datetime | None, Figures] | None = (
        StorageSurvey.objects.filter(pk=1).values_list("finished_at", "figures").first()
    )
    return (None, {"builders": {}, "days": {}}) if row is None or row[0] is None else row


def total(rows: Iterable[list[int]], length: int) -> list[int]:
    """The sums of rows of that length, place by place."""
    sums = [0] * length
    for row in rows:
        _add(sums, dict(enumerate(row)))
    return sums
