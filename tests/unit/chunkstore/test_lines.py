import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, Entry
from logviewer.chunkstore.lines import Line, Lines, line_range, read_lines
from logviewer.chunkstore.sgr import PLAIN, pen_after
from tests.unit.chunkstore.logs import KEY, err, out
from tests.unit.chunkstore.naive_lines import naive_lines, shown

NOW_US = 1_700_000_000_000_000
SUBSETS = [frozenset(channel for channel in range(3) if mask >> channel & 1) for mask in range(1, 8)]


def test_a_window_has_lines_with_numbers_times_and_channels(store: ChunkStore):
    store.append(KEY, [out(b"one\ntw", NOW_US), err(b"o\n", NOW_US + 1000), out(b"three\nfour", NOW_US + 2000)])
    with store.reader(KEY) as reader:
        assert read_lines(reader, 2, 2) == Lines(
            2,
            4,
            False,
            "",
            [Line(2, NOW_US, None, [(0, "tw"), (1, "o")]), Line(3, NOW_US + 2000, None, [(0, "three")])],
        )
        assert [line.number for line in read_lines(reader, -1, 5).lines] == [4]
        assert read_lines(reader, -9, 1).start == 1
        assert read_lines(reader, 5, 1) == Lines(5, 4, False, "", [])
    store.finish(KEY)
    with store.reader(KEY) as reader:
        assert read_lines(reader, 4, 1).complete


def test_with_channels_only_lines_that_have_them_count(store: ChunkStore):
    store.append(KEY, [out(b"one\ntw"), err(b"o\n"), out(b"three"), err(b"\n"), out(b"four\n"), err(b"!")])
    with store.reader(KEY) as reader:
        answer = read_lines(reader, 1, 10, frozenset({1}))
        assert (answer.start, answer.total) == (1, 3)
        assert [(line.number, line.runs) for line in answer.lines] == [(2, [(1, "o")]), (3, []), (5, [(1, "!")])]
        answer = read_lines(reader, -2, 1, frozenset({1}))
        assert (answer.start, [line.number for line in answer.lines]) == (2, [3])


@pytest.mark.bad_input("a window of lines that is none")
def test_what_is_no_window_is_refused(store: ChunkStore):
    with store.reader(KEY) as reader:
        for start, count in ((0, 1), (1, 0), (1, -1)):
            with pytest.raises(ValueError, match="no window"):
                read_lines(reader, start, count)
        for channels in (frozenset(), frozenset({3})):
            with pytest.raises(ValueError, match="no selection"):
                read_lines(reader, 1, 1, channels)
        for first, last in ((0, 1), (2, 1)):
            with pytest.raises(ValueError, match="no range"):
                line_range(reader, first, last)
        assert read_lines(reader, 1, 1) == read_lines(reader, 1, 1, frozenset({1})) == Lines(1, 0, False, "", [])
        assert line_range(reader, 1, 3) == (0, 0)


def test_a_long_line_is_cut_between_characters_and_has_its_length(store: ChunkStore):
    store.append(KEY, [out(b"x" + "é".encode() * 10_000 + b"\n" + b"y" * 20_000), err(b"\nz\n")])
    with store.reader(KEY) as reader:
        first, second, third = read_lines(reader, 1, 3).lines
    assert first[2:] == (20_001, [(0, "x" + "é" * 9_999)])
    assert second[2:] == (None, [(0, "y" * 20_000)])
    assert third[2:] == (None, [(1, "z")])


def test_an_answer_has_no_more_text_than_asked_for_but_a_line_at_least(store: ChunkStore):
    store.append(KEY, [out(b"a" * 1000 + b"\n") for _line in range(10)])
    with store.reader(KEY) as reader:
        assert [line.number for line in read_lines(reader, 3, 7, max_bytes=3200).lines] == [3, 4, 5]
        assert [line.number for line in read_lines(reader, 3, 7, max_bytes=1).lines] == [3]


pieces = st.sampled_from(
    [
        *[bytes([byte]) for byte in "aé€😀\n".encode()],
        b"\xff",
        b"\n",
        b"\n\n",
        b"a line\n",
        b"\x1b[1;31m",
        b"\x1b[0",
        b"m\x1b",
        b"[32m",
        "😀é".encode(),
        b"",
    ]
)
extent_lists = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.lists(pieces, max_size=4).map(b"".join), st.integers(0, 10**9)),
    max_size=40,
)


def fill(store: ChunkStore, extents: list[tuple[int, bytes, int]]) -> None:
    store.delete(KEY)
    store.create(KEY)
    for channel, data, time_us in extents:
        store.append(KEY, [Entry(channel, data, time_us)])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extent_lists, st.integers(1, 4), st.sampled_from([6, 30, 2**20]), st.sampled_from([7, 20_000]), st.booleans())
def test_every_window_agrees_with_a_reading_from_the_beginning(
    store: ChunkStore, extents, records: int, stretch_bytes: int, line_bytes: int, finished: bool
):
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stretch", "checkpoints"):
            patch.setattr(f"logviewer.chunkstore.{module}.STRETCH_RECORDS", records)
            patch.setattr(f"logviewer.chunkstore.{module}.STRETCH_BYTES", stretch_bytes)
        patch.setattr("logviewer.chunkstore.lines.MAX_LINE_BYTES", line_bytes)
        fill(store, extents)
        if finished:
            store.finish(KEY)
        compare_all(store, extents, finished, line_bytes)


def compare_all(store: ChunkStore, extents: list[tuple[int, bytes, int]], finished: bool, line_bytes: int) -> None:
    text = b"".join(data for _channel, data, _time in extents)
    every = naive_lines(extents, finished)
    with store.reader(KEY) as reader:
        for channels in SUBSETS:
            wanted = [line for line in every if line.channels & channels]
            for start in range(1, len(wanted) + 2):
                answer = read_lines(reader, start, 3, channels)
                assert answer[:3] == (start, len(wanted), finished)
                expected = wanted[start - 1 : start + 2]
                assert [line.number for line in answer.lines] == [line.number for line in expected]
                if expected:
                    assert answer.sgr == pen_after(PLAIN, text[: expected[0].offset]).parameters()
                for line, model in zip(answer.lines, expected, strict=True):
                    assert line.time_us == model.time_us
                    if model.length <= line_bytes:
                        assert (line.length, line.runs) == (None, shown(model, channels))
                    else:
                        assert line.length == model.length
                        whole = "".join(text for channel, text in model.text if channel in channels)
                        cut = "".join(text for _channel, text in line.runs)
                        kept = [byte for channel, byte in model.pieces[:line_bytes] if channel in channels]
                        assert whole.startswith(cut)
                        assert len(kept) // 4 - 1 <= len(cut) <= len(kept) + 3
        for first in range(1, len(every) + 2):
            for last in range(first, min(first + 3, len(every) + 2)):
                begin, stop = line_range(reader, first, last)
                assert text[begin:stop] == b"".join(with_newlines(text)[first - 1 : last])


def with_newlines(text: bytes) -> list[bytes]:
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_colours_torn_between_stretches_are_in_force_after_them(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch, size: int
):
    for module in ("stretch", "checkpoints"):
        monkeypatch.setattr(f"logviewer.chunkstore.{module}.STRETCH_RECORDS", 1)
    text = b"\x1b[1;38;5;196mred\n\x1b[4m\x1b[22mon\n\x1b[0;3mitalic\nlast"
    for place in range(0, len(text), size):
        store.append(KEY, [Entry(place % 3, text[place : place + size])])
    with store.reader(KEY) as reader:
        assert [read_lines(reader, line, 1).sgr for line in (1, 2, 3, 4)] == ["", "1;38;5;196", "4;38;5;196", "3"]
