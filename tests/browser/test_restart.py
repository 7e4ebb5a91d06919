"""The page goes on when its server is killed and comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.log import Log
from tests.browser.site import Site, ToldBuild
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser
MANY = 40


def expect_server_to_be_away(watcher: Watcher) -> None:
    """Chromium's own words about each attempt at a closed port, or at a server that is about to go."""
    watcher.expect("WebSocket connection to .* failed")
    watcher.expect("Failed to load resource: (net::ERR_|the server responded with a status of 503)")


def test_no_line_is_lost_or_doubled_when_the_server_is_killed_and_restarted(
    page: Page, site: Site, told: Callable[..., ToldBuild], watcher: Watcher
) -> None:
    expect_server_to_be_away(watcher)
    build, log = told(), Log(page)
    page.goto(build.address)
    build.say(*(f"before {number}" for number in range(MANY)))
    expect(log.line(f"before {MANY - 1}")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("live")
    site.server.kill()
    expect(page.locator("#connection")).to_have_text("reconnecting…")
    expect(log.viewer).to_have_attribute("data-connection", "reconnecting")
    build.say(*(f"meanwhile {number}" for number in range(MANY)))
    site.server.start()
    expect(log.line(f"meanwhile {MANY - 1}")).to_be_visible(timeout=30_000)
    build.say("after")
    expect(log.line("after")).to_be_visible()
    log.expect_state("live")
    assert build.end() == 0
    log.expect_state("finished")
    raw = page.request.get(str(page.get_by_role("link", name="Raw", exact=True).get_attribute("href"))).text()
    said = [line for line in raw.splitlines() if line.startswith(("before", "meanwhile", "after"))]
    assert said == [f"{when} {number}" for when in ("before", "meanwhile") for number in range(MANY)] + ["after"]
    assert seen(log, len(raw.splitlines())) == raw.splitlines()
    expect(page.locator("#build-status")).to_have_text("success")


def test_a_page_goes_on_without_a_reload_when_its_server_is_restarted(
    page: Page, site: Site, told: Callable[..., ToldBuild], watcher: Watcher
) -> None:
    expect_server_to_be_away(watcher)
    build, log = told(), Log(page)
    page.goto(build.address)
    page.evaluate("() => { window.sameDocument = true; }")
    build.say("before")
    expect(log.line("before")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("live")
    assert site.server.process is not None
    site.server.stop()
    assert site.server.process.returncode == 0
    expect(page.locator("#connection")).to_have_text("reconnecting…")
    expect(log.viewer).to_have_attribute("data-connection", "reconnecting")
    build.say("meanwhile")
    site.server.start()
    expect(log.line("meanwhile")).to_be_visible(timeout=30_000)
    build.say("after")
    expect(log.line("after")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("live")
    log.expect_state("live")
    assert page.evaluate("() => window.sameDocument")
    assert build.end() == 0


def seen(log: Log, count: int) -> list[str]:
    """All lines that the viewer has, by scrolling over them from the first to the last."""
    lines: dict[int, str] = {}
    log.viewport.focus()
    log.page.keyboard.press("Home")
    log.expect_shown(1)
    while True:
        rows = "rows => rows.map(row => [Number(row.dataset.line), row.querySelector('.log-text').textContent])"
        lines |= dict(log.rows.evaluate_all(rows))
        reached = next(number for number in range(1, count + 1) if number + 1 not in lines)  # rows may be yet to go
        if reached == count:
            return [lines[number] for number in sorted(lines)]
        log.row(reached).scroll_into_view_if_needed()
        expect(log.row(reached + 1)).to_have_count(1)
