"""A search as simple as it can be: lines one by one, text character by character, Python's `re`."""

import re
from collections.abc import Iterable, Sequence

from logviewer.chunkstore import Entry


def shown(text: str) -> str:
    """What terminal.js leaves of a line, without what its cursor does: a state machine over characters."""
    kept: list[str] = []
    at = 0
    in_string = False
    while at < len(text):
        character = text[at]
        if in_string:
            at += character != "\x1b"
            in_string = character not in "\x07\x18\x1a\x1b\x9c"
        elif character != "\x1b":
            kept.append(character)
            at += 1
        else:
            at, in_string = _escape(text, at + 1)
    return "".join(kept).removesuffix("\r")


def _escape(text: str, at: int) -> tuple[int, bool]:
    """Where the sequence ends whose ESC lies before `at`, and whether a string follows."""
    if text[at : at + 1] == "[":
        at = _skip(text, _skip(text, at + 1, "0", "?"), " ", "/")
        return at + ("@" <= text[at : at + 1] <= "~"), False
    if text[at : at + 1] and text[at] in "]PX^_":
        return at + 1, True
    final = _skip(text, at, " ", "/")
    if final == len(text) or ("0" <= text[final] <= "~" and text[final] not in "P[]X^_\x7f"):
        return min(final + 1, len(text)), False
    return at, False


def _skip(text: str, at: int, first: str, last: str) -> int:
    while at < len(text) and first <= text[at] <= last:
        at += 1
    return at


def lines(entries: Iterable[Entry], channels: Sequence[int]) -> dict[int, str]:
    """The lines by number that have bytes of the channels, and what these are, as shown."""
    numbered: dict[int, bytes] = {}
    number = 1
    for entry in entries:
        for byte in entry.data:
            if entry.channel in channels:
                numbered[number] = numbered.get(number, b"") + bytes([byte])
            number += byte == b"\n"[0]
    return {number: shown(raw.removesuffix(b"\n").decode("utf-8", "replace")) for number, raw in numbered.items()}


def hits(
    entries: Sequence[Entry], pattern: str, *, regex: bool, case: bool, channels: Sequence[int]
) -> list[tuple[int, list[tuple[int, int]], str]]:
    """All hits as (n, spans, text)."""
    compiled = re.compile(pattern if regex else re.escape(pattern), re.ASCII * regex | re.IGNORECASE * (not case))
    found = []
    for number, text in lines(entries, channels).items():
        matches = list(compiled.finditer(text))
        if matches:
            spans = [(units(text[: match.start()]), units(text[: match.end()])) for match in matches if match.group()]
            found.append((number, spans, text))
    return found


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
