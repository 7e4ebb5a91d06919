import os
from pathlib import Path

import pytest

from logviewer.chunkstore import (
    ChunkStore,
    ChunkStoreError,
    CorruptIndex,
    Entry,
    InvalidAppend,
    LogFinished,
    NoSuchLog,
    OffsetGap,
    OverlapDiffers,
)
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, err, out, read_back

NOTICE = b"\n%d bytes of output were lost by the build machine here\n"
NOW_US = 1_700_000_000_000_000


def files(root: Path) -> tuple[bytes, bytes]:
    return (root / f"{KEY}.log").read_bytes(), (root / f"{KEY}.idx").read_bytes()


def test_an_empty_log_is_a_header_and_nothing(store: ChunkStore, tmp_path: Path):
    assert files(tmp_path) == (b"", b"BLOGIDX1" + bytes([1, 0, 0, 0, 48, 0, 0, 0]) + bytes(48))
    assert read_back(store) == []


def test_creating_again_changes_nothing(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"a")])
    before = files(tmp_path)
    store.create(KEY)
    assert files(tmp_path) == before


def test_what_is_appended_lies_in_the_text_as_it_came_and_in_the_index_as_the_contract_says(
    store: ChunkStore, tmp_path: Path
):
    store.append(KEY, [out(b"one\n"), out(b"two"), err(b"\xff\0\r\n")], arrived_us=NOW_US)
    appended = store.append(KEY, [Entry(2, b"tail", 5)], offset=11, arrived_us=NOW_US)

    assert plain_format.extents(tmp_path, KEY) == [
        (0, 0, 7, NOW_US, 0, 0, b"one\ntwo"),
        (7, 1, 11, NOW_US, 1, 0, b"\xff\0\r\n"),
        (11, 2, 15, 5, 2, 0, b"tail"),
    ]
    assert appended.received == 15
    assert appended.end == (15, 3, 15, False, 0, 5)


def test_a_body_without_an_offset_is_appended_as_it_comes_each_time(store: ChunkStore):
    store.append(KEY, [out(b"a")])
    assert store.append(KEY, [out(b"a")]).received == 2


def test_an_empty_body_stores_nothing(store: ChunkStore, tmp_path: Path):
    before = files(tmp_path)
    assert store.append(KEY, []).received == 0
    assert store.append(KEY, [out(b"")], offset=0).received == 0
    assert files(tmp_path) == before


@pytest.mark.bad_input("a hole in offsets")
def test_an_offset_beyond_what_was_received_is_a_gap_and_stores_nothing(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")], offset=0)
    before = files(tmp_path)
    for entries, skip in (([out(b"x")], 0), ([], 0), ([out(b"x")], 9)):
        with pytest.raises(OffsetGap) as caught:
            store.append(KEY, entries, offset=4, skip=skip)
        assert caught.value.received == 3
    assert files(tmp_path) == before


def test_a_body_that_is_sent_again_is_not_stored_again(store: ChunkStore, tmp_path: Path):
    body = [out(b"abc"), err(b"def")]
    store.append(KEY, body, offset=0)
    before = files(tmp_path)
    assert store.append(KEY, body, offset=0).received == 6
    assert store.append(KEY, [out(b"c"), err(b"d")], offset=2).received == 6
    assert files(tmp_path) == before


def test_only_what_is_new_of_a_body_is_stored(store: ChunkStore):
    store.append(KEY, [out(b"abc"), err(b"d")], offset=0)
    assert store.append(KEY, [out(b"c"), err(b"def"), out(b"g")], offset=2).received == 7
    assert read_back(store) == [(0, b"abc"), (1, b"def"), (0, b"g")]


@pytest.mark.bad_input("known bytes that differ")
@pytest.mark.parametrize(
    ("entries", "offset", "position"),
    [
        ([out(b"abX"), err(b"def")], 0, 2),
        ([out(b"abcd"), err(b"ef")], 0, 3),
        ([err(b"abc"), err(b"def")], 0, 0),
        ([err(b"dXf"), out(b"new")], 3, 4),
        ([err(b"d"), out(b"e"), err(b"f")], 3, 4),
        ([out(b"c"), err(b"deF"), out(b"new")], 2, 5),
    ],
)
def test_known_bytes_that_differ_are_refused_with_all_of_the_body(
    store: ChunkStore, tmp_path: Path, entries: list[Entry], offset: int, position: int
):
    store.append(KEY, [out(b"abc"), err(b"def")], offset=0)
    before = files(tmp_path)
    with pytest.raises(OverlapDiffers) as caught:
        store.append(KEY, entries, offset=offset)
    assert (caught.value.position, caught.value.received) == (position, 6)
    assert files(tmp_path) == before


def test_lost_bytes_leave_one_notice_and_count_as_received(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")], offset=0, arrived_us=NOW_US)
    appended = store.append(KEY, [err(b"def\n")], offset=3, skip=42, arrived_us=NOW_US)

    notice = NOTICE % 42
    assert plain_format.extents(tmp_path, KEY) == [
        (0, 0, 3, NOW_US, 0, 0, b"abc"),
        (3, 0, 45, NOW_US, 2, 0b101, notice),
        (3 + len(notice), 2, 49, NOW_US, 1, 0, b"def\n"),
    ]
    assert appended.received == 49
    assert appended.end == (7 + len(notice), 3, 49, False, 42, NOW_US)
    with store.reader(KEY) as reader:
        assert reader.end() == appended.end


def test_a_body_that_skips_may_be_sent_again(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")], offset=0)
    store.append(KEY, [err(b"def")], offset=3, skip=42)
    before = files(tmp_path)
    assert store.append(KEY, [err(b"def")], offset=3, skip=42).received == 48
    assert store.append(KEY, [], offset=3, skip=42).received == 48
    assert files(tmp_path) == before
    with pytest.raises(OverlapDiffers):
        store.append(KEY, [err(b"dXf")], offset=3, skip=42)


def test_only_the_lost_bytes_that_were_not_received_are_noticed(store: ChunkStore):
    store.append(KEY, [out(b"abcdef")], offset=0)
    assert store.append(KEY, [out(b"g")], offset=4, skip=10).received == 15
    assert read_back(store) == [(0, b"abcdef"), (2, NOTICE % 8), (0, b"g")]


def test_one_lost_byte_is_told_in_the_singular(store: ChunkStore):
    store.append(KEY, [], offset=0, skip=1)
    assert read_back(store) == [(2, b"\n1 byte of output was lost by the build machine here\n")]


def test_bytes_that_were_lost_cannot_be_compared_and_pass_as_known(store: ChunkStore):
    store.append(KEY, [out(b"abc")], offset=0)
    store.append(KEY, [out(b"def")], offset=3, skip=4)
    assert store.append(KEY, [out(b"abcXXXXdefghi")], offset=0).received == 13
    assert read_back(store) == [(0, b"abc"), (2, NOTICE % 4), (0, b"defghi")]
    with pytest.raises(OverlapDiffers):
        store.append(KEY, [out(b"abcXXXXdeX")], offset=0)


@pytest.mark.parametrize(("offset", "skip"), [(None, 3), (-1, 0), (0, -1), (0, 2**64)])
def test_contradictory_arguments_are_the_callers_fault(store: ChunkStore, offset: int | None, skip: int):
    with pytest.raises(InvalidAppend):
        store.append(KEY, [out(b"x")], offset=offset, skip=skip)
    with pytest.raises(ValueError, match=r"offset|skip"):
        store.append(KEY, [out(b"x")], offset=offset, skip=skip)


@pytest.mark.bad_input("a log that is finished")
def test_a_finished_log_accepts_what_it_knows_and_nothing_else(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")], offset=0)
    store.finish(KEY)
    before = files(tmp_path)
    assert store.append(KEY, [out(b"bc")], offset=1).received == 3
    assert store.append(KEY, []).received == 3
    for entries, offset, skip in (([out(b"c")], None, 0), ([out(b"cd")], 2, 0), ([out(b"x")], 7, 0), ([], 3, 1)):
        with pytest.raises(LogFinished) as caught:
            store.append(KEY, entries, offset=offset, skip=skip)
        assert caught.value.received == 3
    with pytest.raises(OverlapDiffers):
        store.append(KEY, [out(b"X")], offset=2)
    assert files(tmp_path) == before


def test_a_log_that_was_never_created_is_not_there(store: ChunkStore):
    for call in (
        lambda: store.append("no/log", [out(b"x")]),
        lambda: store.reader("no/log"),
        lambda: store.finish("no"),
    ):
        with pytest.raises(NoSuchLog):
            call()


def test_a_deleted_log_is_gone_and_may_be_deleted_again(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")])
    with store.reader(KEY) as reader:
        store.delete(KEY)
        assert reader.frame(0).data == b"abc"
    store.delete(KEY)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NoSuchLog):
        store.append(KEY, [out(b"x")])


def test_a_log_of_the_same_key_begins_anew_after_a_deletion(store: ChunkStore):
    store.append(KEY, [out(b"abc")], offset=0)
    store.delete(KEY)
    store.create(KEY)
    assert store.append(KEY, [out(b"x")], offset=0).received == 1
    assert read_back(store) == [(0, b"x")]


def test_a_deleted_log_gives_its_space_back(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")])
    assert open_files_below(tmp_path) != []
    store.delete(KEY)
    assert open_files_below(tmp_path) == []


def open_files_below(root: Path) -> list[str]:
    names = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]  # noqa: PTH115
    return [name for name in names if name.startswith(str(root))]


def test_deleting_one_log_leaves_the_others(store: ChunkStore):
    store.create(f"{KEY}8")
    store.delete(KEY)
    assert store.append(f"{KEY}8", [out(b"x")]).received == 1


def test_more_logs_than_may_be_open_are_written_all_the_same(tmp_path: Path):
    store = ChunkStore(tmp_path, max_open=3)
    keys = [f"log-{number}" for number in range(10)]
    for key in keys:
        store.create(key)
    for turn in range(5):
        for key in keys:
            assert store.append(key, [out(b"x\n")], offset=2 * turn).received == 2 * turn + 2
    for key in keys:
        assert read_back(store, key) == [(0, b"x\n" * 5)]
    store.close()


def test_a_closed_store_says_so(store: ChunkStore):
    store.close()
    with pytest.raises(ChunkStoreError, match="closed"):
        store.append(KEY, [out(b"x")])


def test_a_text_without_its_index_is_reported_and_left_alone(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")])
    (tmp_path / f"{KEY}.idx").write_bytes(b"")
    with pytest.raises(CorruptIndex, match="no header"):
        store.create(KEY)
    assert (tmp_path / f"{KEY}.log").read_bytes() == b"abc"


@pytest.mark.parametrize("cut", [0, 1, 63])
def test_a_creation_that_was_cut_short_is_completed(store: ChunkStore, tmp_path: Path, cut: int):
    index = tmp_path / f"{KEY}.idx"
    index.write_bytes(index.read_bytes()[:cut])
    with pytest.raises(NoSuchLog):
        store.reader(KEY)
    store.create(KEY)
    assert store.append(KEY, [out(b"abc")], offset=0).received == 3
    assert len(plain_format.extents(tmp_path, KEY)) == 1
