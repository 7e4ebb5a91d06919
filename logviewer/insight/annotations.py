"""Annotations: lines that are errors or warnings, and what further lines say of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from logviewer.insight.markers import shown_words
from logviewer.insight.patterns import Pattern

MAX_MESSAGE_CHARACTERS = 500
MAX_PATH_CHARACTERS = 500
MAX_PATH_LINE = 2**31 - 1
PATH_NAMES = ("file", "sourcepath")
LINE_NAMES = ("line", "linenumber")

_PROPERTY = re.compile(rb"\s*(\w+)=([^,;]*)")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f]")


@dataclass(frozen=True, slots=True)
class Annotation:
    """Line number `line` is an error or a warning. `path` and `path_line` are the place in a source file, if told."""

    line: int
    level: str
    message: str
    path: str | None = None
    path_line: int | None = None


@dataclass
class Pending:
    """An annotation of which the next `left` lines may say more. `prefix` is what these begin with."""

    pattern: str
    line: int
    message: str
    path: str | None
    path_line: int | None
    left: int
    prefix: str = ""
    filled: bool = False
    counted: bool = False
    kept: bool = False

    def annotation(self, level: str) -> Annotation:
        """As it is known so far."""
        return Annotation(self.line, level, self.message, self.path, self.path_line)


def annotate(pattern: Pattern, line: bytes, number: int) -> tuple[Pending, bool]:
    """What `line`, which matches the pattern, says; and whether anything is missing that later lines may say."""
    groups = pattern.regex.search(line) or {}
    if groups.get("properties") is not None:
        groups |= _properties(groups["properties"] or b"")
        groups["message"] = unquote_to_bytes(groups.get("message") or b"")
    message = _message(groups.get("message"))
    path, path_line = _path(groups.get("path")), _number(groups.get("line"))
    prefix = line[: max(0, line.find(groups.get("begin") or b""))]
    pending = Pending(
        pattern.name,
        number,
        message or _message(line) or pattern.name,
        path,
        path_line,
        left=pattern.within,
        prefix="" if _CONTROL.search(prefix) else prefix.decode("latin-1"),  # jsonb takes no NUL
    )
    may_fill = pattern.then is not None and (path is None or path_line is None or not message)
    return pending, pattern.end is not None or pattern.required or may_fill or pattern.append


def read_on(pending: Pending, pattern: Pattern, line: bytes, number: int) -> bool:
    """See what the next line says; True where it was the last one to be looked at, and is used up."""
    prefix = pending.prefix.encode("latin-1")
    line = line[len(prefix) :] if prefix and line.startswith(prefix) else line
    is_skipped = pattern.skip is not None and pattern.skip.search(line) is not None
    if pattern.frame is not None and (frame := pattern.frame.search(line)) is not None:
        if pending.path is None or not is_skipped:
            pending.path, pending.path_line = _path(frame.get("path")), _number(frame.get("line"))
        return False
    if pattern.end is not None and (end := pattern.end.search(line)) is not None:
        pending.message = _message(end.get("message")) or pending.message
        pending.line, pending.filled = number, True
        return True
    if pattern.sign is not None and not pending.filled:
        pending.filled = pattern.sign.search(line) is not None
    if pattern.then is None or is_skipped:
        return False
    groups = pattern.then.search(line)
    if groups is None:
        return False
    if pending.path is None:
        pending.path = _path(groups.get("path"))
    if pending.path_line is None:
        pending.path_line = _number(groups.get("line"))
    if message := _message(groups.get("message")):
        pending.message = f"{pending.message}: {message}"[:MAX_MESSAGE_CHARACTERS] if pattern.append else message
    pending.filled = True
    return True


def heading_of(groups: dict[str, bytes | None] | None) -> str | None:
    """The path that a heading names."""
    return None if groups is None else _path(groups.get("path"))


def _properties(data: bytes) -> dict[str, bytes]:
    """Path and line of `key=value` pairs, in whatever order they come."""
    found: dict[str, bytes] = {}
    for match in _PROPERTY.finditer(data):
        name, value = match[1].decode().lower(), unquote_to_bytes(match[2])
        if name in PATH_NAMES:
            found["path"] = value
        elif name in LINE_NAMES:
            found["line"] = value
    return found


def _message(data: bytes | None) -> str:
    return "" if data is None else shown_words(data.decode("utf-8", "replace"))[:MAX_MESSAGE_CHARACTERS]


def _path(data: bytes | None) -> str | None:
    text = _message(data)
    return text if 0 < len(text) <= MAX_PATH_CHARACTERS else None


def _number(data: bytes | None) -> int | None:
    if data is None or not data.isdigit() or len(data) > len(str(MAX_PATH_LINE)):
        return None
    return int(data) if 0 < int(data) <= MAX_PATH_LINE else None
