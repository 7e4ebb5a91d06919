"""/ws/builds/{id}/: a viewer watches a build: a snapshot, then what changes (websocket.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Q

from logviewer.chunkstore import ChunkStoreError
from logviewer.doors.feed import Feed, Message, message_text
from logviewer.doors.identity import identify
from logviewer.doors.watching import Watching
from logviewer.live import Hub, LogWatch
from logviewer.live.database import AWAY_ERRORS, in_database
from logviewer.live.events import Changed, Noun
from logviewer.models import Build, LogFile, LogState, Step
from logviewer.resources import access, shapes

logger = logging.getLogger(__name__)

PROGRESS_INTERVAL_SECONDS = 0.5
ROWS_INTERVAL_SECONDS = 1.0
"""How often the rows are looked at of open logs that are not watched."""

COUNTS_PAUSES_SECONDS = (1.0, 2.0)
"""After a log grew its errors are looked up so many seconds later: insight takes a moment."""

MAX_WATCHED_LOGS = 100
"""Open logs of one build that are watched in the store, two descriptors each, the newest first. How far others have
come is looked up in the database, which is a second behind or so."""


class BuildFeed(Feed):
    """One build: its events, and how its open logs grow."""

    def __init__(self, hub: Hub, noun: Noun) -> None:
        super().__init__(hub, noun)
        self._watches: dict[int, LogWatch] = {}
        self._unwatched: list[int] = []
        self._told: dict[int, tuple[int, ...]] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self._grown = asyncio.Event()
        self._counting = asyncio.Event()
        self.spawn(self._tell_progress())
        self.spawn(self._follow_counts())

    @staticmethod
    def noun_of(number: int) -> Noun:
        """The build of that id."""
        return "build", number

    def read_snapshot(self) -> Callable[[], Message]:
        """The build as REST shows it."""
        build = Build.objects.select_related("builder__project").get(pk=self.noun[1])
        return partial(_snapshot, build, shapes.steps_of(build))

    def read_change(self, version: int, change: Changed) -> Message | None:
        """What changed, as REST shows it; a writer that fell silent or came back changes much: a snapshot says it."""
        if change["type"] != "build.changed" or change["event"] in ("buildAbandoned", "buildReopened"):
            return None
        try:
            subject = _subject(change["event"], change["subject"])
        except ObjectDoesNotExist:  # deleted already; whether the build is as well, the snapshot finds out
            return None
        return Message(version, message_text({"type": change["event"], "version": version, **subject}))

    async def follow(self, change: Changed | None) -> None:
        """Watch the logs that may still grow, wherever they may have become others."""
        if change is not None and not change["event"].startswith("log"):
            return
        keys = await in_database(_open_logs, self.noun[1])
        chosen = dict(list(keys.items())[:MAX_WATCHED_LOGS])
        self._unwatched = [log_id for log_id in keys if log_id not in chosen]
        self._unwatch_logs(self._watches.keys() - chosen.keys())
        for log_id in self._told.keys() - keys.keys():
            del self._told[log_id]
        for log_id in chosen.keys() - self._watches.keys():
            try:
                watch = await self.hub.watch(log_id, chosen[log_id], self._wake)
            except (ChunkStoreError, OSError):  # its own page says what is wrong with it; the other logs go on
                logger.exception("log %s is not watched", log_id)
                continue
            watch.rest(self._wake)
            self._watches[log_id] = watch
        self._wake()

    def stop(self) -> None:
        """End, and watch no log any more."""
        super().stop()
        self._unwatch_logs(set(self._watches))

    def _unwatch_logs(self, log_ids: set[int]) -> None:
        for log_id in log_ids:
            self.hub.unwatch(self._watches.pop(log_id), self._wake)

    def _wake(self) -> None:
        """Some open log grew."""
        self._grown.set()
        self._counting.set()

    async def _tell_progress(self) -> None:
        """Say sizes and counts of open logs that changed, at most twice a second."""
        while True:
            try:
                async with asyncio.timeout(ROWS_INTERVAL_SECONDS if self._unwatched else None):
                    await self._grown.wait()
            except TimeoutError:
                pass
            self._grown.clear()
            rows = await self._rows_of_unwatched()
            known = [(log_id, watch.end.size, watch.end.lines) for log_id, watch in self._watches.items()] + rows
            changed = [self._progress(*each) for each in known if self._is_news(*each)]
            if changed:
                self.tell(Message(None, message_text({"type": "progress", "logs": changed})))
            await asyncio.sleep(PROGRESS_INTERVAL_SECONDS)

    def _is_news(self, log_id: int, size: int, _lines: int) -> bool:
        """Whether the log has another size, or other counts of errors and warnings, than was told."""
        news = (size, *self._counts.get(log_id, (0, 0)))
        is_news = news != self._told.get(log_id, (0, 0, 0))
        self._told[log_id] = news
        return is_news

    def _progress(self, log_id: int, size: int, lines: int) -> dict[str, int]:
        """What is told of one log: errors and warnings where it has any."""
        progress = {"id": log_id, "size": size, "lines": lines}
        errors, warnings = self._counts.get(log_id, (0, 0))
        return {**progress, "errors": errors, "warnings": warnings} if errors or warnings else progress

    async def _follow_counts(self) -> None:
        """Look up how many errors and warnings the open logs have, soon after some grew and a while later."""
        while True:
            await self._counting.wait()
            self._counting.clear()
            for pause_seconds in COUNTS_PAUSES_SECONDS:
                await asyncio.sleep(pause_seconds)
                try:
                    counts = await in_database(_counts, [*self._watches, *self._unwatched])
                except AWAY_ERRORS:
                    continue
                if counts != self._counts:
                    self._counts = counts
                    self._grown.set()

    async def _rows_of_unwatched(self) -> list[tuple[int, int, int]]:
        """Id, size and lines of the open logs that are not watched; nothing while the database is away."""
        if not self._unwatched:
            return []
        try:
            return await in_database(_rows, self._unwatched)
        except AWAY_ERRORS:
            return []


class WatchBuild(Watching):
    """A viewer of one build."""

    feed = BuildFeed

    async def admit(self) -> None:
        """Look up the build, if the caller may read it."""
        self.number = int(self.scope["url_route"]["kwargs"]["build_id"])
        caller = await identify(self.scope)
        await in_database(access.readable_build, caller, self.number)


def _snapshot(build: Build, steps: list[Step]) -> Message:
    shape = shapes.build_shape(build, steps)
    text = message_text({"type": "snapshot", "version": build.version, **shape})
    return Message(build.version, text, is_snapshot=True)


def _subject(event: str, subject_id: int) -> dict[str, Any]:
    """What an event happened to, as REST shows it."""
    if event.startswith("build"):
        return {"build": shapes.build_head_shape(Build.objects.select_related("builder__project").get(pk=subject_id))}
    if event.startswith("step"):
        step = Step.objects.select_related("build__builder__project").prefetch_related("logs").get(pk=subject_id)
        return {"step": shapes.step_shape(step)}
    log = LogFile.objects.select_related("step__build__builder__project").get(pk=subject_id)
    return {"log": shapes.log_shape(log, shapes.log_end(log)), "step": log.step_id}


def _open_logs(build_id: int) -> dict[int, str]:
    """The keys of the build's logs that may still grow, newest first."""
    logs = LogFile.objects.filter(step__build=build_id, storage_key__isnull=False).exclude(state=LogState.FINISHED)
    return {log.pk: log.key for log in logs.order_by("-pk")}


def _rows(log_ids: list[int]) -> list[tuple[int, int, int]]:
    """Id, size and lines of logs, as the database knows them."""
    return list(LogFile.objects.filter(pk__in=log_ids).values_list("pk", "size", "lines"))


def _counts(log_ids: list[int]) -> dict[int, tuple[int, int]]:
    """Errors and warnings of logs that have any."""
    logs = LogFile.objects.filter(Q(errors__gt=0) | Q(warnings__gt=0), pk__in=log_ids)
    return {log_id: (errors, warnings) for log_id, errors, warnings in logs.values_list("pk", "errors", "warnings")}
