"""From plain to sealed: what is there afterwards, and at every point where it can be cut short."""

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from logviewer.chunkstore import (
    ChunkStore,
    CorruptSealed,
    Form,
    Limits,
    LogFinished,
    LogLocked,
    LogOpen,
    Mismatch,
    NoSuchLog,
    OverlapDiffers,
    StorageFull,
    TextDiffers,
    sealing,
)
from logviewer.chunkstore.sealed import FRAME_BYTES
from tests.unit.chunkstore import sealed_format
from tests.unit.chunkstore.logs import KEY, err, out, read_back

TEXT = b"".join(b"%07d gcc -c file.c\n" % number for number in range(FRAME_BYTES // 10))
PARTS = [TEXT[at : at + 200_000] for at in range(0, len(TEXT), 200_000)]
SHA256 = hashlib.sha256(TEXT).hexdigest()


def fill(store: ChunkStore, key: str = KEY) -> None:
    """A finished log of more than two frames, on two channels."""
    store.create(key)
    for number, part in enumerate(PARTS):
        store.append(key, [err(part) if number % 3 == 2 else out(part)])
    store.finish(key, len(TEXT), SHA256)


@pytest.fixture
def finished(store: ChunkStore) -> ChunkStore:
    fill(store)
    return store


def names(root: Path) -> set[str]:
    """The log's files by their suffixes, without marks, which come and go as readers need them."""
    return {path.name.removeprefix("stdio-1017") for path in (root / KEY).parent.iterdir()} - {".marks"}


def text_of(store: ChunkStore, key: str = KEY) -> bytes:
    return b"".join(data for _channel, data in read_back(store, key, max_bytes=300_000))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_sealed_log_reads_as_before_and_takes_less(finished: ChunkStore, tmp_path: Path) -> None:
    before = read_back(finished, max_bytes=300_000)
    sealed = finished.seal(KEY, SHA256)
    assert names(tmp_path) == {".idx", ".log.zst"}
    assert sealed.size_bytes == (tmp_path / f"{KEY}.log.zst").stat().st_size < len(TEXT) / 3
    assert read_back(finished, max_bytes=300_000) == before
    with finished.reader(KEY) as reader:
        assert reader.end().finished
        assert reader.position(len(TEXT) // 2).line == TEXT[: len(TEXT) // 2].count(b"\n") + 1
        assert reader.tail(3).offset == len(TEXT) - len(b"".join(TEXT.splitlines(keepends=True)[-3:]))
        assert reader.sealed is not None
        assert reader.sealed.size() == sealed.size_bytes


def test_its_form_goes_from_plain_to_sealed(finished: ChunkStore) -> None:
    assert finished.form(KEY) is Form.PLAIN
    finished.seal(KEY)
    assert finished.form(KEY) is Form.SEALED
    finished.delete(KEY)
    with pytest.raises(NoSuchLog):
        finished.form(KEY)


def test_sealing_again_changes_nothing(finished: ChunkStore, tmp_path: Path) -> None:
    sealed = finished.seal(KEY, SHA256)
    path = tmp_path / f"{KEY}.log.zst"
    before, text = path.stat(), path.read_bytes()
    assert finished.seal(KEY, SHA256) == sealed
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, path.read_bytes()) == (before.st_ino, before.st_mtime_ns, text)


def test_an_empty_log_is_sealed_too(store: ChunkStore, tmp_path: Path) -> None:
    store.finish(KEY)
    store.seal(KEY, hashlib.sha256().hexdigest())
    assert names(tmp_path) == {".idx", ".log.zst"}
    assert text_of(store) == b""


def test_the_stock_zstd_command_restores_a_log(finished: ChunkStore, tmp_path: Path) -> None:
    finished.seal(KEY)
    assert sealed_format.restored_by_zstd(tmp_path / f"{KEY}.log.zst") == TEXT


def test_readers_in_the_middle_go_on(finished: ChunkStore) -> None:
    with finished.reader(KEY) as reader:
        frame = reader.frame(0, max_bytes=1000)
        assert frame is not None
        finished.seal(KEY)
        following = reader.frame(frame.end, max_bytes=FRAME_BYTES)
        assert following is not None
        assert frame.data + following.data == TEXT[: following.end]


def test_an_open_log_is_not_sealed(store: ChunkStore, tmp_path: Path) -> None:
    store.append(KEY, [out(b"more to come")])
    with pytest.raises(LogOpen):
        store.seal(KEY)
    assert names(tmp_path) == {".idx", ".log"}


def test_a_log_that_is_not_there_is_not_sealed(store: ChunkStore) -> None:
    with pytest.raises(NoSuchLog):
        store.seal("no/log")


def test_a_text_other_than_at_the_finish_stays_as_it_is(finished: ChunkStore, tmp_path: Path) -> None:
    with pytest.raises(TextDiffers, match=SHA256):
        finished.seal(KEY, "0" * 64)
    assert names(tmp_path) == {".idx", ".log"}
    assert text_of(finished) == TEXT


def test_a_sealed_file_that_decodes_to_something_else_is_thrown_away(
    finished: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress = sealing.compress_frame
    monkeypatch.setattr(sealing, "compress_frame", lambda text: compress(text.replace(b"0000007", b"0000008")))
    with pytest.raises(CorruptSealed):
        finished.seal(KEY, SHA256)
    assert names(tmp_path) == {".idx", ".log"}
    assert text_of(finished) == TEXT


def test_what_the_writer_sends_again_is_compared_as_before(finished: ChunkStore) -> None:
    plain = finished.append(KEY, [out(PARTS[0])], offset=0)
    finished.seal(KEY)
    assert finished.append(KEY, [out(PARTS[0])], offset=0) == plain
    assert finished.append(KEY, [err(PARTS[2]), out(PARTS[3])], offset=400_000).received == len(TEXT)
    assert finished.append(KEY, [], offset=len(TEXT)).end.finished
    with pytest.raises(OverlapDiffers) as caught:
        finished.append(KEY, [out(PARTS[1][:-1] + b"?")], offset=200_000)
    assert caught.value.position == 399_999
    with pytest.raises(OverlapDiffers):  # the channel is another
        finished.append(KEY, [out(PARTS[2])], offset=400_000)
    with pytest.raises(LogFinished):
        finished.append(KEY, [out(b"more")])
    with pytest.raises(LogFinished):
        finished.append(KEY, [out(b"more")], offset=len(TEXT) - 1)


def test_finishing_again_has_the_same_outcome(finished: ChunkStore) -> None:
    first = finished.finish(KEY, len(TEXT), SHA256)
    finished.seal(KEY)
    assert finished.finish(KEY, len(TEXT), SHA256) == first
    assert finished.finish(KEY) == first._replace(verified=False)
    with pytest.raises(Mismatch):
        finished.finish(KEY, len(TEXT) - 1)
    assert finished.finish(KEY, len(TEXT) - 1, unverified=True) == first._replace(verified=False)


def test_bytes_lost_before_the_finish_stay_lost(store: ChunkStore) -> None:
    store.append(KEY, [out(b"one\n")])
    store.append(KEY, [out(b"three\n")], offset=4, skip=10)
    first = store.finish(KEY)
    store.seal(KEY)
    assert store.finish(KEY) == first
    assert store.append(KEY, [out(b"three\n")], offset=4, skip=10).end == first.end


def test_a_log_over_its_limit_finishes_and_takes_known_bytes_as_before(store: ChunkStore) -> None:
    limits = Limits(1000, 200)
    body = [out(b"line %d\n" % number) for number in range(500)]
    total = store.append(KEY, body, offset=0, limits=limits).received
    first = store.finish(KEY, total)
    store.seal(KEY, first.text_sha256)
    assert store.finish(KEY, total) == first
    assert first.sha256 is None
    again = store.append(KEY, body, offset=0, limits=limits)
    assert (again.received, again.end) == (total, first.end)
    with pytest.raises(LogFinished):
        store.append(KEY, [out(b"more")], limits=limits)


def test_a_deleted_log_leaves_nothing(finished: ChunkStore, tmp_path: Path) -> None:
    finished.seal(KEY)
    for suffix in (".log.zst.tmp", ".tail", ".marks"):
        (tmp_path / f"{KEY}{suffix}").write_bytes(b"left over")
    finished.delete(KEY)
    assert list(tmp_path.iterdir()) == []
    finished.delete(KEY)
    with pytest.raises(NoSuchLog):
        finished.reader(KEY)
    with pytest.raises(NoSuchLog):
        finished.append(KEY, [])


@pytest.mark.bad_input("a sealed file that is truncated")
def test_a_damaged_sealed_log_is_said_to_be_so_by_every_call(finished: ChunkStore, tmp_path: Path) -> None:
    finished.seal(KEY)
    path = tmp_path / f"{KEY}.log.zst"
    path.write_bytes(path.read_bytes()[:-10])
    calls: list[Callable[[], object]] = [
        lambda: finished.reader(KEY),
        lambda: finished.append(KEY, [out(PARTS[0])], offset=0),
        lambda: finished.finish(KEY),
    ]
    before = descriptors()
    for call in calls:
        with pytest.raises(CorruptSealed, match=r"stdio-1017\.log\.zst.*restore this file"):
            call()
    assert descriptors() == before


@pytest.mark.bad_input("a sealed file with a wrong frame")
def test_around_a_damaged_frame_the_log_can_be_read(finished: ChunkStore, tmp_path: Path) -> None:
    finished.seal(KEY)
    path = tmp_path / f"{KEY}.log.zst"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with finished.reader(KEY) as reader:
        with pytest.raises(CorruptSealed, match="frame 0"):
            reader.frame(0)
        beyond = 6 * 200_000  # where an extent begins
        frame = reader.frame(beyond, max_bytes=1000)
        assert frame is not None
        assert frame.data == TEXT[beyond : beyond + 1000]


def test_no_descriptor_is_left_open(finished: ChunkStore) -> None:
    fill(finished, "demo/other")
    finished.seal("demo/other")
    before = descriptors()
    finished.seal(KEY)
    text_of(finished)
    finished.append(KEY, [out(PARTS[0])], offset=0)
    finished.finish(KEY)
    finished.seal(KEY)
    assert descriptors() == before


def test_two_at_once_do_not_seal_the_same_log(finished: ChunkStore, tmp_path: Path) -> None:
    with (tmp_path / f"{KEY}.log.zst.tmp").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LogLocked):
            finished.seal(KEY)
        assert names(tmp_path) == {".idx", ".log", ".log.zst.tmp"}
    finished.seal(KEY)
    assert names(tmp_path) == {".idx", ".log.zst"}


def test_many_at_once_leave_one_sealed_file(finished: ChunkStore, tmp_path: Path) -> None:
    sizes: list[int] = []
    locked: list[LogLocked] = []

    def seal() -> None:
        try:
            sizes.append(finished.seal(KEY, SHA256).size_bytes)
        except LogLocked as error:
            locked.append(error)

    threads = [threading.Thread(target=seal) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sizes) + len(locked) == 6
    assert len(set(sizes)) == 1
    assert names(tmp_path) == {".idx", ".log.zst"}
    assert text_of(finished) == TEXT


def test_a_log_deleted_while_it_is_sealed_stays_deleted(
    finished: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def delete_meanwhile(fd: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        ChunkStore(tmp_path).delete(KEY)

    monkeypatch.setattr(os, "fsync", delete_meanwhile)
    with pytest.raises(NoSuchLog):
        finished.seal(KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.bad_input("a disk that is full while a log is sealed")
@pytest.mark.parametrize("writes", range(4))
def test_on_a_full_disk_the_log_stays_plain(
    finished: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    write, left = sealing.write_whole, [writes]

    def full_after(fd: int, buffers: list[bytes], offset: int) -> None:
        if not left[0]:
            write(fd, [buffers[0][:10]], offset)
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(fd, buffers, offset)

    monkeypatch.setattr(sealing, "write_whole", full_after)
    with pytest.raises(StorageFull, match="nothing was stored"):
        finished.seal(KEY)
    assert names(tmp_path) == {".idx", ".log"}
    assert text_of(finished) == TEXT


class Killed(BaseException):
    """The process ends here: nothing after it happens."""


CALLED_FOR = {"open": ".tmp", "rename": ".tmp", "unlink": ".log"}
STEPS = ["open", "write_whole", "fsync", "rename", "sync_directory", "unlink"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("happens", [False, True])
def test_wherever_it_is_killed_the_log_can_be_read_and_sealed_again(
    finished: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, happens: bool
) -> None:
    """Each step is cut off before it, or after it; what a process does on its way out is undone by copying back."""
    snapshot = tmp_path / "snapshot"
    directory = (tmp_path / KEY).parent

    def kill_at(real: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            if not snapshot.exists() and (step not in CALLED_FOR or str(args[0]).endswith(CALLED_FOR[step])):
                if happens:
                    real(*args, **kwargs)
                shutil.copytree(directory, snapshot)
                raise Killed
            return real(*args, **kwargs)

        return wrapped

    place: object = {"open": os, "fsync": os, "rename": Path, "unlink": Path}.get(step, sealing)
    monkeypatch.setattr(place, step, kill_at(getattr(place, step)))
    with pytest.raises(Killed):
        finished.seal(KEY, SHA256)
    monkeypatch.undo()
    finished.close()
    shutil.rmtree(directory)
    snapshot.rename(directory)

    survivor = ChunkStore(tmp_path)
    assert text_of(survivor) == TEXT
    assert survivor.append(KEY, [out(PARTS[0])], offset=0).received == len(TEXT)
    survivor.seal(KEY, SHA256)
    assert names(tmp_path) == {".idx", ".log.zst"}
    assert text_of(survivor) == TEXT
    survivor.close()


@pytest.mark.parametrize("left", [{".log"}, {".log", ".log.zst"}, {".log.zst"}, {".log.zst", ".tail"}])
def test_from_every_state_in_between_sealing_goes_on(finished: ChunkStore, tmp_path: Path, left: set[str]) -> None:
    base = str(tmp_path / KEY)
    finished.seal(KEY)
    for suffix in left | {".log.zst.tmp"}:
        Path(base + suffix).touch()
    if ".log" in left:
        Path(base + ".log").write_bytes(TEXT)
    if ".log.zst" not in left:
        Path(base + ".log.zst").unlink()
    elif ".log" in left:
        Path(base + ".log.zst").write_bytes(b"what a loss of power left of it")
    assert text_of(finished) == TEXT
    finished.seal(KEY, SHA256)
    assert names(tmp_path) == {".idx", ".log.zst"}
    assert text_of(finished) == TEXT


class Shelf:
    """An archive in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def open(self, name: str) -> sealed_format.Memory:
        if name not in self.files:
            raise FileNotFoundError(name)
        return sealed_format.Memory(self.files[name])

    def save(self, name: str, path: Path) -> None:
        self.files[name] = path.read_bytes()

    def delete(self, name: str) -> None:
        self.files.pop(name, None)

    def revoke(self) -> None:
        pass


@pytest.mark.parametrize("moved", [[".log.zst"], [".log.zst", ".idx"]])
def test_an_archived_log_is_read_from_there(tmp_path: Path, moved: list[str]) -> None:
    shelf = Shelf()
    store = ChunkStore(tmp_path, archive=shelf)
    fill(store)
    first = store.finish(KEY, len(TEXT), SHA256)
    sealed = store.seal(KEY)
    for suffix in moved:
        shelf.save(KEY + suffix, tmp_path / f"{KEY}{suffix}")
        (tmp_path / f"{KEY}{suffix}").unlink()
    assert text_of(store) == TEXT
    assert store.form(KEY) is Form.ARCHIVED
    assert store.seal(KEY) == sealed
    assert store.append(KEY, [out(PARTS[0])], offset=0).end == first.end
    assert store.finish(KEY, len(TEXT), SHA256) == first
    store.delete(KEY)
    assert shelf.files == {}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NoSuchLog):
        store.append(KEY, [])
    store.close()
