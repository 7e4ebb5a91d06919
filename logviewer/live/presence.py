"""Who watches: a writer's agent gathers output for less long while somebody looks at the log.

A hint and nothing more: where it is lost or late, the writer sends every UNWATCHED_FLUSH_MS and viewers wait so long.
In one process viewers and writers meet here. Beyond it each process that has viewers tells those that have writers,
all in one Channels group, which logs are watched: at once when one more is, and every RENEWAL_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from channels.layers import get_channel_layer

from logviewer.live import announce
from logviewer.live.events import WRITERS_GROUP

logger = logging.getLogger(__name__)

WATCHED_FLUSH_MS = 20
UNWATCHED_FLUSH_MS = 250
"""How long an agent may gather output before it sends (websocket.md)."""

RENEWAL_SECONDS = 3.0
EXPIRY_SECONDS = 10.0
"""What another process said is forgotten then: it has been killed, or the layer is away."""

GATHERING_SECONDS = 0.05
"""How long the news is gathered that more logs are watched: a thousand viewers come at once, too."""

MAX_TOLD_LOGS = 10_000
"""Logs in one message; writers of those beyond go on as if nobody watched."""

JOIN_TIMEOUT_SECONDS = 2.0

Listener = Callable[[], None]


class _Elsewhere(NamedTuple):
    """What another process has said: which logs are watched there, and until when that holds (monotonic)."""

    logs: frozenset[int]
    expires_at: float


class Presence:
    """Which logs somebody watches. Viewers and writers belong to an event loop; `flush_ms` may be asked anywhere."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._viewers: dict[int, int] = {}
        self._elsewhere: dict[str, _Elsewhere] = {}
        self._listeners: dict[int, set[Listener]] = {}
        self._writers = 0
        self._listening: asyncio.Task[None] | None = None
        self._renewal: asyncio.TimerHandle | None = None

    def is_watched(self, log_id: int) -> bool:
        """Whether somebody watches the log, as far as this process knows."""
        if log_id in self._viewers:
            return True
        now = time.monotonic()
        return any(log_id in said.logs and said.expires_at > now for said in tuple(self._elsewhere.values()))

    def flush_ms(self, log_id: int) -> int:
        """How long the log's writer may gather output before it sends it, in ms."""
        return WATCHED_FLUSH_MS if self.is_watched(log_id) else UNWATCHED_FLUSH_MS

    # Viewers.

    @contextmanager
    def viewer(self, log_id: int) -> Iterator[None]:
        """Around what feeds a viewer of the log."""
        with self._lock:
            count = self._viewers[log_id] = self._viewers.get(log_id, 0) + 1
        if count == 1:
            self._call_listeners([log_id])
            if announce.distributed():
                self._renew_in(GATHERING_SECONDS)
        try:
            yield
        finally:
            with self._lock:
                self._viewers[log_id] -= 1
                if not self._viewers[log_id]:
                    del self._viewers[log_id]

    def _renew_in(self, seconds: float) -> None:
        """Tell other processes which logs are watched here, so long from now, or sooner if that is planned already."""
        loop = asyncio.get_running_loop()
        renewal = self._renewal
        if renewal is not None and renewal.when() <= loop.time() + seconds:
            return
        if renewal is not None:
            renewal.cancel()
        self._renewal = loop.call_later(seconds, self._renew)

    def _renew(self) -> None:
        """Tell which logs are watched; the last time that none is any more."""
        self._renewal = None
        logs = list(self._viewers)[:MAX_TOLD_LOGS]
        announce.logs_watched(self._process, logs)
        if logs:
            self._renew_in(RENEWAL_SECONDS)

    # Writers.

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Around a writer's socket: while there is one, this process hears what others say of their viewers."""
        self._writers += 1
        if self._listening is None or self._listening.done():
            self._listening = asyncio.get_running_loop().create_task(self._listen_forever())
        try:
            yield
        finally:
            self._writers -= 1
            if not self._writers and self._listening is not None:
                self._listening.cancel()
                self._listening = None

    def listen(self, log_id: int, listener: Listener) -> None:
        """Call `listener` when somebody begins to watch the log, on the loop of whoever finds it out."""
        with self._lock:
            self._listeners.setdefault(log_id, set()).add(listener)

    def unlisten(self, log_id: int, listener: Listener) -> None:
        """Stop calling `listener`."""
        with self._lock:
            listeners = self._listeners.get(log_id, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(log_id, None)

    def _call_listeners(self, log_ids: Sequence[int]) -> None:
        with self._lock:
            listeners = [listener for log_id in log_ids for listener in self._listeners.get(log_id, ())]
        for listener in listeners:
            listener()

    async def _listen_forever(self) -> None:
        """Hear from other processes which logs are watched there."""
        said = False
        while announce.distributed():
            layer: Any = get_channel_layer()
            try:
                async with asyncio.timeout(JOIN_TIMEOUT_SECONDS):
                    channel = await layer.new_channel()
                    await layer.group_add(WRITERS_GROUP, channel)
                said = False
                while True:
                    message = await layer.receive(channel)
                    self._hear(message["process"], message["logs"])
            except Exception as error:
                if not said:
                    logger.warning("who watches is not heard (%s): agents gather for longer; trying again", error)
                said = True
                await asyncio.sleep(RENEWAL_SECONDS)

    def _hear(self, process: str, logs: Sequence[int]) -> None:
        """Take note of what another process says."""
        if process == self._process:
            return
        now = time.monotonic()
        self._elsewhere = {name: said for name, said in self._elsewhere.items() if said.expires_at > now}
        known = self._elsewhere.get(process)
        news = [log_id for log_id in logs if known is None or log_id not in known.logs]
        self._elsewhere[process] = _Elsewhere(frozenset(logs), now + EXPIRY_SECONDS)
        self._call_listeners(news)


presence = Presence()
