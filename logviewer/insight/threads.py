"""Searches run on threads of their own, few at once, so that they never keep others from reading."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Generic, TypeVar

from logviewer.insight.errors import TooManySearches

SEARCHING_THREADS = 2
"""Each takes a core while it runs."""

MAX_WAITING_SEARCHES = 32

Result = TypeVar("Result")


class RunningSearch(Generic[Result]):
    """A search under way or waiting for its turn."""

    def __init__(self, future: "Future[Result]", cancelled: Event) -> None:
        self.future = future
        self._cancelled = cancelled

    def cancel(self) -> None:
        """Call it off: it is not begun, or ends at its next block. Without effect where it has ended."""
        self._cancelled.set()
        self.future.cancel()


class SearchThreads:
    """Runs searches in the order in which they come."""

    def __init__(self, threads: int = SEARCHING_THREADS, waiting: int = MAX_WAITING_SEARCHES) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search-log")
        self._free = threads + waiting
        self._lock = Lock()

    def start(self, search: Callable[[Callable[[], bool]], Result]) -> RunningSearch[Result]:
        """Have `search(cancelled)` called on a thread. Raises TooManySearches."""
        with self._lock:
            if not self._free:
                raise TooManySearches
            self._free -= 1
        cancelled = Event()
        future = self._pool.submit(search, cancelled.is_set)
        future.add_done_callback(self._ended)
        return RunningSearch(future, cancelled)

    def _ended(self, _future: "Future[Result]") -> None:
        with self._lock:
            self._free += 1


search_threads = SearchThreads()
"""The process's."""
