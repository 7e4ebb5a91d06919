"""Several writers at one log: threads, processes, processes that are killed."""

import fcntl
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, LogLocked
from logviewer.chunkstore import appenders as appenders_module
from logviewer.chunkstore import files as files_module
from tests.unit.chunkstore import plain_format, writer_process
from tests.unit.chunkstore.logs import KEY, out, read_back

pytestmark = pytest.mark.usefixtures("read_independently_afterwards")

ROOT = Path(__file__).parents[3]


def start(root: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.chunkstore.writer_process", str(root), KEY, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_two_processes_at_one_log_tear_nothing(store: ChunkStore, tmp_path: Path):
    names, count = ["ab", "abc"], 400
    writers = [start(tmp_path, name, count) for name in names]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for number in range(100):
        store.append(KEY, [out(writer_process.line("a", number))])
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0

    lines = b"".join(extent.data for extent in plain_format.extents(tmp_path, KEY)).splitlines(keepends=True)
    for name, expected in (("a", 100), ("ab", count), ("abc", count)):
        own = [line for line in lines if line.split()[0] == name.encode()]
        assert own == [writer_process.line(name, number) for number in range(expected)]
    assert len(lines) == 100 + 2 * count
    for extent in plain_format.extents(tmp_path, KEY):
        assert extent.channel == (1 if extent.data.startswith(b"abc ") else 0)
    with store.reader(KEY) as reader:
        assert reader.end().lines == 100 + 2 * count


def test_threads_at_one_store_tear_nothing(store: ChunkStore, tmp_path: Path):
    def write(name: str) -> None:
        for number in range(200):
            store.append(KEY, [out(writer_process.line(name, number))])

    threads = [threading.Thread(target=write, args=[name]) for name in ("a", "b", "c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / f"{KEY}.log").read_bytes().splitlines(keepends=True)
    for name in "abcd":
        expected = [writer_process.line(name, number) for number in range(200)]
        assert [line for line in lines if line[:1] == name.encode()] == expected
    assert len(plain_format.extents(tmp_path, KEY)) == 800


def test_a_writer_that_is_killed_loses_and_doubles_nothing_that_was_acknowledged(store: ChunkStore, tmp_path: Path):
    acknowledged = 0
    for turn in range(8):
        writer = start(tmp_path, "endless", 0)
        for _acknowledgement in range(5 + 13 * turn):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        rest, _errors = writer.communicate(timeout=30)
        whole = re.findall(rb"(\d+)\n", rest)
        acknowledged = int(whole[-1]) if whole else acknowledged
        opened = ChunkStore(tmp_path)
        assert opened.append(KEY, []).received >= acknowledged
        opened.close()
        text = b"".join(extent.data for extent in plain_format.extents(tmp_path, KEY))
        assert len(text) >= acknowledged
        assert text == writer_process.payload(len(text))
    assert acknowledged > 0


def test_who_waits_too_long_for_the_lock_is_told(store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(appenders_module, "LOCK_WAIT_SECONDS", 0.05)
    with (tmp_path / f"{KEY}.idx").open("rb") as other_writer:
        fcntl.flock(other_writer, fcntl.LOCK_EX)
        with pytest.raises(LogLocked, match="locked by another writer"):
            store.append(KEY, [out(b"x")])
    assert store.append(KEY, [out(b"x")], offset=0).received == 1


@pytest.mark.damaged
def test_a_creation_waits_for_another_one_of_the_same_log(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(files_module, "LOCK_WAIT_SECONDS", 0.05)
    with (tmp_path / "other.idx").open("wb") as other_creator:
        fcntl.flock(other_creator, fcntl.LOCK_EX)
        with pytest.raises(LogLocked):
            store.create("other")
        assert (tmp_path / "other.idx").read_bytes() == b""


def test_a_thread_that_waits_too_long_is_told_and_the_first_one_goes_on(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(appenders_module, "LOCK_WAIT_SECONDS", 0.05)
    inside, go_on = threading.Event(), threading.Event()
    pwritev = os.pwritev

    def slow(fd: int, buffers: list[bytes], offset: int) -> int:
        inside.set()
        assert go_on.wait(10)
        return pwritev(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", slow)
    first = threading.Thread(target=store.append, args=[KEY, [out(b"first")]])
    first.start()
    assert inside.wait(10)
    with pytest.raises(LogLocked):
        store.append(KEY, [out(b"second")])
    go_on.set()
    first.join()
    assert read_back(store) == [(0, b"first")]


def test_who_waits_for_the_lock_gets_it_when_it_is_free(store: ChunkStore, tmp_path: Path):
    with (tmp_path / f"{KEY}.idx").open("rb") as other_writer:
        fcntl.flock(other_writer, fcntl.LOCK_EX)
        waiting = threading.Thread(target=store.append, args=[KEY, [out(b"x")]])
        waiting.start()
        fcntl.flock(other_writer, fcntl.LOCK_UN)
        waiting.join(10)
    assert read_back(store) == [(0, b"x")]


def test_a_store_sees_what_another_one_wrote(store: ChunkStore, tmp_path: Path):
    other = ChunkStore(tmp_path)
    assert store.append(KEY, [out(b"a")], offset=0).received == 1
    assert other.append(KEY, [out(b"b")], offset=1).received == 2
    assert store.append(KEY, [out(b"bc")], offset=1).received == 3
    assert other.finish(KEY, 3).end.finished
    assert store.append(KEY, [out(b"c")], offset=2).end.finished
    other.close()
