"""One append, made ready in memory: the bytes of text and index, and the state they lead to."""

from collections.abc import Iterable

from logviewer.chunkstore.extents import Extent
from logviewer.chunkstore.record import Flags, pack_record
from logviewer.chunkstore.state import State
from logviewer.chunkstore.wire import Channel


class Batch:
    """Text and records that follow `state`; `state` moves with each thing added."""

    def __init__(self, state: State) -> None:
        self.before = state
        self.state = state
        self.text: list[bytes] = []
        self.records: list[bytes] = []

    def add_payload(self, data: bytes, extents: Iterable[Extent]) -> None:
        """Add a body's bytes, of which the extents say whose they are."""
        count, size, newlines, _open, received, omitted, finished, time_us, last = self.state
        base, received_ahead, append, find_newlines = size, received - size, self.records.append, data.count
        view = memoryview(data)
        for start, end, channel, time_us in extents:
            size = base + end
            last = pack_record(base + start, newlines, size + received_ahead, time_us, channel, 0, view[start:end])
            append(last)
            newlines += find_newlines(b"\n", start, end)
            count += 1
        if data:
            self.text.append(data)
            open_line = not data.endswith(b"\n")
            received = size + received_ahead
            self.state = State(count, size, newlines, open_line, received, omitted, finished, time_us, last)

    def add_lost_notice(self, lost: int, time_us: int) -> None:
        """Add the server's own words for `lost` bytes that the writer had to drop."""
        notice = b"\n%d byte%s of output %s lost by the build machine here\n" % (
            (lost, b"", b"was") if lost == 1 else (lost, b"s", b"were")
        )
        self.text.append(notice)
        self._add(notice, Flags.NOTICE | Flags.DROPPED, time_us, lost)

    def add_end(self, time_us: int) -> None:
        """Add the end record."""
        self._add(b"", Flags.END, time_us, 0)

    def _add(self, extent: bytes, flags: Flags, time_us: int, dropped: int) -> None:
        """Add one record of the server's own, and count what it stands for."""
        state = self.state
        received = state.received + dropped
        packed = pack_record(state.size, state.newlines, received, time_us, Channel.HEADER, flags, extent)
        self.records.append(packed)
        self.state = State(
            state.records + 1,
            state.size + len(extent),
            state.newlines + extent.count(b"\n"),
            not extent.endswith(b"\n") if extent else state.open_line,
            received,
            state.omitted + dropped,
            bool(flags & Flags.END),
            time_us,
            packed,
        )
