"""Processes that are there to be killed: python -m … ROOT, then one `WORK KEY` a line on its standard input.

For each line a child is forked, which costs milliseconds where a new interpreter would cost a fifth of a second. It
works at the log KEY until it is killed or done, and prints what was acknowledged. Its writes go out in small pieces,
as on a slow disk, so that it is nearly always in the middle of one.
"""

import os
import random
import sys
import traceback
from functools import cache
from pathlib import Path

from logviewer.chunkstore import ChunkStore, Entry, Limits
from logviewer.chunkstore.limits import NO_LIMITS

TEXT_PIECE_BYTES, INDEX_PIECE_BYTES = 400, 40
"""What one write takes: a big body needs hundreds of them for its text and for its records, and most tear a record."""

LIMITS = Limits(max_bytes=30_000, max_tail_bytes=10_000)
"""Reached by the first bodies."""

FIRST_REDACTED, LAST_REDACTED = 100, 2000

WARM_BODIES = 400
"""Made before the first fork: a child shall write, not make up what."""

_pwritev = os.pwritev


@cache
def body(number: int) -> list[Entry]:
    """One body of what every writer here sends, in this order: small and big ones mixed."""
    chance = random.Random(number)
    count = chance.choice([1, 1, 2, 300])
    return [
        Entry(
            chance.choice([0, 0, 0, 1, 2]), b"%d.%d " % (number, place) * chance.randrange(1, 40) + b"\n", number * 1000
        )
        for place in range(count)
    ]


def payload(bodies: int) -> list[Entry]:
    """All that lies before body number `bodies`."""
    return [entry for number in range(bodies) for entry in body(number)]


def size(entries: list[Entry]) -> int:
    return sum(len(entry.data) for entry in entries)


def tell(what: object) -> None:
    os.write(1, b"%b\n" % str(what).encode())


def write_in_pieces(fd: int, buffers: list[bytes], offset: int) -> int:
    is_index = os.readlink(f"/proc/self/fd/{fd}").endswith((".idx", ".idx.new"))  # noqa: PTH115
    piece = memoryview(buffers[0])[: INDEX_PIECE_BYTES if is_index else TEXT_PIECE_BYTES]
    return _pwritev(fd, [piece], offset)


def append(store: ChunkStore, key: str, bodies: int, limits: Limits) -> None:
    """Send all bodies up to that one from where the log stands, what is known of the first one again."""
    received = store.append(key, []).received
    tell(received)
    sent = 0
    for number in range(bodies):
        entries = body(number)
        if sent + size(entries) > received:
            received = store.append(key, entries, offset=sent, limits=limits).received
            tell(received)
        sent += size(entries)


def work(root: Path, kind: str, key: str, bodies: int) -> None:
    os.pwritev = write_in_pieces
    store = ChunkStore(root, fsync="never")
    if kind == "seal":
        tell("sealing")
        store.seal(key)
    elif kind == "redact":
        tell("redacting")
        store.redact(key, FIRST_REDACTED, LAST_REDACTED)
    else:
        append(store, key, bodies, LIMITS if kind in ("limits", "finish") else NO_LIMITS)
    if kind == "finish":
        tell("finishing")
        store.finish(key)
    tell("done")
    os._exit(0)


if __name__ == "__main__":
    payload(WARM_BODIES)
    for line in sys.stdin:
        kind, key, bodies = line.split()
        child = os.fork()
        if not child:
            try:
                work(Path(sys.argv[1]), kind, key, int(bodies))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        tell(f"pid {child}")
        sys.stdin.readline()  # until then its number is nobody else's
        _, status = os.waitpid(child, 0)
        tell(f"ended {os.waitstatus_to_exitcode(status)}")
