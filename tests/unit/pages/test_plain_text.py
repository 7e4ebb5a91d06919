from __future__ import annotations

import pytest

from logviewer.pages.plain import plain_text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b[1;31merror\x1b[0m: no\n", "error: no\n"),
        (b"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]0;title\x07after", "after"),
        (b"10%\r50%\r100%\r\n", "100%\n"),
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"bad \xff byte", "bad \N{REPLACEMENT CHARACTER} byte"),
        (b"tab\there\x00\x07", "tab\there"),
        ("naïve 🙂".encode(), "naïve 🙂"),
    ],
)
def test_plain_text_has_neither_escapes_nor_control_characters(data: bytes, text: str) -> None:
    assert plain_text(data) == text
