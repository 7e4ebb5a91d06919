"""The lines that a page shows before its script is there: those that the viewer goes to first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from logviewer.chunkstore import Channel
from logviewer.chunkstore.checkpoint import ALL_CHANNELS
from logviewer.chunkstore.lines import Line, read_lines
from logviewer.chunkstore.reader import LogReader
from logviewer.pages.plain import plain_text

SIDE_LINES = 30
"""Before and behind a line in the middle; twice as many fill the highest window that is usual."""

MAX_LINE_CHARACTERS = 240
"""More is seen of no line until the viewer is there."""

_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""What turns the text around; the viewer shows it."""

KINDS = {Channel.STDERR: "stderr", Channel.HEADER: "header"}


@dataclass(frozen=True)
class PreviewRow:
    """A line: its number, its text without escape sequences, and "stderr" or "header" where all of it is that."""

    number: int
    text: str
    kind: str


@dataclass(frozen=True)
class Preview:
    """Lines in order, and where of what is seen they stand: at its "start", around its "middle", at its "end"."""

    rows: list[PreviewRow]
    side: str
    digits: int


def preview_of(reader: LogReader, opens_at: str) -> Preview:
    """What is seen first of a log that opens at `opens_at` (see `choice.opening_of`).

    Raises:
        ChunkStoreError: the store cannot give it.
    """
    side, start = "start", 1
    if opens_at in ("follow", "end"):
        side, start = "end", -2 * SIDE_LINES
    elif opens_at.startswith("L") and int(opens_at[1:]) > SIDE_LINES:
        side, start = "middle", int(opens_at[1:]) - SIDE_LINES
    window = read_lines(reader, start, 2 * SIDE_LINES + 1, ALL_CHANNELS)
    return Preview([_row(line) for line in window.lines], side, len(str(window.total)))


def _row(line: Line) -> PreviewRow:
    raw = "".join(text for _channel, text in line.runs)[: 4 * MAX_LINE_CHARACTERS]
    text = _DIRECTIONS.sub("", plain_text(raw.encode()))
    channels = {channel for channel, _text in line.runs}
    kind = KINDS.get(Channel(channels.pop()), "") if len(channels) == 1 else ""
    return PreviewRow(line.number, text[:MAX_LINE_CHARACTERS], kind)
