"""The tail file's format by itself."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from logviewer.chunkstore.tail import (
    HEADER,
    TailExtent,
    TailHeader,
    last_bytes,
    merged,
    pack_frame,
    read_tail,
    unpack_header,
)

pieces = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 200, 2**40]),  # bytes between
        st.integers(0, 1),
        st.one_of(st.integers(1_700_000_000_000_000, 1_700_000_000_100_000), st.sampled_from([0, 2**64 - 1])),
        st.one_of(st.binary(min_size=1, max_size=40), st.integers(1, 20_000).map(bytes)),
    ),
    max_size=12,
)


def extents_of(parts: list[tuple[int, int, int, bytes]], position: int = 0) -> list[TailExtent]:
    extents: list[TailExtent] = []
    for gap, channel, time_us, data in parts:
        extents.append(TailExtent(position + gap, channel, time_us, data))
        position = extents[-1].end
    return extents


def bytes_of(extents: list[TailExtent]) -> list[tuple[int, int, int]]:
    """Each byte with its payload offset and channel."""
    return [
        (extent.position + place, extent.channel, byte) for extent in extents for place, byte in enumerate(extent.data)
    ]


@given(st.lists(pieces.filter(bool), max_size=5))
def test_what_is_written_is_read(bodies: list[list[tuple[int, int, int, bytes]]]):
    written: list[TailExtent] = []
    data = bytes(HEADER.size)
    for body in bodies:
        extents = extents_of(body, written[-1].end if written else 7)
        data += pack_frame(extents)
        written += extents
    tail = read_tail(data)
    assert tail == (written, len(data), "")


@given(pieces.filter(bool), st.data())
def test_a_frame_takes_back_what_lies_behind_its_start(body: list[tuple[int, int, int, bytes]], data: st.DataObject):
    extents = extents_of(body)
    position = data.draw(st.integers(0, extents[-1].end))
    tail = read_tail(bytes(HEADER.size) + pack_frame(extents) + pack_frame([], position))
    assert bytes_of(tail.extents) == [byte for byte in bytes_of(extents) if byte[0] < position]


@given(pieces, st.integers(0, 2000))
def test_the_last_bytes_are_the_last_bytes(body: list[tuple[int, int, int, bytes]], count: int):
    extents = extents_of(body)
    every = bytes_of(extents)
    assert bytes_of(last_bytes(extents, count)) == every[max(0, len(every) - count) :]


@given(pieces, st.integers(1, 2000), st.integers(40, 3000))
def test_no_frame_is_larger_than_asked_for_nor_smaller_than_need_be(
    body: list[tuple[int, int, int, bytes]], count: int, max_frame_bytes: int
):
    extents = extents_of(body)
    kept = last_bytes(extents, count, max_frame_bytes)
    every = bytes_of(extents)
    assert len(pack_frame(kept)) <= max_frame_bytes
    assert bytes_of(kept) == every[len(every) - len(bytes_of(kept)) :]
    if len(bytes_of(kept)) < min(count, len(every)):
        assert len(pack_frame(kept)) >= max_frame_bytes - 30  # the next extent's part of the table, and a byte


@given(pieces)
def test_merging_changes_no_byte_and_no_channel(body: list[tuple[int, int, int, bytes]]):
    extents = extents_of(body)
    joined = merged(extents)
    assert bytes_of(joined) == bytes_of(extents)
    for one, other in itertools.pairwise(joined):
        assert (
            one.channel != other.channel
            or one.end != other.position
            or len(one.data) + len(other.data) > 65536
            or not 0 <= other.time_us - one.time_us <= 50_000
        )


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.booleans())
def test_a_header_is_read_as_it_was_written_and_no_other_way(max_bytes: int, begins: int, at_line_start: bool):
    header = TailHeader(max_bytes, begins, at_line_start)
    packed = header.packed()
    assert len(packed) == 32
    assert unpack_header(packed) == header
    for place in range(32):
        flipped = bytearray(packed)
        flipped[place] ^= 1
        assert unpack_header(bytes(flipped)) is None
        assert unpack_header(packed[:place]) is None


def test_an_extent_takes_few_bytes():
    body = [(0, number % 2, 1_700_000_000_000_000 + 1000 * number, b"x" * 80) for number in range(1000)]
    assert len(pack_frame(extents_of(body))) == 28 + 1000 * (80 + 4) - 2  # the first has no time of its own


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange_to_be_looked_at(junk: bytes):
    tail = read_tail(bytes(HEADER.size) + junk)
    assert tail.extents == []
    assert tail.size == HEADER.size
    assert bool(tail.damage) == bool(junk)
