"""Text without escape sequences, as static/logviewer/js/terminal.js sees them."""

import pytest
from hypothesis import given

from logviewer.insight.shown_text import is_shown_as_it_is, shown
from tests.unit.insight import naive, samples


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1;31merror\x1b[0m: x", b"error: x"),
        (b"er\x1b[1mror", b"error"),
        (b"\x1b]0;title\x07after", b"after"),
        (b"\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", b"link"),
        (b"\x1bP1$r0m\x1b\\after", b"after"),
        (b"\x1b(Btext\x1b=", b"text"),
        (b"\x1b]never ended\nnext", b"\nnext"),
        (b"\x1b[12\nnext", b"\nnext"),
        (b"\x1b\nnext", b"\nnext"),
        (b"\x1b[1\x01x", b"\x01x"),
        (b"10%\r20%\r\ndone\r", b"10%\r20%\ndone"),
        (b"a\xffb\xe2\x82", "a\ufffdb\ufffd".encode()),
        ("\x1b]x\x9cafter".encode(), b"after"),
    ],
)
def test_sequences_go_and_text_stays(raw: bytes, text: bytes) -> None:
    assert shown(raw) == text


@given(samples.texts)
def test_it_is_what_a_terminal_that_reads_character_by_character_leaves(raw: bytes) -> None:
    lines = [naive.shown(line) for line in raw.decode("utf-8", "replace").split("\n")]
    assert shown(raw).decode() == "\n".join(lines)


@given(samples.texts)
def test_what_is_said_to_be_shown_as_it_is_does_not_change(raw: bytes) -> None:
    assert not is_shown_as_it_is(raw) or shown(raw) == raw


@pytest.mark.parametrize("piece", [b"\x1b[1", b"\x1b]", b"\x1b ", b"\x1b[;;;", b"\x1b[ ", b"\r", b"\x1b\x1b[", b"\xc2"])
def test_no_text_takes_more_than_its_length(piece: bytes) -> None:
    shown(piece * 500_000 + b"\x01")  # the test's timeout is what fails where this is not linear
