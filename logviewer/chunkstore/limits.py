"""How much of a log is kept: the figures of storage.md, "Limits", and what is left of them at a log's end."""

from typing import NamedTuple

from logviewer.chunkstore.record import RECORD_BYTES
from logviewer.chunkstore.state import State

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Header bytes (channel 2) a log: the build system's own words, which go on when the output's head has ended."""

MIN_INDEX_BYTES = 64 * 1024 * 1024
"""How large any index may become; a larger one ends the head if it is larger than `max_bytes` as well."""

NO_LIMIT = 2**63
"""More room than anything asks for."""


class Limits(NamedTuple):
    """What a project lets a log take.

    `max_bytes`: non-header text kept at the head (Buildbot's logMaxSize), 0 for no limit, on the index neither.
    `max_tail_bytes`: what is kept of the end besides, 0 for nothing. The others are the same for all logs; tests
    make them small.
    """

    max_bytes: int
    max_tail_bytes: int
    max_header_bytes: int = MAX_HEADER_BYTES
    min_index_bytes: int = MIN_INDEX_BYTES

    def hold(self, state: State, size: int, extents: int) -> bool:
        """Say, without looking at them, that `extents` of `size` bytes in all can follow `state` whole."""
        return (
            not state.truncated
            and state.headers + size <= self.max_header_bytes
            and (
                not self.max_bytes
                or (
                    state.head + size <= self.max_bytes and self._index_holds(state.index_size + extents * RECORD_BYTES)
                )
            )
        )

    def head_room(self, state: State) -> int:
        """Return how many more bytes of stdout and stderr the head takes."""
        if state.truncated:
            return 0
        if not self.max_bytes:
            return NO_LIMIT
        return max(0, self.max_bytes - state.head) if self._index_holds(state.index_size) else 0

    def header_room(self, state: State) -> int:
        """Return how many more header bytes the log takes.

        None once some were dropped, so that those kept have one end; none either where one-byte headers have made
        the index twice as large as the head lets it become.
        """
        if state.headers_ended or (self.max_bytes and not self._index_holds(state.index_size // 2)):
            return 0
        return max(0, self.max_header_bytes - state.headers)

    def _index_holds(self, index_size: int) -> bool:
        """Say whether an index of this size leaves the head open."""
        return index_size <= max(self.max_bytes, self.min_index_bytes)


NO_LIMITS = Limits(0, 0)
"""For what is taken in whole, such as an imported log; only the limit on headers holds."""
