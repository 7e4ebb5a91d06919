"""What a secret may look like in output: as it is, URL-encoded, in base64, and each of its lines."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_SECRET_BYTES = 6
"""Shorter values are not masked: masking `e` ruins a log."""

MAX_LITERAL_BYTES = 1024
"""Longer forms are looked for in parts of this size, so that no more than one part has to be held back."""

URL_SAFE = ("", "/", "!'()*", ";,/?:@&=+$#!'()*")
"""What encoders leave as it is beside letters, digits and `_.-~`: RFC 3986, paths, JavaScript's two functions."""

BASE64_COLUMNS = (64, 76)
"""PEM's and MIME's lines, which is also where base64(1) breaks."""

BASE64_URL = bytes.maketrans(b"+/", b"-_")


def disguises(value: bytes) -> set[bytes]:
    """All byte strings to be hidden for the sake of one value of at least `MIN_SECRET_BYTES`."""
    texts = {value, value.strip(), value.replace(b"\n", b"\r\n"), *(line.strip() for line in value.splitlines())}
    forms = {form for text in texts if len(text) >= MIN_SECRET_BYTES for form in _forms(text)}
    return {part for form in forms for part in _parts(form)}


def _forms(text: bytes) -> Iterator[bytes]:
    yield text
    for safe in URL_SAFE:
        yield from _of_both_cases(quote(text, safe=safe))
    yield from _of_both_cases(quote_plus(text))
    for encoded in _base64(text):
        yield encoded
        yield encoded.translate(BASE64_URL)


def _of_both_cases(encoded: str) -> Iterator[bytes]:
    yield encoded.encode()
    yield re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), encoded).encode()


def _base64(text: bytes) -> Iterator[bytes]:
    """The characters that depend on `text` alone, at each place it may have among groups of three bytes.

    And the whole of it as it stands by itself, padded, also broken into lines.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text)
        first, last = -(-before * 8 // 6), (before + len(text)) * 8 // 6
        yield encoded[first:last]
    alone = base64.b64encode(text)
    yield alone
    for columns in BASE64_COLUMNS:
        lines = [alone[start : start + columns] for start in range(0, len(alone), columns)]
        yield from (line for line in lines if len(line) >= MIN_SECRET_BYTES)


def _parts(form: bytes) -> Iterator[bytes]:
    count = -(-len(form) // MAX_LITERAL_BYTES)
    size = -(-len(form) // count)
    return (form[start : start + size] for start in range(0, len(form), size))
