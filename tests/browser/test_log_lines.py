"""What the lines of a log look like, how they are addressed, and what copying them gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.acceptance.client import entry
from tests.browser.log import Log
from tests.browser.site import PUBLIC, Site

pytestmark = pytest.mark.browser

RED, ORANGE_208, TRUE_COLOUR = "\x1b[31m", "\x1b[38;5;208m", "\x1b[48;2;0;80;0m\x1b[38;2;250;250;250m"
RESET = "\x1b[0m"
MANY_LINES = 120_000
PIECE = 20_000


def stdout(text: str) -> bytes:
    return entry(0, text.encode())


def test_colours_of_all_three_kinds_and_attributes_are_shown(page: Page, write_log: Callable[..., str]) -> None:
    text = (
        f"{RED}sixteen{RESET}\n{ORANGE_208}palette{RESET}\n{TRUE_COLOUR}direct{RESET}\n\x1b[1;3;4;9mall{RESET} plain\n"
    )
    page.goto(write_log(stdout(text)))
    expect(page.get_by_text("sixteen", exact=True)).to_have_class("log-ink-1")
    expect(page.get_by_text("direct", exact=True)).to_have_css("background-color", "rgb(0, 80, 0)")
    expect(page.get_by_text("all", exact=True)).to_have_css("font-weight", "700")
    expect(page.get_by_text("all", exact=True)).to_have_css("font-style", "italic")
    plain = Log(page).viewer.evaluate("e => getComputedStyle(e).color")
    for text in ("sixteen", "palette", "direct"):
        expect(page.get_by_text(text, exact=True)).not_to_have_css("color", plain)
    expect(Log(page).text(4)).to_have_text("all plain")


@pytest.mark.parametrize("lines", [5, 500])
def test_the_first_lines_are_there_before_the_script_and_stay_where_they_are(
    page: Page, write_log: Callable[..., str], lines: int
) -> None:
    held: list[Route] = []
    page.route("**/log-viewer*.js", lambda route: held.append(route))  # a built-in method is not taken
    address = write_log(stdout("".join(f"line {number}\n" for number in range(1, lines + 1))), finish=False)
    page.goto(address, wait_until="commit")
    last = page.locator(".log-text", has_text=f"line {lines}")
    expect(last).to_be_in_viewport()
    before = last.bounding_box()
    assert before is not None
    while not held:
        page.wait_for_timeout(20)
    for route in held:
        route.continue_()
    page.unroute("**/log-viewer*.js")
    expect(Log(page).row(lines)).to_be_in_viewport()
    expect(page.locator(".log-preview")).to_have_count(0)
    after = last.bounding_box()
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 8, (before, after)
    assert abs(after["x"] - before["x"]) <= 1, (before, after)


def test_a_colour_that_is_begun_in_one_chunk_goes_on_in_the_next(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(stdout("\x1b[3"), stdout("2mgre"), stdout(f"en{RESET} not\n")))
    expect(page.get_by_text("green", exact=True)).to_have_class("log-ink-2")


def test_a_carriage_return_writes_over_the_line(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(stdout("  5 %\r 50 %\r"), stdout("100 %\ndone\r\n")))
    log = Log(page)
    expect(log.text(1)).to_have_text("100 %")
    expect(log.text(2)).to_have_text("done")
    expect(log.rows).to_have_count(2)


def test_standard_error_and_headers_look_different(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(entry(2, b"make\n") + entry(0, b"fine\n") + entry(1, b"oh no\n")))
    log = Log(page)
    expect(log.row(1)).to_have_class("log-row log-row-header")
    expect(log.row(2)).to_have_class("log-row")
    expect(log.row(3)).to_have_class("log-row log-row-stderr")


def test_a_click_marks_a_line_and_a_shift_click_a_range_and_the_address_says_so(
    page: Page, write_log: Callable[..., str]
) -> None:
    page.goto(write_log(stdout("".join(f"line {number}\n" for number in range(1, 301)))))
    log, address = Log(page), page.url
    log.number(5).click()
    expect(page).to_have_url(f"{address}#L5")
    log.number(9).click(modifiers=["Shift"])
    expect(page).to_have_url(f"{address}#L5-L9")
    assert log.marked_lines() == [5, 6, 7, 8, 9]
    log.number(3).click(modifiers=["Shift"])
    expect(page).to_have_url(f"{address}#L3-L5")
    page.reload()
    expect(log.marked).to_have_count(3)
    log.viewport.focus()
    page.keyboard.press("Escape")
    expect(page).to_have_url(address)
    expect(log.marked).to_have_count(0)


def test_an_address_of_lines_shows_them_marked_and_keeps_them_over_a_reload(
    page: Page, write_log: Callable[..., str]
) -> None:
    page.goto(write_log(stdout("".join(f"line {number}\n" for number in range(1, 1001)))) + "#L720-L722")
    log = Log(page)
    for _ in range(2):
        log.expect_shown(720)
        assert log.marked_lines() == [720, 721, 722]
        page.reload()
    page.goto(f"{page.url.partition('#')[0]}#L120")
    log.expect_shown(120)
    assert log.marked_lines() == [120]


def test_an_address_of_a_line_that_is_still_to_come_waits_for_it(page: Page, site: Site, builder: str) -> None:
    written = site.writer.new_log(project=PUBLIC, builder=builder)
    site.writer.chunks(written["id"], stdout("line 1\n"))
    page.goto(written["url"] + "#L150")
    log = Log(page)
    log.expect_state("live")
    log.expect_following(False)
    site.writer.chunks(written["id"], stdout("".join(f"line {number}\n" for number in range(2, 301))))
    log.expect_shown(150)
    assert log.marked_lines() == [150]
    expect(log.new_lines).to_have_text("299 new lines")


def test_copying_leaves_the_numbers_out(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(stdout(f"one\n{RED}two{RESET} and more\n\nfour\n")))
    log = Log(page)
    expect(log.text(4)).to_have_text("four")
    log.select(1, 4)
    assert log.copied() == "one\ntwo and more\n\nfour"


def test_a_selection_can_be_scrolled_away_from_and_is_copied_whole(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(stdout("".join(f"line {number}\n" for number in range(1, 1001)))))
    log = Log(page)
    log.expect_shown(1)
    log.select(2, 12)
    log.wheel(6000)
    expect(log.row(1)).to_have_count(0)
    log.expect_shown(310)
    assert log.copied() == "\n".join(f"line {number}" for number in range(2, 13))


def test_wrapping_shows_the_whole_line_and_is_remembered(page: Page, write_log: Callable[..., str]) -> None:
    page.goto(write_log(stdout("x" * 1000 + "\nshort\n")))
    log = Log(page)
    expect(log.row(1)).to_have_css("height", "20px")
    page.keyboard.press("w")
    expect(log.row(1)).not_to_have_css("height", "20px")
    assert log.viewport.evaluate("e => e.scrollWidth <= e.clientWidth")
    page.reload()
    expect(page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")


def test_of_a_log_of_any_length_every_line_can_be_seen_and_only_what_is_seen_is_in_the_document(
    page: Page, write_log: Callable[..., str]
) -> None:
    lines = [f"line {number}\n" for number in range(1, MANY_LINES + 1)]
    pieces = [stdout("".join(lines[start : start + PIECE])) for start in range(0, len(lines), PIECE)]
    page.goto(write_log(*pieces))
    log = Log(page)
    log.expect_state("finished")
    expect(log.text(1)).to_have_text("line 1")
    log.viewport.focus()
    page.keyboard.press("End")
    log.expect_shown(MANY_LINES)
    expect(log.text(MANY_LINES)).to_have_text(f"line {MANY_LINES}")
    assert log.rows.count() < 200, "only what is seen is in the document"
    page.goto(f"{page.url.partition('#')[0]}#L50000")
    log.expect_shown(50_000)
    expect(log.text(50_000)).to_have_text("line 50000")
    expect(log.text(50_010)).to_have_text("line 50010")
