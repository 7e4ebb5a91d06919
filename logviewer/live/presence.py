"""Who watches: a writer's agent gathers output for less long while somebody looks at the log.

A hint and nothing more: where it is lost or late, the writer sends every UNWATCHED_FLUSH_MS and viewers wait so long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WATCHED_FLUSH_MS = 20
UNWATCHED_FLUSH_MS = 250
"""How long an agent may gather output before it sends (websocket.md)."""

Listener = Callable[[], None]


class Presence:
    """Which logs somebody watches. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: dict[int, int] = {}
        self._listeners: dict[int, set[Listener]] = {}

    def is_watched(self, log_id: int) -> bool:
        """Whether somebody watches the log, as far as this process knows."""
        return log_id in self._viewers

    def flush_ms(self, log_id: int) -> int:
        """How long the log's writer may gather output before it sends it, in ms."""
        return WATCHED_FLUSH_MS if self.is_watched(log_id) else UNWATCHED_FLUSH_MS

    @contextmanager
    def viewer(self, log_id: int) -> Iterator[None]:
        """Around what a viewer of the log is fed by."""
        with self._lock:
            count = self._viewers[log_id] = self._viewers.get(log_id, 0) + 1
        if count == 1:
            self._tell(log_id)
        try:
            yield
        finally:
            with self._lock:
                self._viewers[log_id] -= 1
                if not self._viewers[log_id]:
                    del self._viewers[log_id]

    def listen(self, log_id: int, listener: Listener) -> None:
        """Call `listener`, from any thread, when somebody begins to watch the log."""
        with self._lock:
            self._listeners.setdefault(log_id, set()).add(listener)

    def unlisten(self, log_id: int, listener: Listener) -> None:
        """Stop calling `listener`."""
        with self._lock:
            listeners = self._listeners.get(log_id, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(log_id, None)

    def _tell(self, log_id: int) -> None:
        with self._lock:
            listeners = tuple(self._listeners.get(log_id, ()))
        for listener in listeners:
            listener()


presence = Presence()
