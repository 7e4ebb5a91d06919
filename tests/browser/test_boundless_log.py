"""Logs higher than a browser can scroll, logs whose lines break pages, and a page that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.client import entry
from tests.browser.conftest import SIZE, WAIT_MS
from tests.browser.log import Log
from tests.browser.site import PUBLIC, Site
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser

LINES = 450_000
RED_LINES = (225_000, 225_999)
PIECE = 50_000
NATIVE_PX = 8_000_000
FRAME_BUDGET_MS = 1000
HIDE = "Object.defineProperty(document, 'visibilityState', {value: '%s', configurable: true});"
CHANGED = "document.dispatchEvent(new Event('visibilitychange'))"


def line_of(number: int) -> str:
    """A line; those of RED_LINES are between the colour's beginning and its end."""
    before = "\x1b[31m" if number == RED_LINES[0] else ""
    after = "\x1b[0m" if number == RED_LINES[1] else ""
    return f"{before}line {number}{after}\n"


@pytest.fixture(scope="module")
def high_log(site: Site) -> str:
    """The address of a log of LINES lines: 9 million pixels."""
    log = site.writer.new_log(project=PUBLIC, builder="high")
    for first in range(1, LINES + 1, PIECE):
        text = "".join(line_of(number) for number in range(first, first + PIECE))
        assert site.writer.chunks(log["id"], entry(0, text.encode())).status_code == 200
    site.writer.finish(log["id"])
    return str(log["url"])


def first_in_view(page: Page) -> int:
    """Number of the first line that is seen whole."""
    script = """() => {
      const top = document.querySelector(".log-viewport").getBoundingClientRect().top;
      const rows = [...document.querySelectorAll(".log-row")];
      return Number(rows.find((row) => row.getBoundingClientRect().top >= top - 1).dataset.line);
    }"""
    return int(page.evaluate(script))


def test_a_log_higher_than_a_browser_can_scroll_is_gone_through_by_wheel_keys_bar_and_address(
    page: Page, high_log: str
) -> None:
    page.goto(high_log)
    log = Log(page)
    expect(log.text(1)).to_have_text("line 1")
    assert log.viewport.evaluate("e => e.scrollHeight") == NATIVE_PX
    log.wheel(400)
    expect(log.row(20)).not_to_be_in_viewport()
    assert first_in_view(page) == 21
    log.viewport.focus()
    page.keyboard.press("PageDown")
    expect(log.text(70)).to_be_in_viewport()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowUp")
    expect(log.text(18)).to_be_in_viewport()
    page.keyboard.press("End")
    log.expect_shown(LINES)
    expect(log.text(LINES)).to_have_text(f"line {LINES}")
    log.wheel(-200)
    expect(log.row(LINES)).not_to_be_in_viewport()
    log.viewport.evaluate("e => { e.scrollTop = (e.scrollHeight - e.clientHeight) / 2; }")
    expect(log.text(LINES // 2)).to_have_text(f"line {LINES // 2}")
    page.keyboard.press("Home")
    log.expect_shown(1)
    assert log.viewport.evaluate("e => e.scrollTop") == 0
    page.evaluate("location.hash = '#L400000-L400002'")
    log.expect_shown(400_000)
    assert log.marked_lines() == [400_000, 400_001, 400_002]
    assert log.rows.count() < 100


def test_a_colour_from_far_above_is_known_after_a_jump(page: Page, high_log: str) -> None:
    page.goto(f"{high_log}#L225900")
    log = Log(page)
    log.expect_shown(225_900)
    expect(log.text(225_900).locator("span")).to_have_class("log-ink-1")
    page.evaluate("location.hash = '#L226100'")
    expect(log.text(226_100)).to_have_text("line 226100")
    expect(log.text(226_100).locator("span")).to_have_count(0)


def test_while_wrapping_a_high_log_shows_its_rows_whole_and_reaches_both_ends(page: Page, high_log: str) -> None:
    page.goto(high_log)
    log = Log(page)
    expect(log.text(1)).to_have_text("line 1")
    page.keyboard.press("w")
    log.viewport.focus()
    page.keyboard.press("End")
    log.expect_shown(LINES)
    bottom = "e => e.getBoundingClientRect().bottom"
    assert abs(log.viewport.evaluate(bottom) - log.row(LINES).evaluate(bottom)) <= 1
    page.keyboard.press("Home")
    log.expect_shown(1)


def test_while_wrapping_ends_and_addresses_are_reached_whatever_the_heights(
    page: Page, write_log: Callable[..., str]
) -> None:
    text = "".join(f"line {number} " + "word " * (number * 7 % 90) + "\n" for number in range(1, 3001))
    page.goto(write_log(entry(0, text.encode())))
    log = Log(page)
    expect(log.row(1)).to_be_visible()
    page.keyboard.press("w")
    log.viewport.focus()
    page.keyboard.press("End")
    expect(log.text(3000)).to_contain_text("line 3000")
    below = (
        "e => document.querySelector('.log-viewport').getBoundingClientRect().bottom - e.getBoundingClientRect().bottom"
    )
    page.wait_for_function("() => document.querySelector('.log-row:last-of-type')?.dataset.line === '3000'")
    assert abs(log.row(3000).evaluate(below)) <= 1
    page.evaluate("location.hash = '#L1500'")
    expect(log.text(1500)).to_contain_text("line 1500")
    above = "e => e.getBoundingClientRect().top - document.querySelector('.log-viewport').getBoundingClientRect().top"
    expect(log.text(1501)).to_contain_text("line 1501")
    assert log.row(1500).evaluate(above) == 80
    page.keyboard.press("Home")
    log.expect_shown(1)


BREAKERS = {
    "a line of 50 MB": [entry(0, b"x" * 1_000_000)] * 50 + [entry(0, b"\nafter\n")],
    "colours": [entry(0, b"".join(b"\x1b[3%dmx" % (at % 8) for at in range(100_000)) + b"\x1b[0m\nafter\n")],
    "zero-width characters": [entry(0, "\u200b\u200d\u2060".encode() * 60_000 + b"\nafter\n")],
    "carriage returns": [entry(0, b"\r" * 900_000 + b"\nafter\n")],
    "combining characters": [entry(0, ("a" + "\u0301" * 9_000).encode() + b"\nafter\n")],
}


@pytest.mark.parametrize("what", BREAKERS)
def test_a_log_made_to_break_pages_leaves_the_page_usable(page: Page, write_log: Callable[..., str], what: str) -> None:
    page.goto(write_log(*BREAKERS[what]))
    log = Log(page)
    expect(log.text(2)).to_have_text("after")
    page.keyboard.press("w")
    longest = """async () => {
      let longest = 0;
      for (let turn = 0, before = performance.now(); turn < 5; turn += 1) {
        await new Promise(requestAnimationFrame);
        longest = Math.max(longest, performance.now() - before);
        before = performance.now();
      }
      return longest;
    }"""
    assert page.evaluate(longest) < FRAME_BUDGET_MS
    page.keyboard.press("w")
    log.number(2).click()
    assert log.marked_lines() == [2]
    assert log.text(1).locator("*").count() <= 2_000


def test_a_line_that_was_cut_is_shown_whole_piece_by_piece(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(entry(0, b"0123456789" * 10_000 + b"\nafter\n")))
    log = Log(page)
    expect(log.text(1)).to_have_attribute("data-cut", "… cut here: the line has 100,000 bytes")
    page.get_by_role("button", name="Show all").click()
    pieces = page.locator(".log-long-piece")
    expect(pieces).to_have_count(1)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    assert "".join(pieces.all_text_contents()) == "0123456789" * 10_000
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(log.row(2).locator(".log-more")).to_have_count(0)


@pytest.fixture
def touched(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser context with a touch screen."""
    opened = browser.new_context(base_url=site.url, viewport=SIZE, has_touch=True)
    opened.set_default_timeout(WAIT_MS)
    watching = Watcher(opened)
    yield opened
    assert watching.take() == []
    opened.close()


def test_a_finger_moves_a_high_log_by_pixels(touched: BrowserContext, high_log: str) -> None:
    page = touched.new_page()
    page.goto(high_log)
    log = Log(page)
    expect(log.text(1)).to_have_text("line 1")
    session = touched.new_cdp_session(page)
    session.send("Input.synthesizeScrollGesture", {"x": 600, "y": 500, "yDistance": -300, "gestureSourceType": "touch"})
    expect(log.row(1)).not_to_be_in_viewport()
    assert 10 < first_in_view(page) < 300


def test_a_hidden_page_is_told_counts_only_and_catches_up_when_it_is_shown(
    page: Page, site: Site, builder: str
) -> None:
    log = site.writer.new_log(project=PUBLIC, builder=builder)
    site.writer.chunks(log["id"], entry(0, b"first\n"))
    frames: list[int] = []
    with page.expect_websocket() as opened:
        page.goto(log["url"])
    socket = opened.value
    socket.on("framereceived", lambda data: frames.append(len(data)))
    shown = Log(page)
    shown.expect_state("live")
    expect(shown.text(1)).to_have_text("first")
    with socket.expect_event("framesent", lambda text: text == '{"type":"pause"}'):
        page.evaluate(HIDE % "hidden" + CHANGED)
    site.writer.chunks(log["id"], entry(0, b"more\n" * 100_000))
    expect(page.locator(".log-counts")).to_contain_text("100,001 lines")
    assert sum(frames) < 250_000, "more than the one frame that may have been on its way"
    expect(shown.rows).to_have_count(1)
    page.evaluate(HIDE % "visible" + CHANGED)
    shown.expect_shown(100_001)
    shown.expect_following(True)
    assert sum(frames) < 300_000, "what was missed is read by range, where somebody looks at it"


def test_lines_that_cannot_be_had_are_asked_for_again_and_the_reader_is_told(
    page: Page, write_log: Callable[..., str], watcher: Watcher
) -> None:
    watcher.expect("Failed to load resource")
    page.goto(write_log(entry(0, b"".join(b"line %d\n" % number for number in range(1, 20_001)))))
    log = Log(page)
    expect(log.text(1)).to_have_text("line 1")
    page.route("**/lines?*", lambda route: route.abort())
    page.evaluate("location.hash = '#L15000'")
    notice = page.locator(".log-notice")
    expect(notice).to_contain_text("Some lines are missing here. The server cannot be reached.")
    page.unroute("**/lines?*")
    expect(log.text(15_000)).to_have_text("line 15000")
    expect(notice).to_be_hidden()
