"""What all who watch one build or project in this process are told: made once, and handed to each of them.

A hundred viewers of a build with two thousand steps cost the database one query an event, not a hundred. A viewer that
is slow holds nothing but what fits its own queue; what does not fit is made good by a snapshot.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from logviewer.live import Hub
from logviewer.live.database import in_database
from logviewer.live.events import Changed, Noun
from logviewer.live.threads import in_reading_thread

MAX_WAITING_CHANGES = 256
"""Changes that wait to be told; beyond them there is a snapshot instead."""

MAX_WAITING_BYTES = 256 * 1024
"""Messages that wait for one slow viewer, in characters of JSON."""

SNAPSHOT_INTERVAL_SECONDS = 1.0
"""A snapshot costs some queries: one client, and one feed that has missed something, gets at most one a second."""

GRACE_SECONDS = 0.25
"""How long the event that made a version may be on its way after the version was seen."""


class Message(NamedTuple):
    """What is said: the version that it brings its reader to (None for progress, which brings to none), and its JSON.

    A snapshot brings there from anywhere, an event from the version before.
    """

    version: int | None
    text: str
    is_snapshot: bool = False


def message_text(message: Mapping[str, Any]) -> str:
    """The message as JSON."""
    return json.dumps(message, separators=(",", ":"))


class Seat:
    """One viewer's place in a feed: what waits for it."""

    def __init__(self) -> None:
        self.snapshot_wanted = True
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self._failure: Exception | None = None

    def put(self, message: Message) -> None:
        """Leave a message, unless a snapshot will tell it anyway."""
        if self.snapshot_wanted:
            return
        self._waiting.append(message)
        self._waiting_bytes += len(message.text)
        if self._waiting_bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
            self.want_snapshot()
        self._filled.set()

    def want_snapshot(self) -> None:
        """Let a snapshot take the place of all that waits."""
        self.snapshot_wanted = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._filled.set()

    def fail(self, failure: Exception) -> None:
        """Have `next` raise: nothing more will come."""
        self._failure = failure
        self._filled.set()

    async def next(self) -> Message | None:
        """The next message; None where a snapshot is wanted instead."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self.snapshot_wanted:
                return None
            if self._waiting:
                message = self._waiting.popleft()
                self._waiting_bytes -= len(message.text)
                return message
            self._filled.clear()
            await self._filled.wait()


class Feed(ABC):
    """Follows one noun while somebody in this process watches it. Lives on the event loop's thread."""

    def __init__(self, hub: Hub, noun: Noun) -> None:
        self.hub = hub
        self.noun = noun
        self.seats: set[Seat] = set()
        self._version = 0
        self._changes: deque[tuple[int, Changed | None]] = deque()
        self._changed_more = asyncio.Event()
        self._next_snapshot: asyncio.Task[Message] | None = None
        self._reading = asyncio.Lock()
        self._resynced_at = 0.0
        self._failure: Exception | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # For subclasses.

    @abstractmethod
    def read_snapshot(self) -> Callable[[], Message]:
        """Fetch all there is, with the version, which is read first: what comes in between is then told again.

        Called on the thread that has the database, which others wait for. What it returns makes a message of that, on
        another thread, and asks the database nothing. Raises ObjectDoesNotExist.
        """

    @abstractmethod
    def read_change(self, version: int, change: Changed) -> Message | None:
        """The event; None where only a snapshot says it. Called on the thread that has the database."""

    @abstractmethod
    async def follow(self, change: Changed | None) -> None:
        """Called after `change` was told, None for all there is: a subclass may have to look at something."""

    # For sockets.

    @classmethod
    def join(cls, number: int, seat: Seat) -> Self:
        """Bring a seat to the feed of the noun of that id; `leave` takes it away."""
        hub = Hub.of_loop()
        feed = _feeds.get((hub, cls, number))
        if not isinstance(feed, cls):
            feed = _feeds[hub, cls, number] = cls(hub, cls.noun_of(number))
            hub.watch_noun(feed.noun, feed._changed)
            feed.spawn(feed._run())
        feed.seats.add(seat)
        return feed

    @staticmethod
    @abstractmethod
    def noun_of(number: int) -> Noun:
        """The noun of that id."""

    def leave(self, seat: Seat) -> None:
        """Take a seat away; with the last one the feed ends."""
        self.seats.discard(seat)
        if not self.seats:
            self.stop()

    async def snapshot(self) -> Message:
        """All there is, not older than this call; read once for all who ask before the reading begins."""
        if self._next_snapshot is None:
            self._next_snapshot = self.spawn(self._read_snapshot())
        try:
            return await asyncio.shield(self._next_snapshot)
        except asyncio.CancelledError:
            if self._failure is not None:  # the feed ended, nobody cancelled the caller
                raise self._failure from None
            raise

    # Inside.

    def stop(self) -> None:
        """End; those who still sit here were told why before."""
        self.hub.unwatch_noun(self.noun, self._changed)
        if _feeds.get((self.hub, type(self), self.noun[1])) is self:
            del _feeds[self.hub, type(self), self.noun[1]]
        for task in self._tasks:
            task.cancel()

    def spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        """Run a task that ends with the feed."""
        task: asyncio.Task[Any] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def tell(self, message: Message) -> None:
        """Leave a message with everybody."""
        for seat in self.seats:
            seat.put(message)

    def fail(self, error: Exception) -> None:
        """Tell everybody that the feed cannot go on; the next one who comes gets another."""
        self._failure = self._failure or error
        for seat in self.seats:
            seat.fail(error)
        self.stop()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.fail(error)

    def _changed(self, version: int | None, change: Changed | None) -> None:
        """The hub's call; what does not fit any more is made good once a second by the version."""
        if version is None:
            self.fail(Deleted())
        elif (version > self._version or not self._version) and len(self._changes) < MAX_WAITING_CHANGES:
            self._changes.append((version, change))
            self._changed_more.set()

    async def _run(self) -> None:
        """Tell changes in order, for ever."""
        first = await self.snapshot()
        self._version = first.version or 0
        await self.follow(None)
        while True:
            version, change = await self._next_change()
            if version <= self._version or (change is None and await self._is_announced_soon()):
                continue
            if change is None or version != self._version + 1 or not await self._tell_change(version, change):
                await self._resync()

    async def _next_change(self) -> tuple[int, Changed | None]:
        while not self._changes:
            self._changed_more.clear()
            await self._changed_more.wait()
        return self._changes.popleft()

    async def _is_announced_soon(self) -> bool:
        """Whether the event whose version was seen, or another one, comes within the grace."""
        await asyncio.sleep(GRACE_SECONDS)
        while self._changes and self._changes[0][1] is None:
            self._changes.popleft()
        return bool(self._changes)

    async def _tell_change(self, version: int, change: Changed) -> bool:
        """Tell an event; False where only a snapshot says it."""
        message = await in_database(self.read_change, version, change)
        if message is None:
            return False
        self._version = version
        self.tell(message)
        await self.follow(change)
        return True

    async def _resync(self) -> None:
        """Tell everybody all there is."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._resynced_at + SNAPSHOT_INTERVAL_SECONDS - loop.time())
        self._resynced_at = loop.time()
        message = await self.snapshot()
        self._version = message.version or 0
        self.tell(message)
        await self.follow(None)

    async def _read_snapshot(self) -> Message:
        async with self._reading:
            self._next_snapshot = None
            return await in_reading_thread(await in_database(self.read_snapshot))


class Deleted(Exception):
    """What was watched does not exist any more."""


_feeds: dict[tuple[Hub, type[Feed], int], Feed] = {}
