"""Lines as a program without an index would find them: everything decoded from the beginning."""

import codecs
import re
from typing import NamedTuple

SGR = re.compile(rb"\x1b\[([0-9;:]{0,256})m")


class NaiveLine(NamedTuple):
    number: int
    time_us: int
    length: int
    channels: set[int]
    offset: int
    pieces: list[tuple[int, bytes]]
    text: list[tuple[int, str]]


def naive_lines(extents: list[tuple[int, bytes, int]], finished: bool = False) -> list[NaiveLine]:
    """Return all lines of [(channel, bytes, time_us), …]."""
    decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _channel in range(3)]
    lines: list[NaiveLine] = []
    offset = 0
    line = None
    for channel, data, time_us in extents:
        for byte in data:
            if line is None:
                line = NaiveLine(len(lines) + 1, time_us, 0, set(), offset, [], [])
            offset += 1
            one = bytes([byte])
            line.channels.add(channel)
            text = decoders[channel].decode(one)
            if one == b"\n":
                text = text[:-1]
            else:
                line.pieces.append((channel, one))
                line = line._replace(length=line.length + 1)
            line.text.append((channel, text))
            if one == b"\n":
                lines.append(line)
                line = None
    if line is not None:
        if finished:
            line.text.extend((channel, decoders[channel].decode(b"", True)) for channel in range(3))
        lines.append(line)
    return lines


def shown(line: NaiveLine, channels: frozenset[int]) -> list[tuple[int, str]]:
    """Return a line's runs, for the channels asked for."""
    runs: list[tuple[int, str]] = []
    for channel, text in line.text:
        if channel not in channels or not text:
            continue
        if runs and runs[-1][0] == channel:
            runs[-1] = (channel, runs[-1][1] + text)
        else:
            runs.append((channel, text))
    return runs
