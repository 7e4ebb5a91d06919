"""What a process has open of a log that another one seals, redacts or deletes: soon nothing, so its bytes are free."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore
from logviewer.chunkstore.appender import LogAppender
from tests.unit.chunkstore.logs import KEY, out, read_back

WAIT_SECONDS = 10
NEVER_SECONDS = 3600.0


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[ChunkStore]:
    """The process that the log was written to; it sweeps when it is told to."""
    store = ChunkStore(tmp_path, sync_interval_seconds=NEVER_SECONDS, sweep_interval_seconds=NEVER_SECONDS)
    store.create(KEY)
    store.append(KEY, [out(b"a secret\n" * 1000)])
    yield store
    store.close()


@pytest.fixture
def other(tmp_path: Path, writing: ChunkStore) -> Iterator[ChunkStore]:
    """Another process on the same logs, with what it needs of them open."""
    store = ChunkStore(tmp_path, sweep_interval_seconds=NEVER_SECONDS)
    yield store
    store.close()


def open_texts(root: Path) -> int:
    """How many descriptors there are on texts of the log, removed or replaced ones included."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed since it was listed
            found += str(each.readlink()).removesuffix(" (deleted)") == str(root / f"{KEY}.log")
    return found


def seal(store: ChunkStore) -> None:
    store.finish(KEY)
    store.seal(KEY)


def redact(store: ChunkStore) -> None:
    store.finish(KEY)
    store.redact(KEY, 1, 1000)


def delete(store: ChunkStore) -> None:
    store.delete(KEY)


@pytest.mark.parametrize("remove", [seal, redact, delete])
def test_a_text_that_another_process_removed_is_given_back(
    writing: ChunkStore, other: ChunkStore, tmp_path: Path, remove: Callable[[ChunkStore], None]
):
    remove(other)
    for _round in range(2):
        writing._appenders.sweep()
    assert open_texts(tmp_path) == 0


def test_it_is_given_back_without_anybody_asking(tmp_path: Path):
    writing, other = ChunkStore(tmp_path, sweep_interval_seconds=0.01), ChunkStore(tmp_path)
    writing.create(KEY)
    writing.append(KEY, [out(b"text\n")])
    seal(other)
    deadline = time.monotonic() + WAIT_SECONDS
    while open_texts(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert read_back(writing) == [(0, b"text\n")]


def test_a_log_that_a_thread_is_at_is_left_to_it(writing: ChunkStore, tmp_path: Path):
    with writing._appenders.exclusive(KEY) as appender:
        (tmp_path / f"{KEY}.log").unlink()
        for _round in range(3):
            writing._appenders.sweep()
        assert os.fstat(appender._text.fd).st_nlink == 0
    writing._appenders.sweep()
    assert open_texts(tmp_path) == 0


def test_a_log_that_is_there_stays_open_and_one_that_is_written_is_not_even_looked_at(
    writing: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for _round in range(3):
        writing._appenders.sweep()
    assert open_texts(tmp_path) == 1
    writing.append(KEY, [out(b"more\n")])
    with monkeypatch.context() as patch:
        patch.setattr("logviewer.chunkstore.appender.os.fstat", None)
        writing._appenders.sweep()


def test_who_only_reads_a_log_that_another_process_writes_leaves_nothing_open(
    writing: ChunkStore, other: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other.reader(KEY).close()
    assert open_texts(tmp_path) == 1
    with monkeypatch.context() as patch:
        patch.setattr(LogAppender, "acquire", None)  # its end is known to be whole, and not looked at again
        other.reader(KEY).close()
