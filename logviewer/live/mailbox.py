"""What waits for a thread of its own: the newest only under each key, so that it is bounded by the number of keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Mailbox(Generic[Key, Item]):
    """Hands what many threads put to one daemon thread, which the first `put` starts.

    Args:
        name: the thread's name.
        run: what the thread does; it calls `take` for ever.
        max_waiting: keys; what comes under a further one is dropped.
    """

    def __init__(self, name: str, run: Callable[[], None], max_waiting: int) -> None:
        self._name = name
        self._run = run
        self._max_waiting = max_waiting
        self._waiting: dict[Key, Item] = {}
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._handled = threading.Condition(self._lock)
        self._at_work = False
        self._thread: threading.Thread | None = None

    def put(self, key: Key, item: Item) -> bool:
        """Leave `item`, in place of what still waits under `key`; False where it was dropped. Never waits."""
        with self._lock:
            if len(self._waiting) >= self._max_waiting and key not in self._waiting:
                return False
            self._waiting[key] = item
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._filled.set()
        return True

    def take(self) -> dict[Key, Item]:
        """Wait until something is there, and take all of it; what was taken before is dealt with then."""
        with self._lock:
            self._at_work = False
            self._handled.notify_all()
        self._filled.wait()
        self._filled.clear()
        with self._lock:
            taken, self._waiting = self._waiting, {}
            self._at_work = True
        return taken

    def settle(self, seconds: float) -> bool:
        """Wait until nothing waits any more and what was taken is dealt with; False where that takes longer."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while self._waiting or self._at_work:
                if not self._handled.wait(max(0.0, deadline - time.monotonic())):
                    return False
        return True

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def put_back(self, items: dict[Key, Item]) -> None:
        """Leave again what was taken, where nothing newer has come."""
        with self._lock:
            self._waiting = {**items, **self._waiting}
        self._filled.set()
