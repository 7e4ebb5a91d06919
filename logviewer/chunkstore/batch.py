"""One append, made ready in memory: the bytes of text, tail and index, and the state they lead to."""

from collections.abc import Iterable, Sequence

from logviewer.chunkstore.extents import Extent
from logviewer.chunkstore.limits import NO_LIMITS, Limits
from logviewer.chunkstore.record import Flags, pack_record
from logviewer.chunkstore.state import State, advance
from logviewer.chunkstore.tail import TailExtent
from logviewer.chunkstore.wire import Channel


class Batch:
    """Text and records that follow `state`, and what goes to the tail; `state` moves with each thing added."""

    def __init__(self, state: State, limits: Limits = NO_LIMITS) -> None:
        self.before = state
        self.state = state
        self.limits = limits
        self.text: list[bytes] = []
        self.records: list[bytes] = []
        self.tail: list[TailExtent] = []
        self.head_ends_line = False  # that the head, if it ends here, ends with a whole line
        self._dropped = 0  # bytes received, not stored, and not in `state` yet
        self._dropped_us = 0  # the time of the first of them

    def add_payload(self, data: bytes, extents: Sequence[Extent]) -> None:
        """Add a body's bytes, of which the extents say whose they are, as far as the limits let it."""
        if self.limits.hold(self.state, len(data), len(extents)):
            self._add_whole(data, extents)
        else:
            self._add_within_limits(data, extents)

    def add_lost_notice(self, lost: int, time_us: int) -> None:
        """Add the server's own words for `lost` bytes that the writer had to drop."""
        notice = b"\n%d byte%s of output %s lost by the build machine here\n" % (
            (lost, b"", b"was") if lost == 1 else (lost, b"s", b"were")
        )
        self._add(notice, Channel.HEADER, Flags.NOTICE | Flags.DROPPED, time_us, lost)

    def add_tail(self, tail: Sequence[TailExtent], time_us: int) -> None:
        """Add the end of the output, which lay beside the log until now, with words in front of it."""
        size = sum(len(extent.data) for extent in tail)
        if not size:
            return
        self._add(b"\nFinal %d bytes follow below:\n" % size, Channel.HEADER, Flags.NOTICE, time_us)
        for extent in tail:
            self._add(extent.data, extent.channel, Flags.DROPPED, extent.time_us)

    def add_end(self, time_us: int) -> None:
        """Add the end record."""
        self._add(b"", Channel.HEADER, Flags.END, time_us)

    def _add_whole(self, data: bytes, extents: Iterable[Extent]) -> None:
        """Add a body that no limit is near to: nearly all of them, so this is what appending takes its time for."""
        state = self.state
        count, size, newlines, headers, last, time_us = (
            state.records,
            state.size,
            state.newlines,
            state.headers,
            state.last,
            state.last_time_us,
        )
        base, received_ahead, append, find_newlines = size, state.received - size, self.records.append, data.count
        view = memoryview(data)
        for start, end, channel, time_us in extents:
            size = base + end
            last = pack_record(base + start, newlines, size + received_ahead, time_us, channel, 0, view[start:end])
            append(last)
            newlines += find_newlines(b"\n", start, end)
            count += 1
            if channel == 2:
                headers += end - start
        if data:
            self.text.append(data)
            self.state = state._replace(
                records=count,
                size=size,
                newlines=newlines,
                open_line=not data.endswith(b"\n"),
                received=size + received_ahead,
                last_time_us=time_us,
                last=last,
                headers=headers,
            )

    def _add_within_limits(self, data: bytes, extents: Iterable[Extent]) -> None:
        """Add what of a body there is room for, words where it ends, and to the tail what comes after the head."""
        for start, end, channel, time_us in extents:
            is_header = channel == Channel.HEADER
            room = self.limits.header_room(self.state) if is_header else self.limits.head_room(self.state)
            stop = min(end, start + room)
            if stop > start:
                self._count_dropped()
                self._add(data[start:stop], channel, Flags(0), time_us, stop - start)
            if stop == end:
                continue
            if is_header:
                self._add_header_limit_notice(time_us)
            else:
                self._add_limit_notice(time_us)
                self.tail.append(TailExtent(self.state.received + self._dropped, channel, time_us, data[stop:end]))
            if not self._dropped:
                self._dropped_us = time_us
            self._dropped += end - stop
        self._count_dropped()

    def _add_limit_notice(self, time_us: int) -> None:
        """Say, once, that the head ends here, in Buildbot's words; the number is what the head kept."""
        if not self.state.truncated:
            self._count_dropped()
            self.head_ends_line = not self.state.open_line
            notice = b"\nOutput exceeded %d bytes, remaining output has been truncated\n" % self.state.head
            self._add(notice, Channel.HEADER, Flags.NOTICE, time_us)

    def _add_header_limit_notice(self, time_us: int) -> None:
        """Say, once, that headers end here. It counts no byte, by which it is told from a notice of lost ones."""
        if not self.state.headers_ended:
            self._count_dropped()
            notice = b"\nHeaders exceeded %d bytes, remaining headers have been truncated\n" % self.state.headers
            self._add(notice, Channel.HEADER, Flags.NOTICE | Flags.DROPPED, time_us)

    def _count_dropped(self) -> None:
        """Have a record without bytes say how many were dropped before what comes next."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._add(b"", Channel.STDOUT, Flags.DROPPED, self._dropped_us, dropped)

    def _add(self, extent: bytes, channel: int, flags: Flags, time_us: int, received: int = 0) -> None:
        """Add one record with its bytes; `received` is by how much it moves that on."""
        state = self.state
        packed = pack_record(state.size, state.newlines, state.received + received, time_us, channel, flags, extent)
        self.state, fault = advance(state, packed, extent)
        assert not fault, fault
        self.records.append(packed)
        if extent:
            self.text.append(extent)
