import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import Entry, InvalidAppend
from logviewer.chunkstore.extents import merge_entries, without_first
from tests.unit.chunkstore.logs import err, joined, out

NOW_US = 1_700_000_000_000_000


def test_neighbours_of_one_channel_become_one_extent():
    assert merge_entries([out(b"ab"), out(b""), out(b"c"), err(b"d"), out(b"e")], NOW_US) == [
        (0, 3, 0, NOW_US),
        (3, 4, 1, NOW_US),
        (4, 5, 0, NOW_US),
    ]


def test_an_extent_spans_no_more_than_fifty_milliseconds_of_writer_time():
    entries = [out(b"a", NOW_US), out(b"b", NOW_US + 50_000), out(b"c", NOW_US + 50_001)]
    assert merge_entries(entries, 1) == [(0, 2, 0, NOW_US), (2, 3, 0, NOW_US + 50_001)]


def test_a_clock_that_goes_back_is_taken_as_it_is():
    assert merge_entries([out(b"a", NOW_US), out(b"b", NOW_US - 1)], 1) == [(0, 1, 0, NOW_US), (1, 2, 0, NOW_US - 1)]


def test_entries_are_not_cut_where_they_fit():
    entries = [out(b"a" * 40_000), out(b"b" * 40_000), out(b"c" * 25_536)]
    assert [(extent.start, extent.end) for extent in merge_entries(entries, NOW_US)] == [(0, 40_000), (40_000, 105_536)]


def test_one_entry_above_64_kib_is_cut():
    ends = [extent.end for extent in merge_entries([out(b"a" * 200_000), out(b"b")], NOW_US)]
    assert ends == [65_536, 131_072, 196_608, 200_001]


@pytest.mark.parametrize("time_us", [None, -1, 2**64])
def test_a_time_that_is_none_is_the_arrival(time_us: int | None):
    assert merge_entries([out(b"a", time_us), out(b"b", NOW_US + 7_000_000)], NOW_US)[0].time_us == NOW_US


def test_an_unknown_channel_is_refused():
    with pytest.raises(InvalidAppend):
        merge_entries([Entry(3, b"x")], NOW_US)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 99, 30_000, 65_536, 65_537, 140_000]))),
    st.data(),
)
def test_extents_cover_the_payload_once_and_in_order(shape: list[tuple[int, int]], data: st.DataObject):
    entries = [Entry(channel, bytes(size)) for channel, size in shape]
    body = b"".join(entry.data for entry in entries)
    cut = data.draw(st.integers(0, len(body)))
    for part in (entries, without_first(entries, cut)):
        extents = merge_entries(part, NOW_US)
        assert all(0 < extent.end - extent.start <= 65_536 for extent in extents)
        covered = [(extent.channel, bytes(extent.end - extent.start)) for extent in extents]
        assert joined(covered) == joined((entry.channel, entry.data) for entry in part)
    assert sum(len(entry.data) for entry in without_first(entries, cut)) == len(body) - cut
