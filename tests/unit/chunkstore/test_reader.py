import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, CorruptIndex, Entry
from logviewer.chunkstore.index import Index
from tests.unit.chunkstore.logs import KEY, err, joined, out, read_back

NOW_US = 1_700_000_000_000_000


def test_a_frame_says_where_it_is_whose_its_bytes_are_and_when(store: ChunkStore):
    store.append(KEY, [out(b"a\nb\n", NOW_US), err(b"c", NOW_US), out(b"d\n", NOW_US + 7_000)])
    with store.reader(KEY) as reader:
        frame = reader.frame(0)
        assert frame == (0, 1, [(0, 4, NOW_US), (1, 1, NOW_US), (0, 2, NOW_US + 7_000)], b"a\nb\ncd\n")
        assert frame.end == 7
        assert reader.frame(3) == (3, 2, [(0, 1, NOW_US), (1, 1, NOW_US), (0, 2, NOW_US + 7_000)], b"\ncd\n")
        assert reader.frame(7) is None
        assert reader.frame(99) is None


def test_neighbours_of_one_channel_and_millisecond_are_one_run(store: ChunkStore):
    for add_us in (0, 999, 1000, 1999):
        store.append(KEY, [out(b"x", NOW_US + add_us)])
    with store.reader(KEY) as reader:
        assert reader.frame(0).runs == [(0, 2, NOW_US), (0, 2, NOW_US + 1000)]


def test_neighbours_stay_apart_by_the_microsecond_for_whoever_asks(store: ChunkStore):
    for text, time_us in ((b"a", 7_000_001), (b"b", 7_000_001), (b"c", 7_000_002)):
        store.append(KEY, [out(text, time_us)])
    with store.reader(KEY) as reader:
        frame = reader.frame(0, precision_us=1)
    assert frame is not None
    assert frame.runs == [(0, 2, 7_000_001), (0, 1, 7_000_002)]


def test_text_is_read_as_it_lies(store: ChunkStore):
    store.append(KEY, [out(b"hello ", 1), err(b"world\n", 2)])
    with store.reader(KEY) as reader:
        assert reader.read(4, 4) == b"o wo"
        assert reader.read(8, 100) == b"rld\n"


def test_a_frame_ends_between_extents_where_one_fits_and_within_one_else(store: ChunkStore):
    store.append(KEY, [out(b"aaaa"), err(b"bb\nb"), out(b"cccc")])
    with store.reader(KEY) as reader:
        assert reader.frame(0, max_bytes=9).data == b"aaaabb\nb"
        assert reader.frame(0, max_bytes=7).data == b"aaaa"
        assert reader.frame(4, max_bytes=3).data == b"bb\n"
        assert reader.frame(7, max_bytes=3) == (7, 2, [(1, 1, reader.frame(7).runs[0][2])], b"b")


def test_a_frame_has_no_more_runs_than_asked_for(store: ChunkStore):
    store.append(KEY, [out(b"a"), err(b"b"), out(b"c"), err(b"d")])
    with store.reader(KEY) as reader:
        assert reader.frame(0, max_runs=3).data == b"abc"
        assert reader.frame(3, max_runs=3).data == b"d"
    for limit in (1, 2, 3):
        assert read_back(store, max_runs=limit) == [(0, b"a"), (1, b"b"), (0, b"c"), (1, b"d")]


def test_a_reader_sees_a_log_grow_and_finish(store: ChunkStore):
    with store.reader(KEY) as reader:
        assert reader.end() == (0, 0, 0, False, 0, None)
        assert reader.frame(0) is None
        offset = 0
        for turn in range(20):
            store.append(KEY, [out(b"line %d\nand" % turn), err(b"!")], arrived_us=NOW_US + turn)
            frame = reader.frame(offset)
            assert frame.data == b"line %d\nand!" % turn
            assert frame.line == turn + 1
            offset = frame.end
            assert reader.frame(offset) is None
            assert reader.end() == (offset, turn + 2, offset, False, 0, NOW_US + turn)
        store.finish(KEY)
        assert reader.end().finished
        assert reader.frame(offset) is None


def test_a_reader_goes_on_after_a_cut_that_it_did_not_see(store: ChunkStore, tmp_path: Path):
    for _turn in range(4):
        store.append(KEY, [out(b"ab\n")])
    with store.reader(KEY) as reader:
        assert reader.frame(0, max_bytes=10).data == b"ab\nab\nab\n"
        os.truncate(tmp_path / f"{KEY}.idx", 64 + 48)
        store.append(KEY, [out(b"AB\nAB\nAB\n")], offset=3)
        store.append(KEY, [out(b"x")])
        store.append(KEY, [out(b"y")])
        frame = reader.frame(9)
        assert (frame.data, frame.line) == (b"AB\nxy", 4)


def test_end_and_dropped_records_without_bytes_are_passed_over(store: ChunkStore):
    store.append(KEY, [out(b"abc")], offset=0)
    store.append(KEY, [], offset=3, skip=5)
    store.append(KEY, [out(b"def")], offset=8)
    store.finish(KEY)
    assert [channel for channel, _data in read_back(store, max_bytes=2)] == [0, 2, 0]


def test_nonsense_is_refused(store: ChunkStore):
    store.append(KEY, [out(b"abc")])
    with store.reader(KEY) as reader:
        for offset, max_bytes, max_runs in ((-1, 1, 1), (0, 0, 1), (0, 1, 0)):
            with pytest.raises(ValueError, match="no frame"):
                reader.frame(offset, max_bytes=max_bytes, max_runs=max_runs)
        for offset in (-1, 4):
            with pytest.raises(ValueError, match="not within"):
                reader.position(offset)
        with pytest.raises(ValueError, match="no number of lines"):
            reader.tail(-1)


def test_frame_after_frame_is_found_without_searching_again(store: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    for number in range(200):
        store.append(KEY, [Entry(number % 2, b"some line of text\n")])
    searches: list[int] = []
    search = Index.last_at_most

    def counted(index: Index, field: int, value: int, count: int) -> int:
        searches.append(value)
        return search(index, field, value, count)

    monkeypatch.setattr(Index, "last_at_most", counted)
    assert len(read_back(store, max_bytes=25)) == 200
    assert searches == []
    with store.reader(KEY) as reader:
        offset = 1000
        while frame := reader.frame(offset, max_bytes=25):
            offset = frame.end
    assert searches == [1000]


def test_a_reader_gives_its_descriptors_back(store: ChunkStore):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked
    with store.reader(KEY), store.reader(KEY):
        assert len(os.listdir("/proc/self/fd")) == before + 4  # noqa: PTH208
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


texts = st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([b"\n", b"a", b"ab\n", b"a\n\nb", b"x" * 70])))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, st.integers(0, 30))
def test_position_and_tail_agree_with_plain_counting_and_with_tail(store: ChunkStore, pieces, back: int):
    store.delete(KEY)
    store.create(KEY)
    for channel, data in pieces:
        store.append(KEY, [Entry(channel, data)])
    text = b"".join(data for _channel, data in pieces)
    with store.reader(KEY) as reader:
        for offset in range(len(text) + 1):
            assert reader.position(offset) == (offset, text[:offset].count(b"\n") + 1)
        expected = b"".join(text.splitlines(keepends=True)[-back:]) if back else b""
        start = reader.tail(back)
        assert text[start.offset :] == expected
        assert start.line == text[: start.offset].count(b"\n") + 1
        assert reader.end().lines == len(text.split(b"\n")) - (text[-1:] in (b"\n", b""))


def test_tail_starts_where_the_command_does(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"one\ntwo\r\nthree"), err(b"\n\nsix"), out(b" and more")])
    text = tmp_path / f"{KEY}.log"
    for lines in range(8):
        said = subprocess.run(["tail", "-n", str(lines), text], capture_output=True, check=True).stdout
        with store.reader(KEY) as reader:
            assert text.read_bytes()[reader.tail(lines).offset :] == said


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200), st.integers(1, 5)), max_size=12))
def test_frames_from_anywhere_in_any_order_are_the_text(store: ChunkStore, pieces, wanted):
    store.delete(KEY)
    store.create(KEY)
    for channel, data in pieces:
        store.append(KEY, [Entry(channel, data)])
    text = b"".join(data for _channel, data in pieces)
    channels = [channel for channel, data in pieces for _byte in data]
    with store.reader(KEY) as reader:
        for offset, max_bytes, max_runs in wanted:
            frame = reader.frame(offset, max_bytes=max_bytes, max_runs=max_runs)
            if offset >= len(text):
                assert frame is None
                continue
            assert frame.data == text[offset : frame.end]
            assert frame.line == text[:offset].count(b"\n") + 1
            assert [channel for channel, length, _time in frame.runs for _byte in range(length)] == channels[
                offset : frame.end
            ]
            assert len(frame.data) <= max_bytes
            assert len(frame.runs) <= max_runs


def test_a_log_of_many_slabs_of_records_reads_back(store: ChunkStore):
    pieces = [(number % 2, b"%d\n" % number) for number in range(3000)]
    store.append(KEY, [Entry(channel, data) for channel, data in pieces])
    assert read_back(store, max_bytes=5000) == joined(pieces)
    with store.reader(KEY) as reader:
        assert reader.tail(10) == (sum(len(data) for _channel, data in pieces[:-10]), 2991)


@pytest.mark.parametrize("cut", range(11))
def test_where_the_text_is_shorter_than_the_index_the_log_ends_with_the_text(
    store: ChunkStore, tmp_path: Path, cut: int
):
    store.append(KEY, [out(b"abc\n"), err(b"def"), out(b"ghij")])
    store.finish(KEY)
    with store.reader(KEY) as open_before:
        assert open_before.end().size == 11
        os.truncate(tmp_path / f"{KEY}.log", cut)
        with store.reader(KEY) as opened_after:
            for reader in (open_before, opened_after):
                end = reader.end()
                assert (end.size, end.received, end.finished) == (cut, cut, False)
                assert end.lines == (cut > 0) + (cut > 4)
    assert b"".join(data for _channel, data in read_back(store)) == b"abc\ndefghij"[:cut]


def test_records_that_a_loss_of_power_left_empty_are_not_read(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc\n"), err(b"def")])
    with (tmp_path / f"{KEY}.idx").open("ab") as index, (tmp_path / f"{KEY}.log").open("ab") as text:
        index.write(bytes(48 * 3))
        text.write(bytes(100))
    with store.reader(KEY) as reader:
        assert reader.end()[:4] == (7, 2, 7, False)
    assert read_back(store) == [(0, b"abc\n"), (1, b"def")]


@pytest.mark.parametrize("field", [0, 3, 7, 32, 34])
def test_a_damaged_record_is_named_and_can_be_read_around(store: ChunkStore, tmp_path: Path, field: int):
    for number in range(9):
        store.append(KEY, [out(b"line%d\n" % number)])
    store.finish(KEY)
    with (tmp_path / f"{KEY}.idx").open("r+b") as index:
        index.seek(64 + 4 * 48 + field)
        byte = index.read(1)[0]
        index.seek(-1, os.SEEK_CUR)
        index.write(bytes([byte ^ 0x81]))
    found, damages = b"", []
    with store.reader(KEY) as reader:
        offset = 0
        while offset < 54:
            try:
                frame = reader.frame(offset, max_bytes=6)
            except CorruptIndex as error:
                damages.append(str(error))
                offset = error.resume_offset or 54
            else:
                assert frame is not None
                found += frame.data
                offset = frame.end
    assert all(str(tmp_path / f"{KEY}.idx") in damage and "byte 24" in damage for damage in damages)
    for number in (0, 1, 2, 3, 5, 6, 7, 8):
        assert b"line%d\n" % number in found


@pytest.fixture
def mixed(tmp_path: Path) -> ChunkStore:
    """A log of short and long extents of two channels, of which the system can tell what is in memory."""
    store = ChunkStore(tmp_path)
    store.create(KEY)
    store.append(KEY, [out(b"a\nb\n" * 1000, NOW_US), err(b"c", NOW_US), out(b"d\n" * 50_000, NOW_US + 7_000)])
    with store.reader(KEY) as reader:
        if reader.frame_now(0, max_bytes=1, max_runs=1) is None:
            pytest.skip("this system or file system cannot tell what is in memory")
    return store


@pytest.mark.parametrize("max_bytes", [1000, 4001, 60_000, 2**20])
def test_what_is_in_memory_can_be_had_at_once_and_is_the_same(mixed: ChunkStore, max_bytes: int):
    with mixed.reader(KEY) as reader, mixed.reader(KEY) as at_once:
        offset, frames = 0, 0
        while frame := reader.frame(offset, max_bytes=max_bytes, max_runs=100):
            view = at_once.frame_now(offset, max_bytes=max_bytes, max_runs=100)
            assert view is not None
            assert view.frame() == frame
            assert view.end == frame.end
            offset, frames = frame.end, frames + 1
        assert frames >= offset / max_bytes
        assert at_once.frame_now(offset, max_bytes=max_bytes, max_runs=100) is None


def test_a_frame_of_a_view_has_bytes_of_its_own(mixed: ChunkStore):
    with mixed.reader(KEY) as reader:
        view = reader.frame_now(0, max_bytes=4, max_runs=1)
        assert view is not None
        frame = view.frame()
        reader.frame_now(4001, max_bytes=4, max_runs=1)
        assert frame.data == b"a\nb\n"


@pytest.mark.parametrize("answer", [BlockingIOError(11, "not in the page cache"), 5], ids=["none", "some"])
def test_what_is_not_in_memory_cannot_be_had_at_once(
    mixed: ChunkStore, monkeypatch: pytest.MonkeyPatch, answer: int | BlockingIOError
):
    read = os.preadv

    def preadv(fd: int, places: list[memoryview], offset: int, flags: int = 0) -> int:
        if len(places[0]) <= 64:  # the index
            return read(fd, places, offset, flags)
        if isinstance(answer, int):
            return answer
        raise answer

    with mixed.reader(KEY) as reader:
        first = reader.frame_now(0, max_bytes=1000, max_runs=9)
        assert first is not None
        monkeypatch.setattr(os, "preadv", preadv)
        assert reader.frame_now(first.end, max_bytes=1000, max_runs=9) is None
        assert reader.frame(first.end, max_bytes=1000).data == b"a\nb\n" * 250


def test_where_the_text_is_not_in_memory_no_record_is_read_either(mixed: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    with mixed.reader(KEY) as reader:
        first = reader.frame(0, max_bytes=1000)
        assert first is not None
        monkeypatch.setattr(reader._text, "read_now", lambda offset, length: None)
        monkeypatch.setattr(reader.index.source, "read", lambda offset, length: pytest.fail("this may wait for a disk"))
        assert reader.frame_now(20_000, max_bytes=1000, max_runs=9) is None


def test_where_the_system_cannot_tell_nothing_can_be_had_at_once(mixed: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "RWF_NOWAIT")
    with mixed.reader(KEY) as reader:
        assert reader.frame_now(0, max_bytes=1, max_runs=1) is None
