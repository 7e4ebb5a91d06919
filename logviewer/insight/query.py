"""What is searched for, checked and compiled: a text, or an RE2 pattern (docs/adr/0010-search-with-re2.md)."""

import re
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import re2  # type: ignore[import-untyped]  # it has neither types nor stubs

from logviewer.chunkstore import Channel
from logviewer.insight.errors import InvalidQuery

MAX_QUERY_CHARACTERS = 1000
MAX_PATTERN_MEMORY_BYTES = 16 * 1024 * 1024
"""What RE2 may take for one compiled pattern and the states that it meets; past it, it gets slower, not larger."""

MAX_PROGRAM_INSTRUCTIONS = 2000
"""RE2's time is at most bytes times instructions. 2700 took 28 µs a byte at their worst; ordinary patterns have 100."""

ALL_CHANNELS = frozenset(int(channel) for channel in Channel)

_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*+\]|\(\?[A-Za-z]*-[A-Za-z]*m[A-Za-z]*[:)]|.", re.DOTALL
)
_WHOLE_TEXT = {r"\A": "use ^", r"\z": "use $", r"\C": "use ."}
_compiling = Lock()

_GAP = rb"(?:\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_]\C*?|[ -/]*[0-OQ-WYZ\\`-~]?)?)*"
"""What may lie between two characters that are shown side by side: escape sequences, and at worst a little more."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search: `text` of 1 to MAX_QUERY_CHARACTERS, as it stands or as a pattern, on some channels of a log."""

    text: str
    regex: bool = False
    case_sensitive: bool = False
    channels: frozenset[int] = ALL_CHANNELS


class Pattern:
    """A query, compiled. What it is looked for in is UTF-8; a match never holds a line feed.

    Every line is searched by itself: `^` and `$` are a line's ends. Raises InvalidQuery, in RE2's own words where it
    is RE2 that refuses.
    """

    def __init__(self, query: Query) -> None:
        if not 1 <= len(query.text) <= MAX_QUERY_CHARACTERS:
            raise InvalidQuery(f"a search is for 1 to {MAX_QUERY_CHARACTERS} characters, not {len(query.text)}")
        if "\n" in query.text:
            raise InvalidQuery("lines are searched one by one: a line feed is in none of them")
        text = query.text.encode("utf-8", "replace")
        self._ascii: Any = None
        if query.regex:
            _refuse_anchors_of_the_text(query.text)
            _compile(text, query)  # without the prefix, which the message would show to one who did not write it
            self._regexp = _compile(b"(?m)" + text, query)
        else:
            self._regexp = _compile(text, query)
            if text.isascii() and not query.case_sensitive:
                # Folded, k and s are also the Kelvin sign and the long s, which cost RE2 its fast way: 0.4 GB/s
                # instead of 2.3. No text in ASCII has those two.
                self._ascii = _compile(text, query, re2.Options.Encoding.LATIN1)
        if self._regexp.programsize > MAX_PROGRAM_INSTRUCTIONS:
            raise InvalidQuery(
                f"the pattern is too large: it comes to {self._regexp.programsize} steps, at most "
                f"{MAX_PROGRAM_INSTRUCTIONS} are allowed; repeat less"
            )
        self._raw = None if query.regex or "\ufffd" in query.text else _compile_raw(query)
        self.matches_empty = self._regexp.search(b"") is not None

    def regexp(self, *, is_ascii: bool) -> Any:
        """Return the compiled regular expression that is fastest on a text, by whether it is ASCII throughout."""
        return self._ascii if self._ascii is not None and is_ascii else self._regexp

    def may_occur(self, raw: bytes) -> bool:
        """Say whether it may be in the text that is shown of `raw`: what is sure not to need not be made.

        Taking escape sequences out does 0.2 GB/s, this 0.5.
        """
        return self._raw is None or self._raw.search(raw) is not None


def _compile_raw(query: Query) -> Any:
    """Compile a text so that it is found in spite of escape sequences; None where that gets too large."""
    characters = (re2.escape(character.encode("utf-8", "replace")) for character in query.text)
    regexp = _compile(_GAP.join(characters), replace(query, regex=True))
    return regexp if regexp.programsize <= MAX_PROGRAM_INSTRUCTIONS else None


def _compile(pattern: bytes, query: Query, encoding: Any = re2.Options.Encoding.UTF8) -> Any:
    options = re2.Options()
    options.max_mem = MAX_PATTERN_MEMORY_BYTES
    options.never_nl = True
    options.log_errors = False
    options.literal = not query.regex
    options.case_sensitive = query.case_sensitive
    options.encoding = encoding
    with _compiling:
        try:
            return re2.compile(pattern, options)
        except re2.error as error:
            raise InvalidQuery(_words(error)) from None
        finally:
            re2.purge()  # its cache keeps 128 patterns, each with up to MAX_PATTERN_MEMORY_BYTES


def _words(error: Exception) -> str:
    words = error.args[0] if error.args else b"not a pattern"
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


def _refuse_anchors_of_the_text(pattern: str) -> None:
    r"""Refuse what would see where a block begins, `\A`, `\z`, `(?-m)`, and `\C`, which splits characters."""
    for token in _TOKEN.findall(pattern):
        if token in _WHOLE_TEXT:
            raise InvalidQuery(f"every line is searched by itself: instead of {token} {_WHOLE_TEXT[token]}")
        if token.startswith("(?") and len(token) > len("(?"):
            raise InvalidQuery(f"every line is searched by itself: {token} cannot switch that off")
