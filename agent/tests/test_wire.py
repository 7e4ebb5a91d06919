"""The chunk stream, read back by the contract server's own parser."""

from __future__ import annotations

from buildlogs_agent.wire import Piece, encode_unit, measure_units
from contract_server import parse_chunk_stream
from hypothesis import given
from hypothesis import strategies as st

PIECES = st.lists(st.builds(Piece, st.integers(0, 2), st.integers(0, 2**64 - 1), st.binary(max_size=300)))


def stream_of(pieces: list[Piece]) -> bytes:
    return b"".join(buffer for piece in pieces for buffer in encode_unit(piece))


@given(PIECES)
def test_what_is_encoded_is_what_a_reader_finds(pieces: list[Piece]) -> None:
    assert parse_chunk_stream(stream_of(pieces)) == [tuple(piece) for piece in pieces]


def test_a_unit_looks_as_the_contract_says() -> None:
    assert stream_of([Piece(0, 1700000000000000, b"hello world!")]) == b"17:t1700000000000000,13:0hello world!,"


@given(PIECES, st.data())
def test_units_cut_anywhere_are_measured_up_to_the_last_whole_one(pieces: list[Piece], data: st.DataObject) -> None:
    stream = stream_of(pieces)
    cut = data.draw(st.integers(0, len(stream)))
    span = measure_units(stream[:cut])
    assert span.stop <= cut
    whole = parse_chunk_stream(stream[: span.stop])
    assert whole == [tuple(piece) for piece in pieces[: len(whole)]]
    assert span.payload == sum(len(piece.data) for piece in pieces[: len(whole)])
    if len(whole) < len(pieces):
        assert span.stop + len(stream_of([pieces[len(whole)]])) > cut


def test_measuring_stops_before_a_limit_of_payload() -> None:
    stream = stream_of([Piece(0, 1, b"12345"), Piece(1, 2, b"678")])
    assert measure_units(stream, 7).payload == 5
    assert measure_units(stream, 8).payload == 8


@given(PIECES, st.binary(max_size=60) | st.text("0123456789:-,t ", max_size=60).map(str.encode))
def test_what_a_power_cut_left_after_whole_units_is_no_unit_and_no_error(pieces: list[Piece], rest: bytes) -> None:
    stream = stream_of(pieces)
    assert len(stream) <= measure_units(stream + rest).stop <= len(stream + rest)
