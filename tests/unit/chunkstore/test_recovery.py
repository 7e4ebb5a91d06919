"""Torn appends, lost power, damage: etcd's repair_test is the model."""

import logging
import os
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, CorruptIndex, Entry
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, err, out, read_back

pytestmark = pytest.mark.usefixtures("read_independently_afterwards")

BODIES = [[out(b"one\n"), err(b"two")], [out(b"three\n")], [err(b"4"), out(b""), err(b"5"), out(b"six")]]
PAYLOAD = b"one\ntwothree\n45six"
ENDS = [0, 4, 7, 13, 15, 18]


def write_log(root: Path, policy: str = "never") -> None:
    store = ChunkStore(root, fsync=policy)
    store.create(KEY)
    for body in BODIES:
        store.append(KEY, body)
    store.close()


def send_all(root: Path) -> None:
    """Do what a writer does after a crash: ask where to go on, send the rest, and some of what is known again."""
    store = ChunkStore(root)
    received = store.append(KEY, []).received
    assert received in ENDS
    whole = [entry for body in BODIES for entry in body]
    assert store.append(KEY, whole, offset=0).received == len(PAYLOAD)
    assert read_back(store) == [(0, b"one\n"), (1, b"two"), (0, b"three\n"), (1, b"45"), (0, b"six")]
    store.close()
    assert b"".join(extent.data for extent in plain_format.extents(root, KEY)) == PAYLOAD


@pytest.mark.parametrize("cut", range(len(PAYLOAD) + 1))
def test_a_text_cut_at_any_byte_is_repaired_and_can_be_continued(tmp_path: Path, cut: int):
    write_log(tmp_path)
    os.truncate(tmp_path / f"{KEY}.log", cut)
    store = ChunkStore(tmp_path)
    assert store.append(KEY, []).received == max(end for end in ENDS if end <= cut)
    assert (tmp_path / f"{KEY}.log").read_bytes() == PAYLOAD[: max(end for end in ENDS if end <= cut)]
    send_all(tmp_path)


@pytest.mark.parametrize("cut", range(64, 64 + 5 * 48 + 1))
def test_an_index_cut_at_any_byte_is_repaired_and_can_be_continued(tmp_path: Path, cut: int):
    write_log(tmp_path)
    os.truncate(tmp_path / f"{KEY}.idx", cut)
    store = ChunkStore(tmp_path)
    assert store.append(KEY, []).received == ENDS[(cut - 64) // 48]
    send_all(tmp_path)


@pytest.mark.parametrize("place", range(64 + 2 * 48, 64 + 3 * 48))
def test_any_flipped_byte_of_an_unsynced_record_cuts_the_log_there(
    tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
):
    write_log(tmp_path)
    flip(tmp_path / f"{KEY}.idx", place)
    store = ChunkStore(tmp_path)
    with caplog.at_level(logging.WARNING, "logviewer.chunkstore"):
        assert store.append(KEY, []).received == ENDS[2]
    assert "record 2" in caplog.text
    assert f"{KEY}.idx" in caplog.text
    send_all(tmp_path)


@pytest.mark.parametrize("place", range(7, 13))
def test_any_flipped_byte_of_an_unsynced_extent_cuts_the_log_there(tmp_path: Path, place: int):
    write_log(tmp_path)
    flip(tmp_path / f"{KEY}.log", place)
    store = ChunkStore(tmp_path)
    assert store.append(KEY, []).received == ENDS[2]
    send_all(tmp_path)


@pytest.mark.parametrize("junk", [b"x", bytes(48), bytes(500), b"x" * 48])
def test_what_lies_beyond_the_last_whole_record_is_cut(tmp_path: Path, junk: bytes):
    write_log(tmp_path, "always")
    for suffix in (".idx", ".log"):
        with (tmp_path / f"{KEY}{suffix}").open("ab") as file:
            file.write(junk)
    store = ChunkStore(tmp_path)
    assert store.append(KEY, []).received == len(PAYLOAD)
    assert (tmp_path / f"{KEY}.log").read_bytes() == PAYLOAD
    send_all(tmp_path)


def test_nothing_is_said_of_a_log_that_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_log(tmp_path)
    with caplog.at_level(logging.DEBUG, "logviewer.chunkstore"):
        send_all(tmp_path)
    assert caplog.text == ""


def test_a_record_behind_the_end_record_is_cut(tmp_path: Path):
    write_log(tmp_path)
    store = ChunkStore(tmp_path)
    before = store.finish(KEY).end
    index = tmp_path / f"{KEY}.idx"
    index.write_bytes(index.read_bytes() + index.read_bytes()[-48:])
    assert store.append(KEY, []).end == before
    assert len(plain_format.extents(tmp_path, KEY)) == 6


@pytest.mark.damaged
@pytest.mark.parametrize(
    "damage",
    [
        lambda root: os.truncate(root / f"{KEY}.log", 17),
        lambda root: os.truncate(root / f"{KEY}.log", 3),
        lambda root: os.truncate(root / f"{KEY}.idx", 64 + 4 * 48),
        lambda root: os.truncate(root / f"{KEY}.idx", 64 + 5 * 48 - 1),
        lambda root: flip(root / f"{KEY}.idx", 64 + 4 * 48 + 3),
        lambda root: flip(root / f"{KEY}.idx", 64 + 4 * 48 + 36),
        lambda root: flip(root / f"{KEY}.log", 16),
        lambda root: flip(root / f"{KEY}.idx", 0),
        lambda root: flip(root / f"{KEY}.idx", 8),
        lambda root: flip(root / f"{KEY}.idx", 12),
        lambda root: os.truncate(root / f"{KEY}.idx", 60),
        lambda root: (root / f"{KEY}.log").unlink(),
    ],
)
def test_damage_to_what_was_on_stable_storage_is_reported_and_nothing_is_changed(tmp_path: Path, damage):
    write_log(tmp_path, "always")
    damage(tmp_path)
    before = [(path, path.read_bytes()) for path in sorted(tmp_path.rglob("*.*"))]
    store = ChunkStore(tmp_path)
    for _again in range(2):
        with pytest.raises(CorruptIndex, match=f"{KEY}.idx"):
            store.append(KEY, [out(b"x")])
    assert [(path, path.read_bytes()) for path in sorted(tmp_path.rglob("*.*"))] == before


@pytest.mark.damaged
def test_damage_before_the_last_synced_record_does_not_hinder_appending(tmp_path: Path):
    write_log(tmp_path, "always")
    flip(tmp_path / f"{KEY}.idx", 64 + 48)
    flip(tmp_path / f"{KEY}.log", 1)
    store = ChunkStore(tmp_path)
    assert store.append(KEY, [out(b"x")], offset=18).received == 19
    assert (tmp_path / f"{KEY}.log").read_bytes()[-4:] == b"sixx"


def test_a_log_that_shrinks_behind_an_open_store_is_repaired_too(tmp_path: Path):
    write_log(tmp_path)
    store = ChunkStore(tmp_path, fsync="never")
    assert store.append(KEY, []).received == 18
    os.truncate(tmp_path / f"{KEY}.log", 14)
    assert store.append(KEY, [Entry(1, b"45")], offset=13).received == 15
    os.truncate(tmp_path / f"{KEY}.idx", 64 + 2 * 48)
    assert store.append(KEY, []).received == 7
    send_all(tmp_path)


def test_what_another_process_left_torn_is_repaired_by_the_next_append(tmp_path: Path):
    write_log(tmp_path)
    store = ChunkStore(tmp_path, fsync="never")
    store.append(KEY, [])
    with (tmp_path / f"{KEY}.log").open("ab") as text:
        text.write(b"text was written, its index not")
    assert store.append(KEY, [out(b"seven")], offset=18).received == 23
    assert read_back(store)[-1] == (0, b"sixseven")


def test_omitted_bytes_are_counted_again_after_opening(tmp_path: Path):
    for policy in ("never", "always"):
        key = f"log-{policy}"
        store = ChunkStore(tmp_path, fsync=policy)
        store.create(key)
        for turn in range(3):
            store.append(key, [out(b"x")], offset=turn * 11, skip=10)
        expected = store.append(key, []).end
        assert expected.omitted == 30
        opened = ChunkStore(tmp_path)
        assert opened.append(key, []).end == expected
        with opened.reader(key) as reader:
            assert reader.end() == expected


def flip(path: Path, place: int) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)


def test_a_reader_is_never_shown_what_recovery_takes_back(tmp_path: Path):
    write_log(tmp_path)
    text = tmp_path / f"{KEY}.log"
    text.write_bytes(PAYLOAD[:7] + bytes(len(PAYLOAD) - 7))  # zeros where pages had not reached the disk
    store = ChunkStore(tmp_path)
    with store.reader(KEY) as reader:
        assert reader.end().size == 7
        frame = reader.frame(0)
        assert frame is not None
        assert frame.data == PAYLOAD[:7]
    assert text.read_bytes() == PAYLOAD[:7]


def test_a_log_that_is_on_stable_storage_is_read_without_its_lock(tmp_path: Path):
    write_log(tmp_path)
    store = ChunkStore(tmp_path)
    store.finish(KEY)
    store.close()
    other = ChunkStore(tmp_path)
    other.reader(KEY).close()
    assert not other._appenders.knows(KEY)


def test_a_log_that_cannot_be_written_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_log(tmp_path)

    def refused(*_: object) -> None:
        raise PermissionError

    store = ChunkStore(tmp_path)
    monkeypatch.setattr("logviewer.chunkstore.appender.LogAppender.acquire", refused)
    with store.reader(KEY) as reader:
        assert reader.end().size == len(PAYLOAD)
