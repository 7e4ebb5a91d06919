"""What the chunk store's tests share: entries made short, and a log read through its reader."""

from collections.abc import Iterable

from logviewer.chunkstore import ChunkStore, Entry

KEY = "demo/linux-gcc/42/3-compile/stdio-1017"


def out(text: bytes, time_us: int | None = None) -> Entry:
    return Entry(0, text, time_us)


def err(text: bytes, time_us: int | None = None) -> Entry:
    return Entry(1, text, time_us)


def joined(entries: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return [(channel, bytes), …] with neighbours of one channel joined and empty ones left out."""
    runs: list[tuple[int, bytes]] = []
    for channel, data in entries:
        if not data:
            continue
        if runs and runs[-1][0] == channel:
            runs[-1] = (channel, runs[-1][1] + data)
        else:
            runs.append((channel, data))
    return runs


def read_back(
    store: ChunkStore, key: str = KEY, max_bytes: int = 1000, max_runs: int = 4096
) -> list[tuple[int, bytes]]:
    """Read the whole log frame by frame, checking each frame on the way."""
    found: list[tuple[int, bytes]] = []
    offset = newlines = 0
    with store.reader(key) as reader:
        while frame := reader.frame(offset, max_bytes=max_bytes, max_runs=max_runs):
            assert frame.offset == offset
            assert frame.line == newlines + 1
            assert sum(length for _channel, length, _time in frame.runs) == len(frame.data)
            assert 0 < len(frame.data) <= max_bytes
            assert 0 < len(frame.runs) <= max_runs
            place = 0
            for channel, length, _time in frame.runs:
                found.append((channel, frame.data[place : place + length]))
                place += length
            offset, newlines = frame.end, newlines + frame.data.count(b"\n")
        assert offset == reader.end().size
    return joined(found)
