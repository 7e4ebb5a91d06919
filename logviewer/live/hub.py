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
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from logviewer.live.database import AWAY_ERRORS, in_database
from logviewer.live.events import Changed, Noun, log_group, noun_group
from logviewer.live.flushing import Flusher
from logviewer.live.store import open_reader
from logviewer.live.threads import opened_in_reading_thread
from logviewer.live.versions import Listener, WatchedNouns, look_up_versions
from logviewer.live.voided import Follower, tell_of_rows
from logviewer.live.watch import LogWatch

logger = logging.getLogger(__name__)

LOOK_INTERVAL_SECONDS = 1.0
"""How often the hub looks at the store by itself."""

GROUP_TIMEOUT_SECONDS = 2.0
LOOKS_BEFORE_YIELD = 50


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
_hubs_lock = threading.Lock()


class Hub:
    """The logs, builds and projects watched on one event loop. All but `of_loop` belongs to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._flusher = Flusher(loop)
        self._watches: dict[int, LogWatch] = {}
        self._nouns = WatchedNouns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looker: asyncio.Task[None] | None = None
        self._version_look: asyncio.Task[None] | None = None
        self._layer_listener: asyncio.Task[None] | None = None
        self._channel: str | None = None
        self._layer_away = False
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

    def watches(self, log_id: int) -> bool:
        """Whether somebody watches the log here; may be asked from any thread."""
        return log_id in self._watches

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
            reader = await opened_in_reading_thread(open_reader, key)
            watch = self._watches.get(log_id)
            if watch is None:
                watch = LogWatch(log_id, key, reader)
                self._watches[log_id] = watch
                watch.refresh()  # from here on announcements are heard
                self._start()
                self._spawn(self._join_group(watch))
                watch.listen(listener)
                return watch
            reader.close()  # another viewer was faster
        watch.refresh()
        watch.let_go_of_a_finished_log()
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

    def watch_noun(self, noun: Noun, listener: Listener) -> None:
        """Call `listener` with each change of a build or project; a lost one is noticed by the version in a second."""
        if self._nouns.add(noun, listener):
            self._start()
            self._spawn(self._join_noun_group(noun))

    def unwatch_noun(self, noun: Noun, listener: Listener) -> None:
        """Leave a build or project."""
        if self._nouns.discard(noun, listener):
            self._spawn(self._leave_group(noun_group(noun)))

    def wake(self, log_id: int) -> None:
        """The log's end may have moved: tell its viewers soon, as `flush_interval` says."""
        watch = self._watches.get(log_id)
        if watch is not None:
            self._flusher.want(watch.viewers)
            self._flusher.want(watch.resting)

    def changed(self, message: Changed) -> None:
        """Tell those who watch the build or project."""
        self._nouns.changed(message)

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
        while self._watches or self._nouns:
            await asyncio.sleep(LOOK_INTERVAL_SECONDS)
            asked_layer = False
            for count, watch in enumerate(tuple(self._watches.values())):
                if count % LOOKS_BEFORE_YIELD == LOOKS_BEFORE_YIELD - 1:
                    await asyncio.sleep(0)
                if self._watches.get(watch.log_id) is not watch:
                    continue
                if watch.is_idle():  # else somebody is about to look
                    before = watch.end
                    self.gap_fills += watch.refresh() != before
                self._flush(watch)
                watch.tidy()
                if self._distributed() and not watch.joined_group and not asked_layer:
                    asked_layer = self._layer_away  # then one a second asks, for all of them
                    self._spawn(self._join_group(watch))
            if self._version_look is None or self._version_look.done():  # a database that hangs must not hold up this
                self._version_look = self._spawn(self._look_at_versions())
        self._looker = None

    async def _look_at_versions(self) -> None:
        """Tell those who watch builds and projects which versions they have now, and who follows finished logs."""
        await tell_of_rows(tuple(self.followers))
        nouns = self._nouns.nouns()
        if not nouns:
            return
        if self._distributed():
            for noun in self._nouns.outside_their_group():
                self._spawn(self._join_noun_group(noun))
        try:
            versions = await in_database(look_up_versions, nouns)
        except AWAY_ERRORS:  # its being away is in the log already
            return
        except Exception:
            logger.exception("builds cannot be looked at")
            return
        self._nouns.tell_versions(nouns, versions)

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

    async def _join_noun_group(self, noun: Noun) -> None:
        joined = await self._group_add(noun_group(noun))
        watched = self._nouns.get(noun)
        if watched is not None:
            watched.joined_group = joined
        elif joined:  # left meanwhile, when there was nothing to leave yet
            await self._leave_group(noun_group(noun))

    async def _group_add(self, group: str) -> bool:
        if not self._distributed():
            return False
        layer: Any = get_channel_layer()
        try:
            channel = await self._own_channel()
            async with asyncio.timeout(GROUP_TIMEOUT_SECONDS):
                await layer.group_add(group, channel)
        except Exception as error:
            if not self._layer_away:
                told = " ".join(str(error).split()) or type(error).__name__
                logger.warning("cannot join group %s (%s): looking at the store once a second instead", group, told)
            self._layer_away = True
            return False
        self._layer_away = False
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
        if kind == "log":
            return int(number) in self._watches
        return ("build" if kind == "build" else "project", int(number)) in self._nouns

    async def _listen_forever(self) -> None:
        """Take announcements of other processes from this hub's one channel."""
        layer: Any = get_channel_layer()
        while True:
            try:
                message = await layer.receive(await self._own_channel())
                if message["type"] == "log.chunk":
                    self.wake(message["log"])
                elif message["type"] in ("build.changed", "project.changed"):
                    self.changed(message)
            except Exception:
                logger.exception("the channel layer does not answer; trying again")
                await asyncio.sleep(LOOK_INTERVAL_SECONDS)


def all_hubs() -> list[Hub]:
    """All hubs of this process; what is theirs may be read, on their loop's thread only."""
    with _hubs_lock:
        return list(_hubs.values())


def wake_everywhere(log_id: int) -> None:
    """Wake the log's viewers in all hubs of this process, from any thread; no loop is woken where there are none."""
    _call_everywhere(lambda hub: hub.wake(log_id), lambda hub: hub.watches(log_id))


def changed_everywhere(message: Changed) -> None:
    """Tell all hubs of this process that a build or project changed, from any thread."""
    _call_everywhere(lambda hub: hub.changed(message))


def _call_everywhere(call: Callable[[Hub], None], concerns: Callable[[Hub], bool] = lambda _hub: True) -> None:
    with _hubs_lock:
        hubs = list(_hubs.items())
    for loop, hub in hubs:
        if not concerns(hub):
            continue
        try:
            loop.call_soon_threadsafe(call, hub)
        except RuntimeError:  # the loop is closed: nobody watches there any more
            continue
