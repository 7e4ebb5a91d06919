"""Does the store say of a log what the independent reader finds in its files?"""

from logviewer.chunkstore import ChunkStore
from tests import independent_reader

FRAME_BYTES = 50_000


def assert_agreement(store: ChunkStore, key: str) -> independent_reader.Log:
    """Read a log in both ways, channels and times byte for byte, and compare; return what was read."""
    log = independent_reader.read(store.root, key)
    with store.reader(key) as reader:
        end = reader.end()
        stored = (len(log.text), log.lines, log.received, log.finished, log.omitted)
        assert (end.size, end.lines, end.received, end.finished, end.omitted) == stored
        assert end.last_time_us == (log.extents[-1].time_us if log.extents else None)
        found: list[tuple[int, int, bytes]] = []
        offset = newlines = 0
        while frame := reader.frame(offset, max_bytes=FRAME_BYTES, max_runs=1000, precision_us=1):
            assert (frame.offset, frame.line) == (offset, newlines + 1)
            place = 0
            for channel, length, time_us in frame.runs:
                found.append((channel, time_us, frame.data[place : place + length]))
                place += length
            assert place == len(frame.data)
            offset, newlines = frame.end, newlines + frame.data.count(b"\n")
    described = [(extent.channel, extent.time_us, extent.data) for extent in log.extents]
    assert timed_runs(found) == timed_runs(described)
    return log


def timed_runs(pieces: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Neighbours of one channel and one time joined, empty ones left out."""
    runs: list[tuple[int, int, bytes]] = []
    for channel, time_us, data in pieces:
        if not data:
            continue
        if runs and runs[-1][:2] == (channel, time_us):
            runs[-1] = (channel, time_us, runs[-1][2] + data)
        else:
            runs.append((channel, time_us, data))
    return runs
