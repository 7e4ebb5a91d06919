"""A log that is being written by the agent: what is printed is seen, and the reader decides where the page stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.log import Log
from tests.browser.site import ToldBuild

pytestmark = pytest.mark.browser
MANY = 200


def numbered(first: int, count: int = MANY) -> list[str]:
    return [f"line {number}" for number in range(first, first + count)]


def test_lines_appear_as_they_are_printed_and_the_end_stays_in_view(page: Page, told: Callable[..., ToldBuild]) -> None:
    build, log = told(), Log(page)
    page.goto(build.address)
    log.expect_state("live")
    log.expect_following(True)
    build.say("the first")
    expect(log.line("the first")).to_be_in_viewport()
    build.say(*numbered(1))
    expect(log.line(f"line {MANY}")).to_be_in_viewport()
    build.say("the last")
    expect(log.line("the last")).to_be_in_viewport()
    log.expect_at_end()
    log.expect_following(True)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search the whole log")).to_be_focused()
    log.expect_following(False)


def test_who_scrolls_up_stays_there_and_the_button_counts_and_returns(
    page: Page, told: Callable[..., ToldBuild]
) -> None:
    build, log = told(), Log(page)
    page.goto(build.address)
    build.say(*numbered(1))
    expect(log.line(f"line {MANY}")).to_be_in_viewport()
    log.wheel(-1000)
    log.expect_following(False)
    expect(log.new_lines).to_be_hidden()
    place = log.viewport.evaluate("e => e.scrollTop")
    build.say("one more")
    expect(log.new_lines).to_have_text("1 new line")
    build.say(*numbered(MANY + 1))
    expect(log.new_lines).to_have_text(f"{MANY + 1} new lines")
    assert log.viewport.evaluate("e => e.scrollTop") == place
    log.new_lines.click()
    expect(log.line(f"line {2 * MANY}")).to_be_in_viewport()
    expect(log.new_lines).to_be_hidden()
    log.expect_following(True)


def test_scrolling_back_to_the_end_follows_again(page: Page, told: Callable[..., ToldBuild]) -> None:
    build, log = told(), Log(page)
    page.goto(build.address)
    build.say(*numbered(1))
    expect(log.line(f"line {MANY}")).to_be_in_viewport()
    log.wheel(-400)
    log.expect_following(False)
    log.wheel(4000)
    log.expect_following(True)
    build.say("the last")
    expect(log.line("the last")).to_be_in_viewport()


def test_a_selection_stops_following_and_survives_what_comes(page: Page, told: Callable[..., ToldBuild]) -> None:
    build, log = told(), Log(page)
    page.goto(build.address)
    build.say(*numbered(1, 20))
    expect(log.line("line 20")).to_be_visible()
    first = int(log.line("line 11").get_attribute("data-line") or 0)
    log.select(first, first + 2)
    log.expect_following(False)
    build.say(*numbered(21))
    expect(log.new_lines).to_have_text(f"{MANY} new lines")
    page.keyboard.press("t")
    expect(log.number(first)).not_to_have_attribute("data-time", "")
    assert log.copied() == "line 11\nline 12\nline 13"


def test_a_finished_log_says_so_and_has_no_end_to_follow(page: Page, told: Callable[..., ToldBuild]) -> None:
    build, log = told(), Log(page)
    page.goto(build.address)
    build.say(*numbered(1))
    expect(log.line(f"line {MANY}")).to_be_in_viewport()
    log.wheel(-1000)
    log.expect_following(False)
    build.say("all there is")
    expect(log.new_lines).to_have_text("1 new line")
    assert build.end() == 0
    log.expect_state("finished")
    expect(page.locator(".log-word")).to_have_text("Finished")
    log.wheel(5000)
    expect(log.new_lines).to_be_hidden()
    expect(log.line("all there is")).to_be_visible()
    expect(log.line("program finished with exit code 0")).to_be_visible()
    expect(log.follow).to_be_hidden()
