import os
import threading
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, FsyncPolicy
from logviewer.chunkstore import syncer as syncer_module
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, out

pytestmark = pytest.mark.usefixtures("read_independently_afterwards")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that put something on stable storage, by the names of what they were made on."""
    made: list[str] = []

    def recorded(kind: str, call):
        def record(fd: int) -> None:
            made.append(f"{kind} {Path(os.readlink(f'/proc/self/fd/{fd}')).name}")  # noqa: PTH115
            call(fd)

        return record

    monkeypatch.setattr(os, "fsync", recorded("fsync", os.fsync))
    monkeypatch.setattr(os, "fdatasync", recorded("fdatasync", os.fdatasync))
    return made


def test_always_syncs_text_then_index_before_the_append_returns(tmp_path: Path, calls: list[str]):
    store = ChunkStore(tmp_path, fsync=FsyncPolicy.ALWAYS)
    store.create("a/log")
    assert calls == ["fsync log.idx", "fsync a", f"fsync {tmp_path.name}"]
    calls.clear()
    for turn in (1, 2):
        store.append("a/log", [out(b"x")])
        assert plain_format.synced(tmp_path, "a/log") == turn
    assert calls == ["fdatasync log.log", "fdatasync log.idx"] * 2


def test_never_syncs_nothing_until_the_finish(tmp_path: Path, calls: list[str]):
    store = ChunkStore(tmp_path, fsync=FsyncPolicy.NEVER)
    store.create(KEY)
    store.append(KEY, [out(b"x")])
    assert calls == []
    store.finish(KEY)
    assert calls[:2] == ["fdatasync stdio-1017.log", "fdatasync stdio-1017.idx"]
    assert "fsync 3-compile" in calls
    store.close()


def test_interval_syncs_what_was_appended_once_an_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done = threading.Event()
    sync_log = syncer_module.sync_log

    def sync_and_tell(mark) -> None:
        sync_log(mark)
        done.set()

    monkeypatch.setattr(syncer_module, "sync_log", sync_and_tell)
    store = ChunkStore(tmp_path, sync_interval_seconds=0.01)
    store.create(KEY)
    for turn in (1, 2, 3):
        done.clear()
        store.append(KEY, [out(b"x")])
        assert done.wait(10)
        assert plain_format.synced(tmp_path, KEY) == turn
    store.close()


def test_interval_waits_for_its_interval_and_closing_does_not(tmp_path: Path, calls: list[str]):
    store = ChunkStore(tmp_path, sync_interval_seconds=3600)
    store.create(KEY)
    calls.clear()
    store.append(KEY, [out(b"x")])
    store.append(KEY, [out(b"y")])
    assert plain_format.synced(tmp_path, KEY) == 0
    store.close()
    assert plain_format.synced(tmp_path, KEY) == 2
    assert calls == ["fdatasync stdio-1017.log", "fdatasync stdio-1017.idx"]


def test_a_log_that_gets_much_does_not_wait_for_the_interval_and_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(syncer_module, "SYNC_BYTES", 3000)
    synced = threading.Semaphore(0)
    sync_log = syncer_module.sync_log
    monkeypatch.setattr(syncer_module, "sync_log", lambda mark: (sync_log(mark), synced.release()))
    store = ChunkStore(tmp_path, sync_interval_seconds=3600)
    for key in ("a/slow", "a/fast"):
        store.create(key)
    store.append("a/slow", [out(b"x" * 2999)])
    for turn in (1, 2):
        store.append("a/fast", [out(b"x" * 2999)])
        assert not synced.acquire(timeout=0.1)
        store.append("a/fast", [out(b"x")])
        assert synced.acquire(timeout=10)
        assert plain_format.synced(tmp_path, "a/fast") == 2 * turn
    assert plain_format.synced(tmp_path, "a/slow") == 0
    store.close()
    assert plain_format.synced(tmp_path, "a/slow") == 1


def test_synced_never_goes_back_and_a_log_that_was_replaced_is_left_alone(tmp_path: Path):
    slow = ChunkStore(tmp_path, sync_interval_seconds=3600)
    slow.create(KEY)
    slow.append(KEY, [out(b"x")])
    fast = ChunkStore(tmp_path, fsync=FsyncPolicy.ALWAYS)
    fast.append(KEY, [out(b"y")])
    slow.append(KEY, [])
    slow.close()
    assert plain_format.synced(tmp_path, KEY) == 2

    late = ChunkStore(tmp_path, sync_interval_seconds=3600)
    late.append(KEY, [out(b"z")])
    late.delete(KEY)
    fast.create(KEY)
    late.close()
    assert plain_format.synced(tmp_path, KEY) == 0


def test_a_sync_that_fails_is_logged_and_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    store = ChunkStore(tmp_path, sync_interval_seconds=3600)
    store.create(KEY)
    store.append(KEY, [out(b"x")])

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    store.close()
    assert "could not be synced" in caplog.text
    assert plain_format.synced(tmp_path, KEY) == 0
