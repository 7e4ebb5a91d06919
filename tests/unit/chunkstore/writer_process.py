"""A process that appends numbered lines to one log, and prints what was acknowledged: python -m … ROOT KEY NAME COUNT.

With COUNT 0 it goes on until it is killed, sending by offset.
"""

import itertools
import sys
from pathlib import Path

from logviewer.chunkstore import ChunkStore, Entry


def line(name: str, number: int) -> bytes:
    return b"%s %d %s\n" % (name.encode(), number, b"x" * (number * 37 % 500))


def payload(size: int) -> bytes:
    """The first `size` bytes of what the endless writer sends."""
    sent = b""
    for number in itertools.count():
        if len(sent) >= size:
            return sent[:size]
        sent += line("out", number) + line("err", number)
    raise AssertionError("count() does not end")


def tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def write_numbered(store: ChunkStore, key: str, name: str, count: int) -> None:
    tell("ready")
    sys.stdin.readline()
    for number in range(count):
        store.append(key, [Entry(len(name) % 2, line(name, number))])


def write_endlessly(store: ChunkStore, key: str) -> None:
    received = store.append(key, []).received
    sent = 0
    for number in itertools.count():
        body = [Entry(0, line("out", number)), Entry(1, line("err", number))]
        size = len(body[0].data) + len(body[1].data)
        if sent + size > received:
            received = store.append(key, body, offset=sent).received
            tell(received)
        sent += size


if __name__ == "__main__":
    root, key, name, count = sys.argv[1:]
    opened = ChunkStore(Path(root))
    if int(count):
        write_numbered(opened, key, name, int(count))
    else:
        write_endlessly(opened, key)
    opened.close()
