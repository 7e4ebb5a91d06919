"""Sealing: from the plain text of a finished log to its sealed file.

The sealed file is written under a temporary name, put on stable storage, read back and compared with the text; then,
under the log's lock, it gets its name, and the text goes. A crash leaves the plain text before that, both for a moment,
the sealed file after it: each can be read, and sealing again completes it. What a crash left under the temporary name
is written over. The lock on that file lets one process at a time seal a log.
"""

import hashlib
import os
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TypeVar

from logviewer.chunkstore.appender import LogAppender
from logviewer.chunkstore.disk import FILE_MODE, storage_full, sync_directory, write_whole
from logviewer.chunkstore.errors import CorruptIndex, CorruptSealed, LogLocked, LogOpen, TextDiffers
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import lock
from logviewer.chunkstore.opening import READ
from logviewer.chunkstore.sealed import FRAME_BYTES, SealedText, compress_frame, pack_seek_table
from logviewer.chunkstore.shapes import Sealed
from logviewer.chunkstore.sources import LocalFile
from logviewer.chunkstore.tailfile import remove_tail

THREADS = 2
"""Compressing (0.2 GB/s a core) costs three times what all the rest does. Beside an event loop one thread is better: on
a busy machine the loop then waits half as long for the interpreter."""

FRAMES_AHEAD = 4
"""How many frames may wait to be written, in their order. With the threads' own, 15 MiB of RSS a log being sealed."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def seal_log(
    files: LogFiles,
    text_sha256: str | None,
    threads: int,
    exclusive: Callable[[], AbstractContextManager[LogAppender]],
) -> Sealed:
    """Turn the text of a finished log into its sealed file, on so many threads; `exclusive` holds the log's lock.

    `text_sha256` is what the text had at the finish, where that is known. Whatever is raised, the text is still there:
    FileNotFoundError where it was not, LogLocked where another process is at it, LogOpen, TextDiffers, CorruptIndex,
    CorruptSealed, StorageFull.
    """
    with ExitStack() as held:
        with exclusive() as appender:
            size = appender.state.size
            if not appender.state.finished:
                raise LogOpen(files.key)
        fd = held.enter_context(temporary_file(files))
        text = LocalFile(os.open(files.text, READ))  # now, or a redaction that ended just before would be undone
        held.callback(text.close)
        sha256 = write_sealed(files, text.read, size, fd, threads)
        if text_sha256 is not None and text_sha256.lower() != sha256:
            raise TextDiffers(files.text, text_sha256.lower(), sha256)
        os.fsync(fd)
        decoded = sealed_sha256(SealedText(LocalFile(fd), str(files.sealing)), threads)
        if decoded != sha256:
            raise CorruptSealed(
                str(files.sealing),
                f"written from a text with SHA-256 {sha256}, it decodes to {decoded}",
                "the log stays plain: check this machine's memory and disk",
            )
        with exclusive() as appender:
            if not appender.state.finished or appender.state.size != size:
                raise LogOpen(files.key)  # deleted meanwhile, and made anew
            files.sealing.rename(files.sealed)
            sync_directory(files.sealed.parent)  # first the new name, for good: else a loss of power could take both
            files.text.unlink()
            remove_tail(files.tail)
        return Sealed(os.fstat(fd).st_size)


def clear_leftovers(files: LogFiles) -> None:
    """Remove what a crash left beside a sealed file, unless another process is at it."""
    remove_tail(files.tail)
    if files.sealing.exists():
        with suppress(LogLocked), temporary_file(files):
            files.sealing.unlink(missing_ok=True)


@contextmanager
def temporary_file(files: LogFiles, wait_seconds: float = 0.0) -> Iterator[int]:
    """Make and lock the temporary file, empty; it is removed where the body fails. Raises LogLocked, StorageFull."""
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as held:
        fd = -1
        while fd < 0:
            fd = os.open(files.sealing, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            opened = held.enter_context(ExitStack())
            opened.callback(os.close, fd)
            lock(fd, files.sealing, deadline)
            if not _is_at(fd, files):  # it got its name, or went, between opening and locking
                opened.close()
                fd = -1
        try:
            os.ftruncate(fd, 0)
            yield fd
        except BaseException as error:
            if _is_at(fd, files):
                files.sealing.unlink(missing_ok=True)
            full = storage_full(error, files.sealing) if isinstance(error, OSError) else None
            if full:
                raise full from error
            raise


def _is_at(fd: int, files: LogFiles) -> bool:
    """Say whether the temporary name is still this file's."""
    try:
        return os.path.samestat(os.fstat(fd), files.sealing.stat())
    except FileNotFoundError:
        return False


def write_sealed(files: LogFiles, read: Callable[[int, int], bytes], size: int, fd: int, threads: int) -> str:
    """Write the sealed form of `size` bytes of text, which `read` gives by offset; return the text's SHA-256."""

    def compress(offset: int) -> tuple[bytes, bytes]:
        piece = read(offset, min(FRAME_BYTES, size - offset))
        return piece, compress_frame(piece)

    digest = hashlib.sha256()
    sizes = array("I")
    written = hashed = 0
    for piece, frame in _in_order(compress, range(0, size, FRAME_BYTES), threads):
        digest.update(piece)
        write_whole(fd, [frame], written)
        sizes.extend((len(frame), len(piece)))
        written += len(frame)
        hashed += len(piece)
    if hashed != size:
        raise CorruptIndex(files.index, f"the text ends at {hashed}, the index says {size}")
    write_whole(fd, [pack_seek_table(sizes)], written)
    return digest.hexdigest()


def sealed_sha256(sealed: SealedText, threads: int) -> str:
    """Hash what a sealed file decodes to."""
    digest = hashlib.sha256()
    for piece in _in_order(sealed.decode, range(sealed.frames), threads):
        digest.update(piece)
    return digest.hexdigest()


def _in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `work` of each item, done ahead on threads: Zstandard, hashing and the disk let each other run."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="seal-log") as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > FRAMES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
