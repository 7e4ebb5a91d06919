"""The frame of a viewer, as a message and as the whole WebSocket frame that carries it."""

from __future__ import annotations

import json
import struct

import pytest
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.streams import StreamReader

from logviewer.chunkstore import Frame
from logviewer.doors.frames import encode_frame, websocket_message, websocket_pieces
from logviewer.live.watch import MAX_FRAME_BYTES, MAX_FRAME_RUNS

CONTRACT_FRAME_BYTES = 256 * 1024


def frame_of(size: int) -> Frame:
    return Frame(7, 3, [(1, size, 1_500_000)], b"x" * size)


def as_received(data: bytes) -> WebSocketFrame:
    """What another library makes of it; nothing may be left over."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parsing = WebSocketFrame.parse(reader.read_exact, mask=False)
    try:
        while True:
            next(parsing)
    except StopIteration as parsed:
        received: WebSocketFrame = parsed.value
    ended = reader.at_eof()
    with pytest.raises(StopIteration) as at_end:
        next(ended)
    assert at_end.value.value is True
    return received


@pytest.mark.parametrize("size", [1, 60, 70, 200, 65_400, 65_600, MAX_FRAME_BYTES])
def test_a_whole_frame_is_one_binary_message_to_any_client(size: int) -> None:
    frame = frame_of(size)
    received = as_received(websocket_message(frame))
    assert (received.opcode, received.fin) == (Opcode.BINARY, True)
    assert (received.rsv1, received.rsv2, received.rsv3) == (False, False, False)
    assert bytes(received.data) == encode_frame(frame)


def test_a_frame_for_one_client_is_the_same_message_in_pieces_of_which_the_last_is_not_copied() -> None:
    frame = frame_of(70_000)
    pieces = websocket_pieces(frame)
    assert b"".join(pieces) == websocket_message(frame)
    assert pieces[-1] is frame.data


def test_all_lengths_around_the_changes_of_the_header_hold() -> None:
    head = len(encode_frame(frame_of(100))) - 100
    sizes = [*range(124 - head, 128 - head), *range(65_530 - head, 65_540 - head)]
    for size in (size for size in sizes if size > 0):
        assert bytes(as_received(websocket_message(frame_of(size))).data) == encode_frame(frame_of(size))


def test_the_message_is_as_the_contract_has_it() -> None:
    message = encode_frame(frame_of(5))
    (length,) = struct.unpack_from(">I", message)
    assert json.loads(message[4 : 4 + length]) == {"offset": 7, "line": 3, "runs": [[1, 5, 1500]]}
    assert message[4 + length :] == b"xxxxx"


def test_the_largest_frame_stays_within_the_contract() -> None:
    each = MAX_FRAME_BYTES // MAX_FRAME_RUNS
    runs = [(number % 2, each, 2**51) for number in range(MAX_FRAME_RUNS)]
    frame = Frame(2**62, 2**50, runs, b"x" * (each * MAX_FRAME_RUNS))
    assert len(encode_frame(frame)) <= CONTRACT_FRAME_BYTES
