r"""Lines that begin and end a fold, as the systems that run builds write them.

GitHub `::group::NAME` and `::endgroup::`; Azure, and GitHub in logs that are downloaded, `##[group]NAME` and
`##[endgroup]`; GitLab `section_start:UNIX:ID[collapsed=true]\rNAME` and `section_end:UNIX:ID\r`, of which a line may
have several; Buildkite `--- NAME`, `+++ NAME`, `~~~ NAME`, each up to the next one;
of one alone, which other programs write as well, there is no fold.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

MARKERS = (
    r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z )?\s*(?:::(?:end)?group::|##\[(?:end)?group\])"
    r"|(?:^|\s)section_(?:start|end):\d+:"
)
"""Of RE2: a line that has a marker; what it says, `read_markers` finds out."""

HEADERS = r"^(?:---|\+\+\+|~~~) \S"
"""Of RE2: Buildkite's, which other lines may look like."""

System = Literal["group", "section", "header"]

_GROUP = re.compile(rb"^(?:\S+Z )?\s*(?:::|##\[)(end)?group(?:::|\])(.*)", re.DOTALL)
_SECTION = re.compile(
    rb"(?:^|(?<=\s))section_(start|end):(\d{1,15}):([\w.-]{1,200})(?:\[[^\]\r]*\])?(?:\r((?:(?!section_)[^\r])*+))?"
)
_NO_HEADER = re.compile(
    rb"^(?:---|\+\+\+) (?:[ab]/|/dev/null|\"?[ab]/|(?:FAIL|PASS|SKIP|BENCH)\b|\S+\t|.*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    rb"|.*---\s*$)"
)
US_PER_SECOND = 1_000_000


class Marker(NamedTuple):
    """One marker. `key` tells GitLab's sections apart; `time_us` is when, where the marker says it."""

    system: System
    begins: bool
    key: str
    name: str
    time_us: int | None


def read_markers(line: bytes) -> list[Marker]:
    """The markers of a line without its escape sequences, from left to right."""
    group = _GROUP.match(line)
    if group is not None:
        return [Marker("group", group[1] is None, "", _text(group[2]), None)]
    sections = [_section(match) for match in _SECTION.finditer(line)]
    if sections:
        return sections
    if line[:4] in (b"--- ", b"+++ ", b"~~~ ") and not _NO_HEADER.match(line):
        return [Marker("header", True, line[:3].decode(), _text(line[4:]), None)]
    return []


def _section(match: re.Match[bytes]) -> Marker:
    kind, seconds, key, name = match.groups()
    key_text = _text(key)
    return Marker("section", kind == b"start", key_text, _text(name or b"") or key_text, int(seconds) * US_PER_SECOND)


def _text(data: bytes) -> str:
    """As text on one line, without control characters: NUL is nothing that a database takes."""
    return shown_words(data.decode("utf-8", "replace"))


def shown_words(text: str) -> str:
    """The words of a text, a space between them, without what does not print."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
