"""/ws/builds/{id}/: a viewer watches a build: a snapshot, then what changes (websocket.md)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from logviewer.chunkstore import ChunkStoreError
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope, identify
from logviewer.doors.socket import BAD_REQUEST, Refused, Socket
from logviewer.live import Hub, LogWatch
from logviewer.live.database import in_database
from logviewer.live.events import BuildChanged
from logviewer.models import Build, LogFile, LogState, Step
from logviewer.resources import access, shapes

logger = logging.getLogger(__name__)

PROGRESS_INTERVAL_SECONDS = 0.5
SNAPSHOT_INTERVAL_SECONDS = 1.0
"""A snapshot costs some queries, so that one client gets at most one a second."""

GRACE_SECONDS = 0.25
"""How long the event that made a version may be on its way after the version was seen."""

MAX_WAITING_CHANGES = 256
"""Changes that wait for a slow client; beyond them it gets a snapshot instead."""


class WatchBuild(Socket):
    """A viewer of one build. All messages but `progress` carry its version; a jump is mended by a snapshot."""

    build: Build

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._version = 0
        self._changes: asyncio.Queue[tuple[int, BuildChanged | None]] = asyncio.Queue(MAX_WAITING_CHANGES)
        self._snapshot_wanted = asyncio.Event()
        self._snapshot_at = 0.0
        self._watches: dict[int, LogWatch] = {}
        self._told: dict[int, int] = {}
        self._grown = asyncio.Event()

    async def admit(self) -> None:
        """Look up the build, if the caller may read it."""
        build_id = int(self.scope["url_route"]["kwargs"]["build_id"])
        caller = await identify(self.scope)
        self.build = await in_database(access.readable_build, caller, build_id)

    async def work(self) -> None:
        """Join, say how things are, then what changes; meanwhile how open logs grow."""
        hub = Hub.of_loop()
        hub.watch_build(self.build.pk, self._changed)
        progress = asyncio.ensure_future(self._tell_progress())
        try:
            await self._say_snapshot()
            while True:
                await self._say_change(*await self._changes.get())
        finally:
            hub.unwatch_build(self.build.pk, self._changed)
            progress.cancel()
            await asyncio.gather(progress, return_exceptions=True)
            self._unwatch_logs(set(self._watches))

    def take(self, message: dict[str, Any]) -> None:
        """The one thing a viewer may ask for."""
        if message != {"type": "snapshot"}:
            raise Refused(BAD_REQUEST, 'a viewer of a build says {"type":"snapshot"} and nothing else')
        self._ask_for_snapshot()

    def _changed(self, version: int, change: BuildChanged | None) -> None:
        """The hub's call; what does not fit any more is made good by a snapshot."""
        if change is None and version <= self._version:
            return
        try:
            self._changes.put_nowait((version, change))
        except asyncio.QueueFull:
            self._ask_for_snapshot()

    def _ask_for_snapshot(self) -> None:
        """Replace all that waits by one snapshot."""
        while not self._changes.empty():
            self._changes.get_nowait()
        self._snapshot_wanted.set()
        self._changes.put_nowait((0, None))

    async def _say_change(self, version: int, change: BuildChanged | None) -> None:
        """Say what changed if it is the next thing to happen, all there is if something in between is missing."""
        if self._snapshot_wanted.is_set():
            await asyncio.sleep(self._snapshot_at + SNAPSHOT_INTERVAL_SECONDS - asyncio.get_running_loop().time())
            await self._say_snapshot()
        elif version <= self._version:
            return
        elif change is None:
            await asyncio.sleep(GRACE_SECONDS)
            if self._changes.empty():
                await self._say_snapshot()
        elif version != self._version + 1:
            await self._say_snapshot()
        else:
            subject = await in_database(_subject, change, self.build)
            self._version = version
            await self.say({"type": change["event"], "version": version, **subject})
            await self._look_for_open_logs()

    async def _say_snapshot(self) -> None:
        self._snapshot_wanted.clear()
        self._snapshot_at = asyncio.get_running_loop().time()
        version, shape = await in_database(_snapshot, self.build.pk)
        self._version = version
        await self.say({"type": "snapshot", "version": version, **shape})
        await self._look_for_open_logs()

    # Progress of open logs.

    async def _look_for_open_logs(self) -> None:
        """Watch exactly the logs that may still grow."""
        keys = await in_database(_open_logs, self.build.pk)
        self._unwatch_logs(self._watches.keys() - keys.keys())
        for log_id in keys.keys() - self._watches.keys():
            try:
                self._watches[log_id] = await Hub.of_loop().watch(log_id, keys[log_id], self._grown.set)
            except ChunkStoreError:  # its own page says what is wrong with it; the build's other logs go on
                logger.exception("log %s is not watched", log_id)
        self._grown.set()

    def _unwatch_logs(self, log_ids: set[int]) -> None:
        """Watch these logs no more."""
        for log_id in log_ids:
            Hub.of_loop().unwatch(self._watches.pop(log_id), self._grown.set)
            self._told.pop(log_id, None)

    async def _tell_progress(self) -> None:
        """Say sizes and line counts of open logs that grew, at most twice a second."""
        while True:
            await self._grown.wait()
            self._grown.clear()
            logs = [
                {"id": log_id, "size": watch.end.size, "lines": watch.end.lines}
                for log_id, watch in self._watches.items()
                if watch.end.size != self._told.get(log_id, 0)
            ]
            if logs:
                self._told.update((log["id"], log["size"]) for log in logs)
                await self.say({"type": "progress", "logs": logs})
            await asyncio.sleep(PROGRESS_INTERVAL_SECONDS)


def _snapshot(build_id: int) -> tuple[int, shapes.BuildShape]:
    """The build's version and shape. The version is read first: an event that comes in between is then told again."""
    build = Build.objects.select_related("builder__project").get(pk=build_id)
    return build.version, shapes.build_shape(build)


def _subject(change: BuildChanged, build: Build) -> dict[str, Any]:
    """What changed, as REST shows it."""
    if change["event"].startswith("build"):
        return {"build": shapes.build_head_shape(Build.objects.select_related("builder__project").get(pk=build.pk))}
    if change["event"].startswith("step"):
        step = Step.objects.select_related("build__builder__project").prefetch_related("logs").get(pk=change["subject"])
        return {"step": shapes.step_shape(step)}
    log = LogFile.objects.select_related("step__build__builder__project").get(pk=change["subject"])
    return {"log": shapes.log_shape(log, shapes.log_end(log)), "step": log.step_id}


def _open_logs(build_id: int) -> dict[int, str]:
    """The build's logs that may still grow."""
    logs = LogFile.objects.filter(step__build=build_id, storage_key__isnull=False).exclude(state=LogState.FINISHED)
    return {log.pk: log.key for log in logs}
