"""A process that appends numbered lines to one log, and prints what was acknowledged: python -m … ROOT KEY NAME COUNT.

With COUNT 0 it goes on until it is killed, sending by offset.
"""

import itertools
import sys
from pathlib import Path

from logviewer.chunkstore import ChunkStore, Entry


def line(name: str, number: int) -> bytes:
    return b"%s %d %s\n" % (name.encode(), number, b"x" * (number * 37 % 500))


def payload(count: int) -> bytes:
    """What the endless writer sends in its first `count` bodies."""
    return b"".join(line("out", number) + line("err", number) for number in range(count))


def write_numbered(store: ChunkStore, key: str, name: str, count: int) -> None:
    print("ready", flush=True)
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
            print(received, flush=True)
        sent += size


if __name__ == "__main__":
    root, key, name, count = sys.argv[1:]
    opened = ChunkStore(Path(root))
    if int(count):
        write_numbered(opened, key, name, int(count))
    else:
        write_endlessly(opened, key)
    opened.close()
