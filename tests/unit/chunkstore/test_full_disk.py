import errno
import os
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, StorageFull
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, err, out, read_back

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


def test_a_finish_that_does_not_fit_leaves_the_log_open(store: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    store.append(KEY, [out(b"abc")])
    FullDisk(monkeypatch, ".idx", 47)
    with pytest.raises(StorageFull):
        store.finish(KEY)
    monkeypatch.undo()
    assert store.append(KEY, [out(b"d")], offset=3).received == 4
    assert store.finish(KEY).end.finished


def test_a_log_that_cannot_be_created_can_be_created_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = ChunkStore(tmp_path)
    FullDisk(monkeypatch, ".idx", 7)
    with pytest.raises(StorageFull):
        store.create(KEY)
    monkeypatch.undo()
    store.create(KEY)
    assert store.append(KEY, [out(b"x")], offset=0).received == 1
