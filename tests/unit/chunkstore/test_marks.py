import os
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, CorruptIndex, Entry
from logviewer.chunkstore.checkpoint import (
    HEADER_BYTES,
    RECORD_BYTES,
    Checkpoint,
    Silence,
    pack_checkpoint,
    unpack_checkpoint,
)
from logviewer.chunkstore.lines import line_range, read_lines
from logviewer.chunkstore.marking import extend_marks
from logviewer.chunkstore.marks import Gaps, read_gaps
from logviewer.chunkstore.sgr import Pen
from tests.unit.chunkstore.logs import KEY, err, out

NOW_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


@pytest.fixture(autouse=True)
def _short_stretches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_stretches" not in request.fixturenames:
        for module in ("stretch", "checkpoints", "marker"):
            monkeypatch.setattr(f"logviewer.chunkstore.{module}.STRETCH_BYTES", 64)
            monkeypatch.setattr(f"logviewer.chunkstore.{module}.STRETCH_RECORDS", 4)


@pytest.fixture
def real_stretches() -> None:
    """Take stretches as long as they are."""


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / f"{KEY}.marks"


def write(store: ChunkStore, count: int = 60, key: str = KEY) -> None:
    for number in range(count):
        store.append(key, [Entry(number % 3, b"\x1b[%dmline %d\xc3" % (30 + number % 8, number), NOW_US + number)])
        if number % 2:
            store.append(key, [out(b"\xa9\n", NOW_US + number)])


def answers(store: ChunkStore, key: str = KEY) -> list[object]:
    with store.reader(key) as reader:
        windows = [
            read_lines(reader, start, 4, frozenset(channels))
            for channels in ((0, 1, 2), (0,), (1,), (0, 2))
            for start in (1, 7, 20, -3)
        ]
        return [*windows, line_range(reader, 5, 25), reader.end()]


def two_answers(store: ChunkStore) -> list[object]:
    with store.reader(KEY) as reader:
        return [read_lines(reader, -1, 2, frozenset({1})), read_lines(reader, 3, 1)]


def checkpoints(marks: Path) -> int:
    return (marks.stat().st_size - HEADER_BYTES) // RECORD_BYTES


def complete(store: ChunkStore, marks: Path) -> bytes:
    store.complete_marks(KEY)
    return marks.read_bytes()


def test_open_logs_keep_their_marks_up_as_they_grow(store: ChunkStore, marks: Path):
    write(store)
    store.close()
    written = marks.read_bytes()
    assert checkpoints(marks) >= 15
    marks.unlink()
    assert complete(store, marks) == written
    assert marks.stat().st_mode & 0o777 == 0o640


def test_marks_are_extended_from_where_they_end(store: ChunkStore, marks: Path, monkeypatch: pytest.MonkeyPatch):
    write(store)
    complete(store, marks)
    written: list[int] = []
    monkeypatch.setattr(
        "logviewer.chunkstore.marks_file.MarksFile.write", lambda *arguments: written.append(arguments[2])
    )
    store.append(KEY, [out(b"x\n") for _line in range(200)])
    known = checkpoints(marks)
    complete(store, marks)
    assert written
    assert written[0] == known


def test_a_log_shorter_than_a_stretch_has_no_need_of_marks(store: ChunkStore, marks: Path):
    store.append(KEY, [out(b"abc\n")])
    store.close()
    assert not marks.exists()


def test_a_reader_makes_marks_where_they_are_missing(store: ChunkStore, marks: Path):
    write(store)
    expected = complete(store, marks)
    before = answers(store)
    marks.unlink()
    assert answers(store) == before
    assert marks.read_bytes() == expected


@pytest.mark.bad_input("marks that are damaged at any byte")
def test_marks_damaged_at_any_byte_change_no_answer_and_are_mended(store: ChunkStore, marks: Path):
    write(store, 8)
    good = complete(store, marks)
    assert checkpoints(marks) == 3
    before = two_answers(store)
    for place in range(len(good)):
        marks.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        assert two_answers(store) == before
        with store.reader(KEY) as reader:
            assert read_gaps(reader) == Gaps(0, [])
        store.complete_marks(KEY)
        if place < HEADER_BYTES or place >= len(good) - RECORD_BYTES:
            assert marks.read_bytes() == good


@pytest.mark.bad_input("marks that are cut short at any byte")
def test_marks_cut_at_any_byte_change_no_answer_and_are_completed(store: ChunkStore, marks: Path):
    write(store, 8)
    good = complete(store, marks)
    before = two_answers(store)
    for size in range(len(good)):
        marks.write_bytes(good[:size])
        assert two_answers(store) == before
        assert complete(store, marks) == good
        if size % 5 == 0:
            marks.write_bytes(good[:size] + bytes(len(good) - size))
            assert two_answers(store) == before


@pytest.mark.bad_input("marks of another log")
def test_marks_of_another_log_are_not_believed(store: ChunkStore, marks: Path, tmp_path: Path):
    write(store)
    other = "demo/other-2"
    store.create(other)
    store.append(other, [err(b"another\n" * 3)])
    write(store, 80, other)
    store.complete_marks(other)
    expected = answers(store)
    good = marks.read_bytes()
    marks.write_bytes((tmp_path / f"{other}.marks").read_bytes())
    assert answers(store) == expected
    assert complete(store, marks) == good


def test_marks_behind_a_cut_of_the_log_are_made_anew(marks: Path, tmp_path: Path):
    store = ChunkStore(tmp_path, fsync="never")
    store.create(KEY)
    write(store)
    complete(store, marks)
    store.close()
    for suffix, size in ((".log", 200), (".idx", 64 + 15 * 48)):
        os.truncate(tmp_path / f"{KEY}{suffix}", size)
    again = ChunkStore(tmp_path, fsync="never")
    for _turn in range(40):
        again.append(KEY, [err(b"written anew\n\x1b[1m")])
    found = answers(again)
    again.complete_marks(KEY)
    assert answers(again) == found
    marks.unlink()
    assert answers(again) == found
    again.close()


def test_where_nothing_can_be_written_the_reader_keeps_marks_of_its_own(
    store: ChunkStore, marks: Path, monkeypatch: pytest.MonkeyPatch
):
    write(store)
    before = answers(store)
    store.complete_marks(KEY)
    marks.unlink()

    def refuse(*_arguments: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr("logviewer.chunkstore.checkpoints.extend_marks", refuse)
    assert answers(store) == before
    assert not marks.exists()


def test_marks_of_a_deleted_log_are_not_left_behind(store: ChunkStore, marks: Path):
    write(store)
    with store.reader(KEY) as reader:
        store.delete(KEY)
        marks.parent.mkdir(parents=True, exist_ok=True)
        extend_marks(reader)
        assert not marks.exists()
        assert read_lines(reader, 20, 1).lines[0].number == 20
        assert not marks.exists()


def test_sealed_logs_have_marks_and_the_same_lines(store: ChunkStore, marks: Path):
    write(store)
    store.finish(KEY)
    before = answers(store)
    marks.unlink(missing_ok=True)
    store.seal(KEY)
    assert checkpoints(marks) >= 15
    assert answers(store) == before
    marks.unlink()
    assert answers(store) == before
    assert checkpoints(marks) >= 15


def test_a_reader_sees_lines_of_a_log_that_grows_with_its_marks(store: ChunkStore):
    with store.reader(KEY) as reader:
        for number in range(1, 200):
            store.append(KEY, [Entry(number % 2, b"%d\n" % number)])
            for channels in (frozenset({0, 1, 2}), frozenset({number % 2})):
                answer = read_lines(reader, -1, 1, channels)
                assert [(line.number, line.runs) for line in answer.lines] == [(number, [(number % 2, str(number))])]
            assert answer.total == (number + number % 2) // 2


def test_lines_are_right_while_writer_and_marker_are_at_work(store: ChunkStore):
    def write_lines() -> None:
        for number in range(1, 1201, 3):
            store.append(KEY, [Entry(line % 2, b"line %d\n" % line) for line in range(number, number + 3)])

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write_lines)
        turn = 0
        while not writing.done() or turn < 50:
            turn += 1
            with store.reader(KEY) as reader:
                for channels in (frozenset({0, 1, 2}), frozenset({turn % 2})):
                    total = read_lines(reader, 1, 1, channels).total
                    for line in read_lines(reader, -(turn * 37 % (total + 1)) or 1, 3, channels).lines:
                        assert line.runs == [(line.number % 2, f"line {line.number}")]
        writing.result()
    with store.reader(KEY) as reader:
        assert [read_lines(reader, 1, 1, frozenset(channels)).total for channels in ({0, 1, 2}, {0}, {1})] == [
            1200,
            600,
            600,
        ]


def test_damage_is_told_and_lines_before_it_can_be_read(store: ChunkStore, tmp_path: Path):
    write(store)
    store.finish(KEY)
    with (tmp_path / f"{KEY}.idx").open("r+b") as index:
        index.seek(64 + 50 * 48)
        index.write(b"\xff\xff")
    (tmp_path / f"{KEY}.marks").unlink(missing_ok=True)
    with store.reader(KEY) as reader:
        assert read_lines(reader, 3, 2).lines[0].number == 3
        with pytest.raises(CorruptIndex):
            read_lines(reader, -1, 1)


@pytest.mark.parametrize("field", [0, 8, 32])
def test_damage_in_any_record_gives_right_lines_or_an_error(store: ChunkStore, tmp_path: Path, field: int):
    for number in range(40):
        store.append(KEY, [Entry(number % 2, b"%d\n" % number * 3)])
    store.finish(KEY)
    index, marks = tmp_path / f"{KEY}.idx", tmp_path / f"{KEY}.marks"
    good = index.read_bytes()
    told = 0
    for record in range(40):
        marks.unlink(missing_ok=True)
        place = 64 + record * 48 + field
        index.write_bytes(good[:place] + bytes([good[place] + 1]) + good[place + 1 :])
        for line in range(1, 121, 13):
            try:
                with store.reader(KEY) as reader:
                    found = read_lines(reader, line, 1).lines
            except CorruptIndex:
                told += 1
            else:
                expected = (line - 1) // 3
                assert [(line.number, line.runs) for line in found] == [(line, [(expected % 2, str(expected))])]
    assert told


times = st.lists(
    st.tuples(st.one_of(st.integers(0, 4), st.integers(0, 40), st.just(-3)), st.sampled_from([b"a\n", b"a", b"\n\n"])),
    max_size=60,
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times, st.integers(1, 12))
def test_gaps_are_the_longest_silences_in_order(store: ChunkStore, steps: list[tuple[int, bytes]], limit: int):
    store.delete(KEY)
    store.create(KEY)
    now, line, expected = 1000, 1, []
    for number, (seconds, data) in enumerate(steps):
        now += seconds
        if number and seconds >= 5:
            expected.append((-seconds, line))
        store.append(KEY, [Entry(number % 2, data, now * SECOND_US)])
        line += data.count(b"\n")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stretch", "marks"):
            patch.setattr(f"logviewer.chunkstore.{module}.MAX_SILENCES", 2)
        with store.reader(KEY) as reader:
            found = read_gaps(reader, limit)
    longest = sorted(expected)[:limit]
    assert found == Gaps(len(expected), sorted((line, float(-seconds)) for seconds, line in longest))


@pytest.mark.parametrize("records", [3, 1000], ids=["many stretches", "one stretch"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_silences_that_are_alike_in_one_line_are_each_counted(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch, records: int, limit: int
):
    """A progress bar of dots in one line: more alike than a checkpoint keeps, in more stretches than one."""
    monkeypatch.setattr("logviewer.chunkstore.stretch.STRETCH_RECORDS", records)
    for module in ("stretch", "marks"):
        monkeypatch.setattr(f"logviewer.chunkstore.{module}.MAX_SILENCES", 2)
    store.create(KEY)
    for number in range(14):
        store.append(KEY, [Entry(0, b".", number * 10 * SECOND_US)])
    with store.reader(KEY) as reader:
        assert read_gaps(reader, limit) == Gaps(13, [(1, 10.0)] * min(limit, 13))


def test_no_gaps_of_none_are_refused(store: ChunkStore):
    with store.reader(KEY) as reader:
        assert read_gaps(reader) == Gaps(0, [])
        with pytest.raises(ValueError, match="no number of gaps"):
            read_gaps(reader, 0)


numbers = st.integers(0, 2**63 - 1)
characters = st.binary(max_size=3)


@given(
    st.builds(
        Checkpoint,
        numbers,
        st.integers(0, 2**32 - 1),
        numbers,
        numbers,
        st.integers(-(2**63), 2**63 - 1),
        st.tuples(*[numbers] * 7),
        st.integers(0, 7),
        st.tuples(characters, characters, characters),
        st.integers(0, 258),
        st.builds(Pen, st.integers(-1, 2**25 - 1), st.integers(-1, 2**25 - 1), st.integers(0, 63)),
        st.integers(-1, 2**63 - 1),
        st.integers(0, 2**32 - 1),
        st.lists(st.builds(Silence, numbers, numbers), max_size=8).map(tuple),
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40),
)
def test_a_checkpoint_reads_back_where_it_was_written_and_nowhere_else(checkpoint, identity: int, number: int):
    packed = pack_checkpoint(checkpoint, identity, number)
    assert len(packed) == RECORD_BYTES
    assert unpack_checkpoint(packed, identity, number) == checkpoint
    assert unpack_checkpoint(packed, identity, number + 1) is None
    assert unpack_checkpoint(packed, identity ^ 1, number) is None
    assert unpack_checkpoint(packed[:-1], identity, number) is None


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("real_stretches", "traced")
@pytest.mark.bad_input("a line of 50 MB")
def test_a_line_of_50_mb_costs_bounded_memory(store: ChunkStore):
    store.append(KEY, [out(b"first\n")])
    for _turn in range(50):
        store.append(KEY, [Entry(0, b"x" * 1_000_000)])
    store.append(KEY, [out(b"\nlast\n")])
    with store.reader(KEY) as reader:
        read_lines(reader, 1, 1)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        answer = read_lines(reader, 1, 10)
        assert tracemalloc.get_traced_memory()[1] - before < 8 * 1024 * 1024
    assert [(line.number, line.length) for line in answer.lines] == [(1, None), (2, 50_000_000), (3, None)]
    assert answer.lines[1].runs == [(0, "x" * 20_000)]


@pytest.mark.usefixtures("real_stretches")
def test_a_line_of_100_000_colours_leaves_the_last_one(store: ChunkStore):
    for number in range(10):
        store.append(KEY, [out(b"".join(b"\x1b[3%dm\x1b[%d;4mx" % (place % 8, place % 2) for place in range(5_000)))])
        store.append(KEY, [err(b"%d" % number)])
    store.append(KEY, [out(b"\nnext")])
    with store.reader(KEY) as reader:
        answer = read_lines(reader, 2, 1)
    assert answer.sgr == "1;4;37"
