"""The first lines, on the page itself before any script is there."""

from __future__ import annotations

import pytest
from django.test import Client

from logviewer.chunkstore import Channel, Entry
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from logviewer.pages.preview import MAX_LINE_CHARACTERS, SIDE_LINES, Preview, preview_of
from tests.factories import make_log

pytestmark = pytest.mark.django_db

MANY = b"".join(b"line %d\n" % number for number in range(1, 1001))


def make_written(*texts: bytes, channel: Channel = Channel.STDOUT) -> LogFile:
    log = make_log()
    chunk_store().append(log.key, [Entry(channel, text, None) for text in texts])
    return log


def preview(log: LogFile, opens_at: str) -> Preview:
    with chunk_store().reader(log.key) as reader:
        return preview_of(reader, opens_at)


@pytest.mark.parametrize(
    ("opens_at", "first", "last", "side"),
    [
        ("top", 1, 2 * SIDE_LINES + 1, "start"),
        ("follow", 1001 - 2 * SIDE_LINES, 1000, "end"),
        ("end", 1001 - 2 * SIDE_LINES, 1000, "end"),
        ("L500", 500 - SIDE_LINES, 500 + SIDE_LINES, "middle"),
        (f"L{SIDE_LINES}", 1, 2 * SIDE_LINES + 1, "start"),
        ("L1000", 1000 - SIDE_LINES, 1000, "middle"),
    ],
)
def test_it_has_the_lines_that_the_viewer_goes_to_first(opens_at: str, first: int, last: int, side: str) -> None:
    shown = preview(make_written(MANY), opens_at)
    assert (shown.rows[0].number, shown.rows[-1].number, shown.side, shown.digits) == (first, last, side, 4)
    assert shown.rows[0].text == f"line {first}"


def test_lines_are_plain_short_and_say_their_channel() -> None:
    long = b"x" * 100_000
    log = make_written(b"\x1b[31mred\x1b[0m 5 %\r100 %\n\xff\x00\xe2\x80\xaeeman\n" + long + b"\n")
    assert [row.text for row in preview(log, "top").rows] == ["100 %", "\ufffdeman", "x" * MAX_LINE_CHARACTERS]
    assert [row.kind for row in preview(log, "top").rows] == ["", "", ""]
    assert preview(make_written(b"a\n", channel=Channel.STDERR), "top").rows[0].kind == "stderr"
    assert preview(make_written(b"a\n", channel=Channel.HEADER), "top").rows[0].kind == "header"


def test_it_stands_on_the_page_as_text(client: Client) -> None:
    page = client.get(make_written(b"<script>alert(1)</script>\n").get_absolute_url()).content.decode()
    assert 'class="log-preview" data-side="end" data-digits="1" aria-hidden="true"' in page
    assert '<span class="log-text">&lt;script&gt;alert(1)&lt;/script&gt;</span>' in page


def test_a_log_without_lines_has_none(client: Client) -> None:
    assert "log-preview" not in client.get(make_log().get_absolute_url()).content.decode()
    assert "log-preview" not in client.get(make_log(file=False).get_absolute_url()).content.decode()
