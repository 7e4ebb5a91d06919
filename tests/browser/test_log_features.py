"""What stands around the lines of a log: search, folds, times, errors, channels, marked lines, preferences, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.client import entry
from tests.browser.log import Log
from tests.browser.site import PUBLIC, Site
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser

GROUP, FIRST_OF_GROUP, END_OF_GROUP = 2, 3, 403
LAYERS = (404, 405, 406)
COMPILER_ERROR, LAST = 1108, 1609
MODULES = 1200
MARKS = {
    "errors": [
        {"n": COMPILER_ERROR, "level": "error", "text": "expected ';'", "file": "src/parser.c", "line": 700},
        {"n": LAST, "level": "error", "text": "make: *** [all] Error 2"},
        {"n": 408, "level": "warning", "text": "unused variable"},
    ],
    "folds": [{"start": GROUP, "end": END_OF_GROUP, "name": "Install packages", "level": 1, "seconds": 124.2}],
    "gaps": [{"n": 500, "seconds": 42.0}, {"n": 1200, "seconds": 300.0}],
    "counts": {"errors": 2, "warnings": 1, "folds": 1, "gaps": 2},
}
"""As the server would say it: what it finds in a text, and when, is tested elsewhere."""


def rich_text() -> Iterator[bytes]:
    """A log with something of everything, as chunks."""
    yield entry(2, b"$ make -j4 all\n")
    yield entry(0, b"::group::Install packages\n")
    yield entry(0, b"".join(b"Get:%d https://deb.example.org/pkg-%d.deb\n" % (at, at) for at in range(400)))
    yield entry(0, b"::endgroup::\n")
    yield entry(0, b"a: Waiting\nb: Waiting\n\x1b[2A\x1b[2K\ra: Done\r\x1b[2B\x1b[1A\x1b[2K\rb: 50%\r\x1b[1B\n")
    yield entry(0, b"::group::Compile\n")
    for at in range(MODULES):
        if at == COMPILER_ERROR - 408:
            yield entry(1, b"src/parser.c:700:17: error: expected ';'\n")
        elif at % 100 == 0:
            yield entry(1, b"src/file%d.c:3: warning: unused variable\n" % at)
        else:
            yield entry(0, b"  CC module_%d.o\n" % at)
    yield entry(0, b"see \x1b]8;;https://example.org/docs\x1b\\the docs\x1b]8;;\x1b\\ or <https://example.org/faq>.\n")
    yield entry(1, b"make: *** [all] Error 2\n")


@pytest.fixture(scope="module")
def rich(site: Site) -> str:
    """The address of one log that all of these tests read."""
    log = site.writer.new_log(project=PUBLIC, builder="features")
    answer = site.writer.chunks(log["id"], b"".join(rich_text()))
    assert answer.status_code == 200, answer.text
    site.writer.finish(log["id"])
    return str(log["url"])


@pytest.fixture
def marked_page(page: Page) -> Page:
    page.route("**/marks", lambda route: route.fulfill(json=MARKS))
    return page


@pytest.fixture
def log(marked_page: Page, rich: str) -> Log:
    marked_page.goto(rich)
    shown = Log(marked_page)
    expect(shown.row(1)).to_be_visible()
    expect(marked_page.get_by_role("button", name="Search")).to_be_visible()  # what is tested comes behind the lines
    return shown


def status(page: Page) -> Locator:
    """What screen readers were told last."""
    return page.locator(".log-unseen[role=status]")


def test_search_finds_in_the_whole_log_and_goes_round(log: Log) -> None:
    page = log.page
    page.keyboard.press("/")
    page.keyboard.type("MODULE_119")
    count = page.locator(".log-search-count")
    expect(count).to_have_text("1 of 11")
    log.expect_shown(408 + 119)
    expect(log.text(408 + 119).locator(".log-hit")).to_have_text("module_119")
    expect(page.locator(".log-mark-hit").first).to_be_attached()
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 of 11")
    log.viewport.focus()
    page.keyboard.press("Shift+N")
    page.keyboard.press("Shift+N")
    expect(count).to_have_text("11 of 11")
    expect(status(page)).to_have_text("11 of 11, line 1,607, from the other end")
    log.expect_shown(1607)
    page.keyboard.press("Escape")
    expect(page.get_by_role("search")).to_be_hidden()
    expect(page.locator(".log-hit")).to_have_count(0)


def test_search_takes_patterns_and_says_what_is_wrong_with_one(log: Log, watcher: Watcher) -> None:
    watcher.expect("status of 400")
    page = log.page
    page.keyboard.press("Control+f")
    page.get_by_role("button", name="Regular expression").click()
    box = page.get_by_role("searchbox", name="Search the whole log")
    box.fill(r"module_1\d+9\.o")
    expect(page.locator(".log-search-count")).to_have_text(re.compile(r"^1 of \d+$"))
    expect(page.locator(".log-hit").first).to_have_text(re.compile(r"module_1\d+9\.o"))
    box.fill("(")
    expect(page.locator(".log-search-count")).to_have_class("log-search-count is-bad")
    expect(page.locator(".log-search-count")).to_contain_text("missing")
    box.fill("in no line at all")
    expect(page.locator(".log-search-count")).to_have_text("No matches")
    expect(status(page)).to_have_text("No matches")


def test_channels_are_chosen_and_numbers_stay(log: Log) -> None:
    page = log.page
    page.get_by_role("button", name="View").click()
    page.get_by_role("button", name="Only stderr").click()
    page.keyboard.press("Escape")
    expect(log.rows.first).to_have_attribute("data-line", "408")
    expect(log.row(COMPILER_ERROR)).to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"\?channels=stderr$"))
    page.keyboard.press("s")  # the longest silence was before a line of stdout: it is shown nevertheless
    log.expect_shown(MODULES)
    expect(page).not_to_have_url(re.compile("channels"))
    page.goto(f"{page.url}?channels=stderr")
    expect(log.rows.first).to_have_attribute("data-line", "408")
    page.get_by_role("button", name="Show all").press(" ")
    expect(log.row(409)).to_be_visible()
    expect(page).not_to_have_url(re.compile("channels"))
    expect(log.viewport).to_be_focused()
    page.reload()
    expect(log.row(1)).to_be_visible()
    page.keyboard.press("PageDown")  # nobody has clicked into the log
    expect(log.row(1)).not_to_be_in_viewport()


def test_who_filters_stays_at_the_line(log: Log) -> None:
    page = log.page
    page.goto(f"{page.url}?channels=stdout#L{MODULES}")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    expect(log.row(1)).to_have_count(0)
    log.expect_shown(MODULES)
    page.get_by_role("button", name="Show all").click()
    expect(page).not_to_have_url(re.compile("channels"))
    log.expect_shown(MODULES)


def test_a_section_is_folded_away_and_opens_for_who_goes_into_it(log: Log) -> None:
    page = log.page
    fold = page.get_by_role("button", name="Install packages, 401 lines, 2m 04s")
    expect(fold).to_have_attribute("aria-expanded", "true")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(log.row(FIRST_OF_GROUP)).to_have_count(0)
    log.expect_shown(END_OF_GROUP + 1)
    expect(page).to_have_url(re.compile(rf"\?fold={GROUP}$"))
    page.reload()
    log.expect_shown(END_OF_GROUP + 1)
    page.keyboard.press("g")
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    log.expect_shown(200)
    expect(page).not_to_have_url(re.compile("fold"))
    page.keyboard.press("z")
    expect(page).to_have_url(re.compile(r"\?fold=all#L200$"))


def test_lines_are_marked_by_keys_alone(log: Log) -> None:
    page = log.page
    page.keyboard.press("m")
    expect(page).to_have_url(re.compile("#L1$"))
    page.keyboard.press("Shift+M")
    expect(page).to_have_url(re.compile("#L1-L2$"))
    page.keyboard.press("F8")
    expect(page.locator(".log-row-current")).to_have_attribute("data-line", str(COMPILER_ERROR))
    page.keyboard.press("Shift+M")
    expect(page).to_have_url(re.compile(f"#L1-L{COMPILER_ERROR}$"))
    page.keyboard.press("g")
    page.keyboard.type("300")
    page.keyboard.press("Enter")
    log.expect_shown(300)
    expect(page).to_have_url(re.compile("#L300$"))


def test_times_in_four_ways_and_the_longest_silence(log: Log) -> None:
    page = log.page

    def shown() -> str:
        return str(log.number(1).get_attribute("data-time"))

    expect(log.number(1)).to_have_attribute("data-time", "")
    found = []
    for _ in range(4):
        page.keyboard.press("t")
        page.wait_for_function("() => new Promise(resolve => requestAnimationFrame(resolve))")
        found.append(shown())
    assert re.fullmatch(r"\d\d:\d\d:\d\d", found[0])
    assert re.fullmatch(r"\d+\.\d\d", found[1])
    assert found[2:] == ["", ""]  # nothing is before the first line; off
    page.keyboard.press("s")
    log.expect_shown(1200)
    expect(log.row(1200).locator(".log-gap")).to_have_attribute("data-text", "silent for 5 min")
    expect(status(page)).to_have_text("silent for 5 min before line 1200")


def test_f8_goes_from_error_to_error(log: Log) -> None:
    page = log.page
    expect(page.locator(".log-errors")).to_have_text("2errors")
    page.keyboard.press("F8")
    log.expect_shown(COMPILER_ERROR)
    expect(log.row(COMPILER_ERROR)).to_have_class(re.compile("log-row-error"))
    expect(status(page)).to_have_text("error 1 of 2, line 1,108: expected ';'")
    page.keyboard.press("F8")
    log.expect_shown(LAST)
    page.keyboard.press("Shift+F8")
    log.expect_shown(COMPILER_ERROR)
    expect(page.locator(".log-mark-error")).to_have_count(2)


def test_marked_lines_are_copied_though_they_are_not_in_the_document(log: Log) -> None:
    page = log.page
    page.goto(f"{page.url}#L1-L1500")
    expect(page.get_by_role("group", name="Marked lines")).to_contain_text("1,500")
    page.keyboard.press("c")
    expect(page.get_by_role("group", name="Marked lines")).to_contain_text("1,500 lines copied")
    copied = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert len(copied) == 1500
    assert copied[0] == "$ make -j4 all"
    assert copied[403:406] == ["a: Done", "b: 50%", ""]
    assert copied[1107].startswith("src/parser.c:700:17: error:")
    page.keyboard.press("y")
    expect(page.get_by_role("group", name="Marked lines")).to_contain_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    raw = page.get_by_role("group", name="Marked lines").get_by_role("link", name="Raw")
    assert (raw.get_attribute("href") or "").endswith("/raw?from-line=1&to-line=1500")
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="Marked lines")).to_be_hidden()


def test_the_cursor_goes_up_as_in_a_terminal_and_links_lead_where_they_say(log: Log) -> None:
    page = log.page
    page.goto(f"{page.url}#L{LAYERS[0]}")
    expect(log.text(LAYERS[0])).to_have_text("a: Done")
    expect(log.text(LAYERS[1])).to_have_text("b: 50%")
    expect(log.text(LAYERS[2])).to_have_attribute("data-moved", "shown in line 405")
    page.goto(f"{page.url.partition('#')[0]}#L{LAST - 1}")
    links = log.text(LAST - 1).get_by_role("link")
    expect(links).to_have_text(["the docs", "https://example.org/faq"])
    expect(links.first).to_have_attribute("href", "https://example.org/docs")
    expect(links.last).to_have_attribute("rel", "noopener nofollow")


def test_theme_and_size_are_kept_in_this_browser(log: Log) -> None:
    page = log.page
    page.get_by_role("button", name="View").click()
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Larger text").click()
    expect(page.locator("html")).to_have_css("color-scheme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_css("color-scheme", "dark")
    expect(log.viewport).to_have_css("font-size", "13px")
    page.goto("/")
    expect(page.locator("html")).to_have_css("color-scheme", "dark")


def test_the_keys_are_listed_and_the_list_is_left_as_it_was_entered(log: Log) -> None:
    page = log.page
    log.viewport.focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Next error")
    page.keyboard.press("F8")
    expect(log.row(COMPILER_ERROR)).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(log.viewport).to_be_focused()


def test_completeness_is_said(log: Log) -> None:
    facts = log.page.locator(".log-facts")
    expect(facts).to_have_text("finished, not verified")
    log.page.set_viewport_size({"width": 360, "height": 640})
    expect(facts.locator(".log-icon")).to_be_visible()
    expect(log.viewer).to_match_aria_snapshot("- text: finished, not verified")
