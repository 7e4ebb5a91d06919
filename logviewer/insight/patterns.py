"""What is an error or a warning in a line: the patterns of patterns.toml, compiled (docs/adr/0021)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any

import re2  # type: ignore[import-untyped]  # it has neither types nor stubs

from logviewer.insight.markers import HEADERS, MARKERS

MAX_MEMORY_BYTES = 32 * 1024 * 1024
"""What RE2 may take for all patterns together and the states that they meet."""

DEFAULT_WITHIN_LINES = 8
MAX_WITHIN_LINES = 1000
LEVELS = ("error", "warning", "none")
LATER = ("then", "sign", "skip", "frame", "end")

NOTHING = -1
"""The place of a line that no pattern matches: the last one, so that it needs no question."""

_STAMP = (
    r"^(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? (?:\d\d[OE][ +])?"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]? +|#\d+ \d+\.\d+ |[A-Za-z][\w.-]* +\| )?"
)
"""What systems write before each line: GitHub and GitLab (with the stream), Jenkins, BuildKit, `docker compose`."""

_ANYCASE = "(?i)^"
_NAMED_GROUP = re.compile(r"\(\?P<\w+>")
_KNOWN = frozenset({"name", "level", "regex", "within", "required", "append", "headed", "examples", "not", *LATER})


class Kind(Enum):
    """What a line is besides an error or a warning."""

    MARKER = "marker"
    HEADING = "heading"


class Expression:
    """One expression, for lines of bytes. `(?P<name>…)` names a group."""

    def __init__(self, expression: str) -> None:
        self._regexp = _compile(_stamped(expression))
        self._groups = {name.decode(): number for name, number in self._regexp.groupindex.items()}

    def search(self, line: bytes) -> dict[str, bytes | None] | None:
        """What the named groups matched; None where the line does not match."""
        match = self._regexp.search(line)
        return None if match is None else {name: match[number] for name, number in self._groups.items()}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern; what its fields mean stands in patterns.toml."""

    name: str
    level: str
    regex: Expression
    then: Expression | None = None
    sign: Expression | None = None
    skip: Expression | None = None
    frame: Expression | None = None
    end: Expression | None = None
    within: int = DEFAULT_WITHIN_LINES
    required: bool = False
    append: bool = False
    headed: bool = False

    @property
    def is_decided_later(self) -> bool:
        """Whether it takes later lines to know if there is an annotation, and of which line."""
        return self.required or self.end is not None


class Patterns:
    """All of them, in the order of the file. Raises ValueError where one makes no sense."""

    def __init__(self, document: dict[str, Any]) -> None:
        entries = document["pattern"]
        self._patterns = [_pattern(entry) for entry in entries]
        self.by_name = {pattern.name: pattern for pattern in self._patterns}
        if len(self.by_name) < len(entries):
            raise ValueError("two patterns have the same name")
        self.heading = Expression(document["heading"])
        expressions = [
            MARKERS,
            *(_stamped(entry["regex"]) for entry in entries),
            _stamped(document["heading"]),
            HEADERS,
        ]
        self.outcomes: list[Pattern | Kind | None] = [
            Kind.MARKER,
            *(None if pattern.level == "none" else pattern for pattern in self._patterns),
            Kind.HEADING,
            Kind.MARKER,
            None,
        ]
        unnamed = [_NAMED_GROUP.sub("(?:", expression) for expression in expressions]
        looked_for = [
            expression for expression, outcome in zip(unnamed, self.outcomes, strict=False) if outcome is not None
        ]
        self.candidates = _compile("(?m)" + "|".join(f"(?:{expression})" for expression in looked_for))
        """Finds in a text of many lines those that may be something."""
        self._set = re2.Set.SearchSet(_options())
        for expression in unnamed:
            self._set.Add(expression.encode())
        self._set.Compile()

    def place(self, line: bytes) -> int:
        """Which of `outcomes` is the line's: the first that matches. Costs a microsecond."""
        matching = self._set.Match(line)
        return NOTHING if matching is None else min(matching)


def read_document() -> dict[str, Any]:
    """The file as it is."""
    return tomllib.loads(resources.files(__package__).joinpath("patterns.toml").read_text("utf-8"))


@cache
def patterns() -> Patterns:
    """The process's; compiling takes a tenth of a second."""
    return Patterns(read_document())


def _pattern(entry: dict[str, Any]) -> Pattern:
    name, level, within = entry["name"], entry["level"], entry.get("within", DEFAULT_WITHIN_LINES)
    if unknown := entry.keys() - _KNOWN:
        raise ValueError(f"pattern {name!r} has unknown fields: {', '.join(sorted(unknown))}")
    if level not in LEVELS:
        raise ValueError(f"pattern {name!r} has the level {level!r}")
    if not 1 <= within <= MAX_WITHIN_LINES:
        raise ValueError(f"pattern {name!r} looks at {within} lines")
    later = {field: Expression(entry[field]) for field in LATER if field in entry}
    return Pattern(
        name=name,
        level=level,
        regex=Expression(entry["regex"]),
        then=later.get("then"),
        sign=later.get("sign"),
        skip=later.get("skip"),
        frame=later.get("frame"),
        end=later.get("end"),
        within=within,
        required=entry.get("required", False),
        append=entry.get("append", False),
        headed=entry.get("headed", False),
    )


def _stamped(expression: str) -> str:
    if expression.startswith(_ANYCASE):
        return _ANYCASE.removesuffix("^") + _STAMP + expression.removeprefix(_ANYCASE)
    return _STAMP + expression[1:] if expression.startswith("^") else expression


def _compile(expression: str) -> Any:
    return re2.compile(expression.encode(), _options())


def _options() -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.never_nl = True
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: a character that is none stops nothing
    return options
