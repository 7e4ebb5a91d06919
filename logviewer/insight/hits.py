"""A line that was found, with the places where the match is."""

import codecs
from collections.abc import Callable
from typing import NamedTuple

from logviewer.chunkstore import LogReader
from logviewer.chunkstore.lines import line_range
from logviewer.insight.query import ALL_CHANNELS, Pattern
from logviewer.insight.shown_text import shown

MAX_LINE_BYTES = 20_000
"""What a hit shows of a long line, as the lines of a log are cut (http-api.md, "lines")."""

MAX_SPANS = 1000
MAX_STEPS = 2000
"""Places looked at in a line: a pattern that matches the empty string does so at every character."""

MAX_LOOKED_AT_BYTES = 1024 * 1024
"""How much of a line is read for the chosen channels' part of it."""

FRAME_BYTES = 64 * 1024


class Hit(NamedTuple):
    """Line number `n`, and its text as it is shown, at most MAX_LINE_BYTES of it.

    `spans` are [from, to) in UTF-16 code units of `text`, in order, at most MAX_SPANS; none where only the empty
    string matches, or the match lies behind what is shown. `length` is the whole line's in bytes, without its line
    feed, where the text was cut, else None.
    """

    n: int
    spans: list[tuple[int, int]]
    text: str
    length: int | None


def read_hit(reader: LogReader, n: int, pattern: Pattern, channels: frozenset[int], is_late: Callable[[], bool]) -> Hit:
    """Read line number `n`, which the log has, and mark the matches; no more of them once it `is_late`."""
    start, stop = line_range(reader, n, n)
    raw, is_cut = _read(reader, start, stop, channels)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = shown(decoder.decode(raw, final=not is_cut).encode()).removesuffix(b"\n")  # half a character is cut off too
    length = stop - start - (reader.read(stop - 1, 1) == b"\n") if is_cut else None
    return Hit(n, _spans(pattern, text, is_cut, is_late), text.decode(), length)


def _read(reader: LogReader, start: int, stop: int, channels: frozenset[int]) -> tuple[bytes, bool]:
    """Return the first MAX_LINE_BYTES of a line, and whether it has, or may have, more besides its line feed."""
    if channels == ALL_CHANNELS:
        raw, is_read = reader.read(start, min(stop - start, MAX_LINE_BYTES + 1)), True
    else:
        raw = _chosen(reader, start, min(stop, start + MAX_LOOKED_AT_BYTES), channels)
        is_read = stop <= start + MAX_LOOKED_AT_BYTES
    return raw[:MAX_LINE_BYTES], not is_read or len(raw.removesuffix(b"\n")) > MAX_LINE_BYTES


def _chosen(reader: LogReader, start: int, stop: int, channels: frozenset[int]) -> bytes:
    pieces: list[bytes] = []
    size, offset = 0, start
    while offset < stop and size <= MAX_LINE_BYTES:
        frame = reader.frame(offset, max_bytes=min(FRAME_BYTES, stop - offset))
        if frame is None:
            break
        at = 0
        for channel, length, _time_us in frame.runs:
            if channel in channels:
                pieces.append(frame.data[at : at + length])
                size += length
            at += length
        offset = frame.end
    return b"".join(pieces)[: MAX_LINE_BYTES + 1]


def _spans(pattern: Pattern, text: bytes, is_cut: bool, is_late: Callable[[], bool]) -> list[tuple[int, int]]:
    regexp, end = pattern.regexp(is_ascii=text.isascii()), len(text)
    if is_cut:
        text += b"\0"  # the cut is no end of a line, where `$` would match
    spans: list[tuple[int, int]] = []
    at = counted = units = 0
    for _step in range(MAX_STEPS):
        match = regexp.search(text, at, end) if at <= end and len(spans) < MAX_SPANS and not is_late() else None
        if match is None:
            break
        start, stop = match.span()
        if stop > start:
            first = units + _utf16_units(text[counted:start])
            units = first + _utf16_units(text[start:stop])
            counted = stop
            spans.append((first, units))
        at = max(stop, start + 1)
    return spans


def _utf16_units(text: bytes) -> int:
    return len(text) if text.isascii() else len(text.decode("utf-8", "replace").encode("utf-16-le")) // 2
