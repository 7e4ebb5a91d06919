"""What was found in finished logs lately, so that the next page of hits costs no second search."""

from array import array
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from logviewer.insight.query import Query

MAX_BYTES = 16 * 1024 * 1024
"""Of line numbers, in all: twenty searches with the most hits that are counted, or thousands of ordinary ones."""

ENTRY_BYTES = 1024
"""What an entry takes besides its line numbers, about: key and query."""


class FoundLines(NamedTuple):
    """Numbers of the lines found, in order; `rest` is the first line that was not looked at, None at the log's end."""

    numbers: "array[int]"
    rest: int | None


Name = tuple[str, str, Query]
"""Key and SHA-256 of a log's text, and what was searched for."""


class Remembered:
    """The results used last, at most `max_bytes` of them. Safe for threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._found: OrderedDict[Name, FoundLines] = OrderedDict()
        self._lock = Lock()

    def get(self, name: Name) -> FoundLines | None:
        """Return what was found, or None where it is not known any more."""
        with self._lock:
            found = self._found.get(name)
            if found is not None:
                self._found.move_to_end(name)
            return found

    def put(self, name: Name, found: FoundLines) -> None:
        """Keep it; what was not used for longest goes."""
        with self._lock:
            self._drop(name)
            self._found[name] = found
            self._bytes += _size(found)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._found)))

    def _drop(self, name: Name) -> None:
        found = self._found.pop(name, None)
        if found is not None:
            self._bytes -= _size(found)


def _size(found: FoundLines) -> int:
    return len(found.numbers) * found.numbers.itemsize + ENTRY_BYTES
