"""Moving a sealed log to another store: readable at every instant, and nothing is removed that did not come back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import (
    Archive,
    ArchiveAway,
    ArchiveDiffers,
    ChunkStore,
    CorruptSealed,
    Form,
    LogFinished,
    LogLocked,
    NoSuchLog,
    NotSealed,
    moving,
)
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.lines import read_lines
from logviewer.chunkstore.marking import extend_marks
from logviewer.chunkstore.moving import move_log
from logviewer.chunkstore.sources import Source
from tests.archives import ask_again
from tests.object_store import BUCKET, ObjectStore
from tests.unit.chunkstore.logs import KEY, err, out, read_back

WAIT_SECONDS = 20
TEXT = b"".join(b"line %06d of the build\n" % number for number in range(100_000))  # 2.6 MB: three frames


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def store(root: Path, archive: Archive) -> Iterator[ChunkStore]:
    """A store with a sealed log, and with the archive of this run."""
    store = ChunkStore(root, archive=archive)
    write_sealed_log(store)
    yield store
    store.close()


def write_sealed_log(store: ChunkStore) -> None:
    """Write a log of two channels, and seal it."""
    store.create(KEY)
    for place in range(0, len(TEXT), 50_000):
        entry = (out, err)[place // 50_000 % 2]
        store.append(KEY, [entry(TEXT[place : place + 50_000])])
    store.finish(KEY)
    store.seal(KEY)
    log_files(store.root, KEY).marks.write_bytes(b"marks of this log")


def move(store: ChunkStore, archive: Archive | None = None) -> None:
    if archive is None:
        store.move(KEY)
    else:
        move_log(store.root, log_files(store.root, KEY), archive)


def local_files(store: ChunkStore) -> set[str]:
    """The suffixes of the files that are here."""
    files = log_files(store.root, KEY)
    found = {".log.zst": files.sealed, ".marks": files.marks, ".idx": files.index}
    return {suffix for suffix, path in found.items() if path.exists()}


ALL = {".log.zst", ".marks", ".idx"}


class Through:
    """An archive that hands all calls on, and calls `before` with what is done and with the file's name."""

    def __init__(self, archive: Archive, before: Callable[[str, str], None]) -> None:
        self._archive = archive
        self._before = before

    def open(self, name: str) -> Source:
        self._before("open", name)
        return self._archive.open(name)

    def save(self, name: str, path: Path) -> None:
        self._before("save", name)
        self._archive.save(name, path)
        self._before("saved", name)

    def delete(self, name: str) -> None:
        self._before("delete", name)
        self._archive.delete(name)

    def revoke(self) -> None:
        self._archive.revoke()


class Died(BaseException):
    """The process ended here."""


class Life:
    """Counts the steps of a process, before and after each removal of a file, and ends it at step `fatal`."""

    def __init__(self, fatal: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fatal = fatal
        self.steps = 0
        self._monkeypatch = monkeypatch

    def step(self, *_what: Any) -> None:
        self.steps += 1
        if self.steps == self.fatal:
            raise Died

    def move(self, store: ChunkStore) -> bool:
        """Move the log; False where the process died in it."""
        assert store.archive is not None
        unlink = Path.unlink

        def unlink_or_die(path: Path, missing_ok: bool = False) -> None:
            self.step()
            unlink(path, missing_ok)
            self.step()

        with self._monkeypatch.context() as patches:
            patches.setattr(Path, "unlink", unlink_or_die)
            try:
                move(store, Through(store.archive, self.step))
            except Died:
                return False
        return True


def test_a_moved_log_reads_as_before_and_nothing_of_it_stays_here(store: ChunkStore) -> None:
    before = read_back(store, max_bytes=200_000)
    with store.reader(KEY) as reader:
        end, tail, middle = reader.end(), reader.tail(1000), reader.position(1_234_567)
    move(store)
    assert local_files(store) == set()
    assert list(store.root.iterdir()) == []
    assert read_back(store, max_bytes=200_000) == before
    with store.reader(KEY) as reader:
        assert (reader.end(), reader.tail(1000), reader.position(1_234_567)) == (end, tail, middle)
        assert reader.read(1_048_000, 2000) == TEXT[1_048_000:1_050_000]


def test_the_archive_has_the_files_as_they_were(store: ChunkStore) -> None:
    files = log_files(store.root, KEY)
    here = {path.name.partition(".")[2]: path.read_bytes() for path in (files.sealed, files.marks, files.index)}
    move(store)
    assert store.archive is not None
    for suffix, content in here.items():
        source = store.archive.open(f"{KEY}.{suffix}")
        assert source.read(0, source.size()) == content
        source.close()


def test_moving_again_changes_nothing(store: ChunkStore) -> None:
    move(store)
    before = read_back(store, max_bytes=200_000)
    move(store)
    assert read_back(store, max_bytes=200_000) == before


def test_a_log_without_marks_moves_as_well(store: ChunkStore) -> None:
    log_files(store.root, KEY).marks.unlink()
    move(store)
    assert local_files(store) == set()


def test_lines_far_in_need_no_more_of_a_moved_log_than_its_marks_say(
    root: Path, s3_archive: Archive, object_store: ObjectStore
) -> None:
    store = ChunkStore(root, archive=s3_archive)
    store.create(KEY)
    text = b"".join(b"%s\n" % hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(100_000))
    for place in range(0, len(text), 1_000_000):
        store.append(KEY, [out(text[place : place + 1_000_000])])
    store.finish(KEY)
    with store.reader(KEY) as reader:
        extend_marks(reader)
    store.seal(KEY)
    size = log_files(root, KEY).sealed.stat().st_size
    store.move(KEY)
    opened: list[str] = []
    store.archive = Through(s3_archive, lambda what, name: opened.append(name.removeprefix(KEY)))
    read_before = object_store.proxy.bytes_answered
    with store.reader(KEY) as reader:
        lines = read_lines(reader, 50_001, 10).lines
    assert lines[0].runs[0][1] == hashlib.sha256(b"50000").hexdigest()
    assert ".marks" in opened
    assert object_store.proxy.bytes_answered - read_before < size / 2
    store.close()


def test_a_reader_in_the_middle_goes_on(store: ChunkStore) -> None:
    with store.reader(KEY) as reader:
        first = reader.frame(0, max_bytes=1000)
        assert first is not None
        move(store)
        rest = reader.frame(first.end, max_bytes=200_000)
        assert rest is not None
        assert first.data + rest.data == TEXT[: rest.end]


def test_whenever_moving_dies_the_log_is_readable_and_moving_again_completes_it(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_back(store, max_bytes=500_000)
    fatal = 1
    while not Life(fatal, monkeypatch).move(store):
        assert read_back(store, max_bytes=500_000) == expected
        fatal += 1
    assert read_back(store, max_bytes=500_000) == expected
    assert fatal >= 8
    assert local_files(store) == set()


@pytest.mark.parametrize("fatal", range(1, 19))
def test_from_the_beginning_to_any_step_as_well(
    root: Path, file_archive: Archive, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    store = ChunkStore(root, archive=file_archive)
    write_sealed_log(store)
    expected = read_back(store, max_bytes=500_000)
    assert not Life(fatal, monkeypatch).move(store)
    assert read_back(store, max_bytes=500_000) == expected
    move(store)
    assert local_files(store) == set()
    assert read_back(store, max_bytes=500_000) == expected
    store.close()


def damage(store: ChunkStore, name: str, change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Replace a file of the archive by something else."""
    assert store.archive is not None
    source = store.archive.open(name)
    path = tmp_path / "damaged"
    path.write_bytes(change(source.read(0, source.size())))
    source.close()
    store.archive.save(name, path)


@pytest.mark.bad_input("an object of another store that is truncated or swapped")
@pytest.mark.parametrize("suffix", [".log.zst", ".marks", ".idx"])
@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda _data: b"of another log"],
    ids=["truncated", "a bit flipped", "swapped"],
)
def test_what_comes_back_different_is_noticed_before_anything_is_removed(
    store: ChunkStore, tmp_path: Path, suffix: str, change: Callable[[bytes], bytes]
) -> None:
    expected = read_back(store, max_bytes=500_000)

    def damage_when_saved(what: str, name: str) -> None:
        if what == "saved" and name == KEY + suffix:
            damage(store, name, change, tmp_path)

    assert store.archive is not None
    with pytest.raises(ArchiveDiffers, match="kept here"):
        move(store, Through(store.archive, damage_when_saved))
    assert local_files(store) == ALL
    assert read_back(store, max_bytes=500_000) == expected
    move(store)
    assert local_files(store) == set()
    assert read_back(store, max_bytes=500_000) == expected


def test_a_store_that_goes_away_in_the_middle_loses_nothing(
    root: Path, s3_archive: Any, object_store: ObjectStore
) -> None:
    store = ChunkStore(root, archive=s3_archive)
    write_sealed_log(store)
    expected = read_back(store, max_bytes=500_000)

    def go_before_the_index(what: str, name: str) -> None:
        if what == "save" and name.endswith(".idx"):
            object_store.proxy.go()

    with pytest.raises(ArchiveAway, match=f"s3://{BUCKET}"):
        move(store, Through(s3_archive, go_before_the_index))
    assert local_files(store) == ALL
    assert read_back(store, max_bytes=500_000) == expected
    object_store.proxy.come()
    ask_again(s3_archive)
    saved: list[str] = []
    move(store, Through(s3_archive, lambda what, name: saved.append(name) if what == "saved" else None))
    assert saved == [f"{KEY}.idx"]  # what had arrived is not sent again
    assert read_back(store, max_bytes=500_000) == expected
    store.close()


def test_two_that_move_at_once_are_kept_apart(store: ChunkStore) -> None:
    entered, gate = threading.Event(), threading.Event()

    def wait_at_the_first(what: str, _name: str) -> None:
        if what == "save":
            entered.set()
            assert gate.wait(WAIT_SECONDS)

    assert store.archive is not None
    first = threading.Thread(target=move, args=(store, Through(store.archive, wait_at_the_first)))
    first.start()
    assert entered.wait(WAIT_SECONDS)
    with pytest.raises(LogLocked):
        move(store)
    gate.set()
    first.join(WAIT_SECONDS)
    assert local_files(store) == set()
    move(store)


def test_a_log_says_where_it_lies(store: ChunkStore) -> None:
    assert store.form(KEY) == Form.SEALED
    move(store)
    assert store.form(KEY) == Form.ARCHIVED


def test_what_a_writer_sends_again_is_still_known(store: ChunkStore) -> None:
    finished = store.finish(KEY)
    move(store)
    assert store.append(KEY, [out(TEXT[:50_000])], offset=0).received == len(TEXT)
    assert store.finish(KEY) == finished
    with pytest.raises(LogFinished):
        store.append(KEY, [out(b"more")], offset=len(TEXT))


def test_a_deleted_log_is_gone_in_both_places(store: ChunkStore) -> None:
    move(store)
    store.delete(KEY)
    store.delete(KEY)
    assert store.archive is not None
    for suffix in ALL:
        with pytest.raises(FileNotFoundError):
            store.archive.open(KEY + suffix)
    with pytest.raises(NoSuchLog):
        store.reader(KEY)


def test_a_log_is_not_deleted_while_it_is_moved(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "LOCK_WAIT_SECONDS", 0.0)
    refused: list[bool] = []

    def delete(what: str, _name: str) -> None:
        if what == "saved":
            with pytest.raises(LogLocked):
                store.delete(KEY)
            refused.append(True)

    assert store.archive is not None
    move(store, Through(store.archive, delete))
    assert refused
    assert local_files(store) == set()


def test_a_plain_log_is_deleted_while_the_other_store_is_away(
    root: Path, s3_archive: Archive, object_store: ObjectStore
) -> None:
    store = ChunkStore(root, archive=s3_archive)
    store.create(KEY)
    object_store.proxy.go()
    store.delete(KEY)
    assert not log_files(root, KEY).index.exists()
    store.close()


def test_without_an_archive_nothing_moves(root: Path) -> None:
    store = ChunkStore(root)
    with pytest.raises(ValueError, match="no archive"):
        store.move(KEY)


@pytest.mark.parametrize("archive", ["file_archive"], indirect=True)
def test_a_log_that_is_not_sealed_stays(store: ChunkStore) -> None:
    log_files(store.root, KEY).text.write_bytes(TEXT)
    with pytest.raises(NotSealed):
        move(store)
    assert local_files(store) == ALL


@pytest.mark.parametrize("archive", ["file_archive"], indirect=True)
def test_a_log_that_is_nowhere_is_an_error(store: ChunkStore, archive: Archive) -> None:
    with pytest.raises(NoSuchLog):
        move_log(store.root, log_files(store.root, "demo/none-1"), archive)


@pytest.mark.parametrize("archive", ["file_archive"], indirect=True)
def test_an_index_whose_text_is_nowhere_is_kept(store: ChunkStore) -> None:
    log_files(store.root, KEY).sealed.unlink()
    with pytest.raises(CorruptSealed, match="neither"):
        move(store)
    assert local_files(store) == {".idx", ".marks"}
