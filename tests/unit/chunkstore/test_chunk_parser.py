"""A chunk stream that comes in pieces: the same entries and the same faults as in one piece."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkParser, Entry, MalformedChunks, encode_entry, encode_time, parse_chunk_stream

pieces = st.lists(
    st.one_of(
        st.builds(encode_entry, st.sampled_from([0, 1, 2]), st.binary(max_size=100)),
        st.builds(encode_time, st.integers(0, 2**64 - 1)),
    )
)


def parsed(stream: bytes, cuts: list[int]) -> list[Entry] | tuple[int, str]:
    """The entries of a stream that is cut at `cuts`, or where and why it is none."""
    parser, entries = ChunkParser(), []
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    try:
        for start, end in itertools.pairwise(places):
            entries += parser.feed(stream[start:end])
        parser.close()
    except MalformedChunks as error:
        return error.position, error.reason
    return entries


def parsed_at_once(stream: bytes) -> list[Entry] | tuple[int, str]:
    try:
        return parse_chunk_stream(stream)
    except MalformedChunks as error:
        return error.position, error.reason


@given(pieces, st.lists(st.integers(0, 10_000), max_size=20))
def test_wherever_it_is_cut_the_entries_are_the_same(stream: list[bytes], cuts: list[int]):
    assert parsed(b"".join(stream), cuts) == parse_chunk_stream(b"".join(stream))


@given(pieces, st.integers(0, 10_000), st.integers(0, 255), st.lists(st.integers(0, 10_000), max_size=20))
def test_one_wrong_byte_is_found_at_the_same_place(stream: list[bytes], place: int, byte: int, cuts: list[int]):
    whole = bytearray(b"".join(stream) + b"2:0x,")
    whole[place % len(whole)] = byte
    assert parsed(bytes(whole), cuts) == parsed_at_once(bytes(whole))


def test_entries_come_as_soon_as_they_are_whole():
    parser = ChunkParser()
    assert parser.feed(b"2:t7,6:0hello,7:1wo") == [Entry(0, b"hello", 7)]
    assert parser.feed(b"rld!") == []
    assert parser.feed(b",1") == [Entry(1, b"world!", 7)]


@pytest.mark.parametrize("rest", [b"5", b"5:", b"5:0abc", b"5:0abcd"])
def test_a_stream_that_ends_inside_an_entry_is_refused_where_the_entry_begins(rest: bytes):
    parser = ChunkParser()
    parser.feed(b"2:0a,2:0b,")
    parser.feed(rest)
    with pytest.raises(MalformedChunks) as caught:
        parser.close()
    assert caught.value.position == 10
