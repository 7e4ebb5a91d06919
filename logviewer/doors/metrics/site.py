"""What has to be asked of the database and the disk: the same for all processes of the site.

Asked on a thread of its own, one question at a time, and remembered: adding up the sizes of a million logs takes a
database half a second, which nobody shall pay at every scrape of every process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import Error, connection
from django.db.models import Count, Min, Sum
from django.utils import timezone

from logviewer.models import DamagedLog, Delivery, Job, LogFile, LogForm, LogState
from logviewer.upkeep.sealing import waiting_logs

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""How long a scrape waits for database and disk; then it goes without them."""

REMEMBERED_SECONDS = 15.0
COST_FACTOR = 20
"""The database is asked again after this many times what its last answer took, if that is longer: at most 5 % of it."""

_thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")


@dataclass(frozen=True)
class LogFigures:
    """What the database says of all logs."""

    open: int
    to_seal: int
    stored_bytes: dict[str, int]
    """By form; the text of plain logs (its index comes to a few percent more), the sealed files of the others."""

    damaged: int = 0
    jobs: tuple[JobFigures, ...] = ()


@dataclass(frozen=True)
class WebhookFigures:
    """What the database says of deliveries that wait to be tried, again or for the first time."""

    waiting: int
    oldest_seconds: float
    """Since what the oldest of them tells of happened; 0 where none waits."""


@dataclass(frozen=True)
class DiskFigures:
    """The file system of the data directory, in bytes; `free` is what an ordinary user may still write."""

    size: int
    free: int


@dataclass(frozen=True)
class JobFigures:
    """What the database says of one job of upkeep; None where it never came to that."""

    name: str
    succeeded_at: datetime | None
    failures: int
    seconds: float | None


@dataclass(frozen=True)
class SiteFigures:
    """Each is None where its source did not answer."""

    logs: LogFigures | None = None
    disk: DiskFigures | None = None
    webhooks: WebhookFigures | None = None


class Site:
    """Remembers what the database said."""

    def __init__(self) -> None:
        self._logs: LogFigures | None = None
        self._webhooks: WebhookFigures | None = None
        self._ask_again_at = 0.0
        self._asking: asyncio.Future[SiteFigures] | None = None

    async def figures(self) -> SiteFigures:
        """What database and disk say, within PATIENCE_SECONDS; scrapes at the same time share one question."""
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asking = loop.run_in_executor(_thread, self._ask)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.shield(self._asking)
        except TimeoutError:
            logger.warning("metrics go without the database and the disk, which did not answer")
            return SiteFigures()

    def _ask(self) -> SiteFigures:
        self._ask_database()
        return SiteFigures(self._logs, _disk(settings.DATA_DIR), self._webhooks)

    def _ask_database(self) -> None:
        began = time.monotonic()
        if began < self._ask_again_at:
            return
        try:
            self._logs, self._webhooks = _logs(), _webhooks()
        except Error as error:
            logger.warning("metrics go without the database: %s", error)
            self._logs = self._webhooks = None
        finally:
            connection.close()  # an idle thread holds none
        took = time.monotonic() - began
        self._ask_again_at = 0.0 if self._logs is None else began + max(REMEMBERED_SECONDS, COST_FACTOR * took)


def _logs() -> LogFigures:
    """Ask the database: one pass over all logs, and two indexes."""
    stored = dict.fromkeys(LogForm.values, 0)
    forms = LogFile.objects.order_by().values_list("form").annotate(Sum("size"), Sum("stored_bytes"))
    for form, text_bytes, sealed_bytes in forms:
        stored[form] = text_bytes if form == LogForm.PLAIN else sealed_bytes
    open_logs = LogFile.objects.filter(state=LogState.OPEN).count()
    jobs = Job.objects.values_list("name", "succeeded_at", "failures", "seconds")
    return LogFigures(
        open_logs,
        waiting_logs().count(),
        stored,
        DamagedLog.objects.count(),
        tuple(JobFigures(*row) for row in jobs),
    )


def _webhooks() -> WebhookFigures:
    """Ask the database: the index of what is due has nothing else in it."""
    found = Delivery.objects.filter(next_try_at__isnull=False).aggregate(waiting=Count("pk"), oldest=Min("created_at"))
    oldest = found["oldest"]
    age_seconds = 0.0 if oldest is None else (timezone.now() - oldest).total_seconds()
    return WebhookFigures(found["waiting"], max(0.0, age_seconds))


def _disk(directory: Path) -> DiskFigures | None:
    try:
        found = os.statvfs(directory)
    except OSError as error:
        logger.warning("metrics go without the disk: %s", error)
        return None
    return DiskFigures(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
