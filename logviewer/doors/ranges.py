"""Conditional and range requests (RFC 9110, sections 13 and 14) for a text whose length and ETag are known."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
MAX_DIGITS = 1000
"""More in a number is not read: Python's int takes time that grows with the square of them."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes `start` up to but not including `stop`."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class Unsatisfiable(Exception):
    """The range lies outside the text: 416."""


def etag_names(condition: str | None) -> set[str]:
    """The ETags that an If-None-Match names, `*` among them; to be compared weakly, as the RFC asks."""
    return {name.strip().removeprefix("W/") for name in (condition or "").split(",")}


def parse_range(text: str | None, if_range: str | None, etag: str, size: int) -> ByteRange | None:
    """The one range that is asked for, or None where the whole text is to be sent.

    Ranges that are malformed, several at once, or guarded by an If-Range that does not name this very text are
    ignored, as the RFC allows.

    Raises:
        Unsatisfiable: the range begins at or after `size`.
    """
    if text is None or (if_range is not None and if_range.strip() != etag):
        return None
    match = _RANGE.match(text.strip())
    if match is None or max(map(len, match.groups())) > MAX_DIGITS:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return ByteRange(start, min(int(last) + 1, size) if last else size)


def _suffix(last: str, size: int) -> ByteRange | None:
    """The last so many bytes."""
    if not last:
        return None
    if int(last) == 0 or size == 0:
        raise Unsatisfiable
    return ByteRange(max(0, size - int(last)), size)
