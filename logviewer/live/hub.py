"""The hub: one object an event loop that knows which logs and builds are watched here, and wakes those who watch.

For each watched log it holds one membership in the log's Channels group, however many viewers there are: measured, the
in-memory layer falls to 27 `group_send` a second at 500 members. How often viewers are woken: flushing.py.
It looks at the store once a second by itself, so an announcement that was lost costs a second, never a line.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from channels.layers import InMemoryChannelLayer, get_channel_layer

from logviewer.live.database import in_database
from logviewer.live.events import BuildChanged, build_group, log_group
from logviewer.live.flushing import Flusher
from logviewer.live.store import open_reader
from logviewer.live.threads import in_reading_thread
from logviewer.live.watch import LogWatch
from logviewer.models import Build

logger = logging.getLogger(__name__)

LOOK_INTERVAL_SECONDS = 1.0
"""How often the hub looks at the store by itself."""

GROUP_TIMEOUT_SECONDS = 2.0
LOOKS_BEFORE_YIELD = 50

BuildListener = Callable[[int, BuildChanged | None], None]
"""Called with the build's version, and with what made it so where that is known."""


class Follower(Protocol):
    """Whoever feeds one viewer of a log."""

    @property
    def bytes_behind(self) -> int:
        """Bytes of text that are stored and not yet written to the viewer."""


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
_hubs_lock = threading.Lock()


class Hub:
    """The watched logs and builds of one event loop. All methods but `of_loop` belong to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._flusher = Flusher(loop)
        self._watches: dict[int, LogWatch] = {}
        self._builds: dict[int, set[BuildListener]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looker: asyncio.Task[None] | None = None
        self._layer_listener: asyncio.Task[None] | None = None
        self._channel: str | None = None
        self.gap_fills = 0
        self.followers: set[Follower] = set()

    @classmethod
    def of_loop(cls) -> Hub:
        """The running loop's hub; made on first use."""
        loop = asyncio.get_running_loop()
        with _hubs_lock:
            hub = _hubs.get(loop)
            if hub is None:
                for closed in [other for other in _hubs if other.is_closed()]:
                    del _hubs[closed]
                hub = _hubs[loop] = cls(loop)
            return hub

    @property
    def watched_logs(self) -> int:
        """How many logs somebody watches here."""
        return len(self._watches)

    async def watch(self, log_id: int, key: str, listener: Callable[[], None]) -> LogWatch:
        """Join: when it returns, `listener` is called whenever the log's end may have moved.

        The log is opened on a thread, for it may lie in another store. What is written meanwhile is not missed: the
        watch looks at the end once more, here on the loop, before anyone reads.

        Raises:
            NoSuchLog: the store has no log under `key`.
            ArchiveAway: it lies in another store, which does not answer.
        """
        watch = self._watches.get(log_id)
        if watch is None:
            reader = await in_reading_thread(open_reader, key)
            watch = self._watches.get(log_id)
            if watch is None:
                watch = LogWatch(log_id, key, reader)
                self._watches[log_id] = watch
                self._start()
                self._spawn(self._join_group(watch))
                watch.listen(listener)
                return watch
            reader.close()  # another viewer was faster
        watch.refresh()
        self._flush(watch)
        watch.listen(listener)
        return watch

    def unwatch(self, watch: LogWatch, listener: Callable[[], None]) -> None:
        """Leave; with the last viewer the watch goes as well."""
        watch.unlisten(listener)
        if not watch.watched and self._watches.get(watch.log_id) is watch:
            del self._watches[watch.log_id]
            watch.close()
            if watch.joined_group:
                self._spawn(self._leave_group(log_group(watch.log_id)))

    def watch_build(self, build_id: int, listener: BuildListener) -> None:
        """Call `listener` with each change of the build; lost ones are noticed by its version once a second."""
        listeners = self._builds.get(build_id)
        if listeners is None:
            listeners = self._builds[build_id] = set()
            self._start()
            self._spawn(self._join_build_group(build_id))
        listeners.add(listener)

    def unwatch_build(self, build_id: int, listener: BuildListener) -> None:
        """Leave a build."""
        listeners = self._builds.get(build_id)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._builds[build_id]
            self._spawn(self._leave_group(build_group(build_id)))

    def wake(self, log_id: int) -> None:
        """The log's end may have moved: tell its viewers soon, as `flush_interval` says."""
        watch = self._watches.get(log_id)
        if watch is not None:
            self._flusher.want(watch.viewers)
            self._flusher.want(watch.resting)

    def build_changed(self, message: BuildChanged) -> None:
        """Tell those who watch the build."""
        for listener in tuple(self._builds.get(message["build"], ())):
            listener(message["version"], message)

    def _flush(self, watch: LogWatch) -> None:
        """Tell those who do not know yet where the log ends."""
        for audience in (watch.viewers, watch.resting):
            if audience.told != watch.end:
                self._flusher.want(audience)

    # The look at the store, and the channel layer.

    def _start(self) -> None:
        """Start what runs while anything is watched."""
        if self._looker is None or self._looker.done():
            self._looker = self._spawn(self._look_forever())
        if self._distributed() and (self._layer_listener is None or self._layer_listener.done()):
            self._layer_listener = self._spawn(self._listen_forever())

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look_forever(self) -> None:
        """Look at all that is watched once a second, until nothing is."""
        while self._watches or self._builds:
            await asyncio.sleep(LOOK_INTERVAL_SECONDS)
            for count, watch in enumerate(tuple(self._watches.values())):
                if count % LOOKS_BEFORE_YIELD == LOOKS_BEFORE_YIELD - 1:
                    await asyncio.sleep(0)
                if self._watches.get(watch.log_id) is not watch:
                    continue
                if watch.viewers.is_idle():  # else somebody is about to look
                    before = watch.end
                    self.gap_fills += watch.refresh() != before
                self._flush(watch)
                watch.tidy()
                if self._distributed() and not watch.joined_group:
                    self._spawn(self._join_group(watch))
            await self._look_at_builds()
        self._looker = None

    async def _look_at_builds(self) -> None:
        """Tell those who watch builds which versions they have now, in one query."""
        if not self._builds:
            return
        try:
            versions = await in_database(_versions, list(self._builds))
        except Exception:
            logger.exception("builds cannot be looked at")
            return
        for build_id, version in versions:
            for listener in tuple(self._builds.get(build_id, ())):
                listener(version, None)

    @staticmethod
    def _distributed() -> bool:
        """Whether other processes may announce something: in one process intake wakes the hub directly."""
        layer = get_channel_layer()
        return layer is not None and not isinstance(layer, InMemoryChannelLayer)

    async def _own_channel(self) -> str:
        if self._channel is None:
            layer: Any = get_channel_layer()
            async with asyncio.timeout(GROUP_TIMEOUT_SECONDS):
                channel = await layer.new_channel()
            self._channel = self._channel or channel
        return self._channel

    async def _join_group(self, watch: LogWatch) -> None:
        joined = await self._group_add(log_group(watch.log_id))
        if self._watches.get(watch.log_id) is watch:
            watch.joined_group = joined
        elif joined:
            await self._leave_group(log_group(watch.log_id))

    async def _join_build_group(self, build_id: int) -> None:
        joined = await self._group_add(build_group(build_id))
        if joined and build_id not in self._builds:  # left meanwhile, when there was nothing to leave yet
            await self._leave_group(build_group(build_id))

    async def _group_add(self, group: str) -> bool:
        if not self._distributed():
            return False
        layer: Any = get_channel_layer()
        try:
            channel = await self._own_channel()
            async with asyncio.timeout(GROUP_TIMEOUT_SECONDS):
                await layer.group_add(group, channel)
        except Exception as error:
            logger.warning("cannot join group %s (%s): looking at the store once a second instead", group, error)
            return False
        return True

    async def _leave_group(self, group: str) -> None:
        if not self._distributed() or self._channel is None or self._wanted(group):
            return
        layer: Any = get_channel_layer()
        try:
            async with asyncio.timeout(GROUP_TIMEOUT_SECONDS):
                await layer.group_discard(group, self._channel)
        except Exception as error:
            logger.warning("cannot leave group %s: %s", group, error)

    def _wanted(self, group: str) -> bool:
        """Whether somebody came back while leaving the group was under way."""
        kind, _, number = group.partition(".")
        return int(number) in (self._watches if kind == "log" else self._builds)

    async def _listen_forever(self) -> None:
        """Take announcements of other processes from this hub's one channel."""
        layer: Any = get_channel_layer()
        while True:
            try:
                message = await layer.receive(await self._own_channel())
                if message["type"] == "log.chunk":
                    self.wake(message["log"])
                elif message["type"] == "build.changed":
                    self.build_changed(message)
            except Exception:
                logger.exception("the channel layer does not answer; trying again")
                await asyncio.sleep(LOOK_INTERVAL_SECONDS)


def all_hubs() -> list[Hub]:
    """All hubs of this process; what is theirs may be read, on their loop's thread only."""
    with _hubs_lock:
        return list(_hubs.values())


def _versions(build_ids: list[int]) -> list[tuple[int, int]]:
    """Each build's version; builds that were deleted are left out."""
    return list(Build.objects.filter(pk__in=build_ids).values_list("pk", "version"))


def wake_everywhere(log_id: int) -> None:
    """Wake the log's viewers in all hubs of this process, from any thread."""
    _call_everywhere(lambda hub: hub.wake(log_id))


def build_changed_everywhere(message: BuildChanged) -> None:
    """Tell all hubs of this process that a build changed, from any thread."""
    _call_everywhere(lambda hub: hub.build_changed(message))


def _call_everywhere(call: Callable[[Hub], None]) -> None:
    with _hubs_lock:
        hubs = list(_hubs.items())
    for loop, hub in hubs:
        try:
            loop.call_soon_threadsafe(call, hub)
        except RuntimeError:  # the loop is closed: nobody watches there any more
            continue
