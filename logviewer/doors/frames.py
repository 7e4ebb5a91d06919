"""The binary frame in which chunks travel to a viewer (websocket.md).

u32 big-endian header length; a header of JSON, `{"offset":o,"line":n,"runs":[[channel,length,time_ms],…]}`; the bytes
as stored.
"""

from __future__ import annotations

import json
import struct

from logviewer.chunkstore import Frame, FrameView

US_PER_MS = 1000
_HEADER_LENGTH = struct.Struct(">I")
_FINAL_BINARY = 0x82
"""FIN, and opcode 2."""


def encode_frame(frame: Frame) -> bytes:
    """One binary WebSocket message that carries `frame`."""
    return b"".join((_head(frame), frame.data))


def websocket_message(frame: Frame) -> bytes:
    """`encode_frame` as one whole frame of RFC 6455 (section 5.2), unmasked as a server's are, for all who get it."""
    return b"".join(websocket_pieces(frame))


def websocket_pieces(frame: Frame | FrameView) -> tuple[bytes, bytes | memoryview]:
    """`websocket_message` in two pieces, for one who gets it alone: joining them takes longer than reading the bytes.

    Measured: new memory for 192 KiB and the copy into it take 140 us, reading them from the page cache 30 us.
    """
    head = _head(frame)
    size = len(head) + len(frame.data)
    if size < 126:
        start = struct.pack(">BB", _FINAL_BINARY, size)
    elif size < 1 << 16:
        start = struct.pack(">BBH", _FINAL_BINARY, 126, size)
    else:
        start = struct.pack(">BBQ", _FINAL_BINARY, 127, size)
    return start + head, frame.data


def _head(frame: Frame | FrameView) -> bytes:
    """The header and its length."""
    runs = [[channel, length, time_us // US_PER_MS] for channel, length, time_us in frame.runs]
    header = json.dumps({"offset": frame.offset, "line": frame.line, "runs": runs}, separators=(",", ":")).encode()
    return _HEADER_LENGTH.pack(len(header)) + header
