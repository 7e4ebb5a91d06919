"""A process that is killed in the middle of its writes, without one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from unittest import mock

from logviewer.chunkstore import ChunkStore


class Killed(BaseException):
    """The process is no more."""


@contextmanager
def killed_after(room: int) -> Iterator[None]:
    """Let `room` more bytes be written to files, and then nothing, nor anything be taken back."""
    write, left = os.pwritev, room

    def pwritev(fd: int, buffers: list[bytes], offset: int) -> int:
        nonlocal left
        data = b"".join(buffers)[:left]
        left -= len(data)
        if data:
            write(fd, [data], offset)
        if not left:
            raise Killed
        return len(data)

    def ftruncate(fd: int, length: int) -> None:
        raise Killed

    with mock.patch("os.pwritev", pwritev), mock.patch("os.ftruncate", ftruncate), suppress(Killed):
        yield


def vanish(store: ChunkStore) -> None:
    """Close what the store's process had open, as the kernel does for one that was killed: nothing is synced."""
    store._syncer._stopped = True
    store._syncer._wake.set()
    store._appenders.close()
