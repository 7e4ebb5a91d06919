import errno
import os
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry, Limits, StorageFull
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, err, out, read_back

pytestmark = pytest.mark.usefixtures("read_independently_afterwards")

PWRITEV = os.pwritev


class FullDisk:
    """os.pwritev on a disk that takes `room` more bytes of files with this suffix, and then raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, suffix: str, room: int, error: int = errno.ENOSPC) -> None:
        self.suffix, self.room, self.error = suffix, room, error
        monkeypatch.setattr(os, "pwritev", self)

    def __call__(self, fd: int, buffers: list[bytes], offset: int) -> int:
        if not os.readlink(f"/proc/self/fd/{fd}").endswith(self.suffix):  # noqa: PTH115
            return PWRITEV(fd, buffers, offset)
        fitting = b"".join(buffers)[: self.room]
        if not fitting:
            raise OSError(self.error, os.strerror(self.error))
        self.room -= len(fitting)
        return PWRITEV(fd, [fitting], offset)


@pytest.mark.bad_input("a disk that fills")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize(("suffix", "room"), [(".log", 0), (".log", 3), (".idx", 0), (".idx", 20), (".idx", 48)])
def test_what_does_not_fit_is_taken_back_and_can_be_sent_again(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, room: int, error: int
):
    store.append(KEY, [out(b"before")], offset=0)
    before = [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")]
    FullDisk(monkeypatch, suffix, room, error)
    for _again in range(2):
        with pytest.raises(StorageFull, match=KEY):
            store.append(KEY, [out(b"does not"), err(b"fit")], offset=6)
        assert [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")] == before
        monkeypatch.undo()
        FullDisk(monkeypatch, suffix, room, error)
    monkeypatch.undo()
    assert store.append(KEY, [out(b"does not"), err(b"fit")], offset=6).received == 17
    assert read_back(store) == [(0, b"beforedoes not"), (1, b"fit")]
    assert len(plain_format.extents(tmp_path, KEY)) == 3


def test_a_short_write_that_goes_on_is_no_failure(store: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    def one_byte_at_a_time(fd: int, buffers: list[bytes], offset: int) -> int:
        return PWRITEV(fd, [b"".join(buffers)[:1]], offset)

    monkeypatch.setattr(os, "pwritev", one_byte_at_a_time)
    store.append(KEY, [out(b"abc"), err(b"def")], offset=0)
    assert read_back(store) == [(0, b"abc"), (1, b"def")]


def test_another_error_of_the_disk_is_raised_as_it_is_and_taken_back_too(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    FullDisk(monkeypatch, ".idx", 10, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        store.append(KEY, [out(b"abc")])
    assert (tmp_path / f"{KEY}.log").read_bytes() == b""
    assert plain_format.extents(tmp_path, KEY) == []


@pytest.mark.bad_input("a disk that fills")
def test_a_finish_that_does_not_fit_leaves_the_log_open(store: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    store.append(KEY, [out(b"abc")])
    FullDisk(monkeypatch, ".idx", 47)
    with pytest.raises(StorageFull):
        store.finish(KEY)
    monkeypatch.undo()
    assert store.append(KEY, [out(b"d")], offset=3).received == 4
    assert store.finish(KEY).end.finished


@pytest.mark.bad_input("a disk that fills")
def test_a_log_that_cannot_be_created_can_be_created_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = ChunkStore(tmp_path)
    FullDisk(monkeypatch, ".idx", 7)
    with pytest.raises(StorageFull):
        store.create(KEY)
    monkeypatch.undo()
    store.create(KEY)
    assert store.append(KEY, [out(b"x")], offset=0).received == 1


LIMITS = Limits(10, 100)


@pytest.mark.bad_input("a disk that fills")
@pytest.mark.parametrize("room", [0, 1, 8, 40])
@pytest.mark.parametrize("suffix", [".log", ".tail", ".tail.new", ".idx"])
def test_past_a_logs_limit_all_of_a_body_is_taken_back_as_well(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, room: int
):
    store.append(KEY, [out(b"head line\n")], limits=LIMITS)
    received = 10
    refused = 0
    for number in range(200):
        body = [out(b"%05d" % number), Entry(2, b"a header\n"), err(b"five\n" * 20)]
        before = [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")]
        FullDisk(monkeypatch, suffix, room)
        try:
            received = store.append(KEY, body, offset=received, limits=LIMITS).received
        except StorageFull:
            refused += 1
            assert [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")] == before
            assert not (tmp_path / f"{KEY}.tail.new").exists()
            monkeypatch.undo()
            received = store.append(KEY, body, offset=received, limits=LIMITS).received
        monkeypatch.undo()
    assert refused
    finished = store.finish(KEY, received)
    assert finished.end.omitted == 200 * 105 - 95
    assert read_back(store)[-1] == (1, b"five\n" * 19)
    plain_format.extents(tmp_path, KEY)


@pytest.mark.bad_input("a disk that fills")
@pytest.mark.parametrize(("suffix", "room"), [(".log", 0), (".log", 40), (".idx", 0), (".idx", 47), (".idx", 100)])
def test_a_finish_with_a_tail_that_does_not_fit_keeps_the_tail(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, room: int
):
    store.append(KEY, [out(b"head line\nthe tail\nof this log\n")], limits=LIMITS)
    FullDisk(monkeypatch, suffix, room)
    with pytest.raises(StorageFull):
        store.finish(KEY)
    monkeypatch.undo()
    assert store.append(KEY, [out(b"goes on\n")], offset=31, limits=LIMITS).received == 39
    store.finish(KEY)
    assert read_back(store)[-1] == (0, b"the tail\nof this log\ngoes on\n")


@pytest.mark.bad_input("a disk that fills")
def test_a_disk_that_says_only_at_the_sync_that_it_is_full_leaves_the_log_open(
    store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store.append(KEY, [out(b"abc")])
    before = [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")]

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(StorageFull, match=KEY):
        store.finish(KEY)
    assert [(tmp_path / f"{KEY}{end}").read_bytes() for end in (".log", ".idx")] == before
    monkeypatch.undo()
    assert store.finish(KEY).end.finished
