"""Samples of sealed logs, read from end to end: a disk that forgets is noticed before somebody needs the log."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone

from logviewer.live.store import chunk_store
from logviewer.models import DamagedLog, LogFile, LogForm
from logviewer.models.job import MAX_DAMAGE_CHARACTERS
from logviewer.upkeep.verification import Checked, check_log

logger = logging.getLogger(__name__)

TRIES = 5
"""For each sample: ids have gaps, and what is drawn twice is not read twice."""


@dataclass
class Sampled:
    """How many logs were read, and which of them are damaged."""

    checked: int = 0
    damaged: tuple[int, ...] = ()


def check_samples(wanted: int, stopped: Callable[[], bool] = lambda: False) -> Sampled:
    """Read so many sealed logs, and remember which are damaged.

    Half of them at most are damaged ones, those that were not read for the longest; the others are drawn by chance.
    """
    most_again = (wanted + random.randint(0, 1)) // 2  # noqa: S311 - of 1 every other time, no secret
    damaged = DamagedLog.objects.filter(log__deletion_began_at=None).order_by("found_at", "pk")
    again = list(damaged.values_list("log", flat=True)[:most_again])
    found = Sampled()
    for log_id in [*again, *draw(wanted - len(again), without=frozenset(again))]:
        if stopped():
            break
        row = LogFile.objects.filter(pk=log_id).first()
        checked = check_log(row, chunk_store()) if row is not None else None
        if checked is not None:
            found.checked += 1
            if note_damage(checked):
                found.damaged += (log_id,)
    return found


def draw(wanted: int, without: frozenset[int]) -> list[int]:
    """Ids of so many sealed logs, or of fewer; each is the first one behind an id drawn by chance."""
    sealed = LogFile.objects.filter(form__in=[LogForm.SEALED, LogForm.ARCHIVED], storage_key__isnull=False)
    ids = LogFile.objects.values_list("pk", flat=True)  # asked one by one: SQLite reads all rows for both at once
    first, last = ids.order_by("pk").first(), ids.order_by("-pk").first()
    drawn: dict[int, None] = {}
    if first is None or last is None:
        return []
    for _ in range(TRIES * wanted):
        if len(drawn) >= wanted:
            break
        start = random.randint(first, last)  # noqa: S311 - a sample, no secret
        log_id = sealed.filter(pk__gte=start).order_by("pk").values_list("pk", flat=True).first()
        if log_id is not None and log_id not in without:
            drawn[log_id] = None
    return list(drawn)


def note_damage(checked: Checked) -> bool:
    """Remember what a check found, or that it found nothing any more; say whether it found anything."""
    row = checked.row
    if not checked.findings:
        DamagedLog.objects.filter(log=row).delete()
        return False
    detail = "; ".join(f"{finding.fault}: {finding.detail}" for finding in checked.findings[:10])
    logger.error("log %s is damaged: %s", row.pk, detail)
    DamagedLog.objects.update_or_create(
        log_id=row.pk, defaults={"found_at": timezone.now(), "detail": detail[:MAX_DAMAGE_CHARACTERS]}
    )
    return True
