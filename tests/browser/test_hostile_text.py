"""Names and output from outside execute nothing, break no policy, and mislead nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.client import entry
from tests.browser.content import HOSTILE_BUILDER, HOSTILE_LOG, HOSTILE_STEP, add_hostile, add_html
from tests.browser.log import Log
from tests.browser.site import PUBLIC, Site
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser


@pytest.fixture
def dialogs(page: Page) -> list[str]:
    """What any script said that got to run: each hostile text calls alert()."""
    opened: list[str] = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    return opened


def test_hostile_names_are_text_on_every_page(page: Page, site: Site, dialogs: list[str]) -> None:
    build = add_hostile(site)
    page.goto(build)
    expect(page.locator("#build-title")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("#steps .name")).to_have_text(HOSTILE_STEP)
    expect(page.locator(".tab").last).to_have_text("<u>")
    expect(page.locator("h1 b, h1 script, .steps b, .tabs u, .facts i")).to_have_count(0)
    page.goto(f"/p/{PUBLIC}/{HOSTILE_BUILDER}/")
    expect(page.locator(".build-row .title").first).to_contain_text("<script>alert(1)</script>")
    for path in (f"/p/{PUBLIC}/", "/"):
        page.goto(path)
        expect(page.get_by_text(HOSTILE_BUILDER).first).to_be_visible()
    assert dialogs == []


def test_hostile_output_is_text_and_what_is_invisible_is_named(
    page: Page, write_log: Callable[..., str], dialogs: list[str]
) -> None:
    page.goto(write_log(entry(0, HOSTILE_LOG)))
    log = Log(page)
    expect(log.text(1)).to_have_text("<img src=x onerror=alert(1)><script>alert(1)</script>")
    expect(log.text(2)).to_contain_text("link \u2400")
    expect(log.text(3)).to_contain_text("if access == ⟨RLO⟩⟨LRI⟩// admin⟨PDI⟩ ⟨LRI⟩user: ⟨BOM⟩yes")
    expect(log.text(4)).to_contain_text("not UTF-8")
    expect(log.text(5)).to_have_attribute("data-cut", "… cut here: the line has 30,000 bytes")
    expect(log.viewer.locator("img, script, a[href^=javascript]")).to_have_count(0)
    expect(page).to_have_title("stdio · compile · " + page.url.split("/")[5] + " #1")
    assert dialogs == []


def test_the_policy_stops_what_hostile_text_would_do(
    page: Page, watcher: Watcher, write_log: Callable[..., str]
) -> None:
    """The other tests hear no violation because there is none, not because nobody listens."""
    watcher.expect("^console error: ")
    page.goto(write_log(entry(0, b"text\n")))
    stopped = "f => { try { f() } catch { return } }"
    page.evaluate(f"({stopped})(() => {{ document.body.innerHTML = '<b>' }})")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    expect(page.locator("img[src*=example]")).to_have_count(1)
    page.wait_for_function("document.querySelector('img[src*=example]').complete")
    assert sorted(text.split()[1] for text in watcher.take()) == ["img-src", "require-trusted-types-for"]


def test_without_scripts_hostile_output_is_text_too(
    browser: Browser, site: Site, write_log: Callable[..., str]
) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(write_log(entry(0, HOSTILE_LOG.partition(b"x" * 100)[0])))
    expect(page.locator("pre.plain")).to_contain_text("<img src=x onerror=alert(1)><script>alert(1)</script>")
    expect(page.locator("pre.plain *")).to_have_count(0)
    context.close()


def test_a_log_that_is_a_document_runs_nothing_and_reaches_nothing_of_the_page(
    page: Page, site: Site, watcher: Watcher, dialogs: list[str]
) -> None:
    watcher.expect("[Bb]locked|violates|sandboxed|Unsafe attempt")
    address = add_html(
        site,
        b"<h1>Coverage</h1><script>alert(1); parent.document.title = 'taken'</script><img src=x onerror=alert(2)>"
        b"<a href='javascript:alert(3)'>run</a><a target=_top href='/admin/'>leave</a>"
        b"<form action='https://example.org/'><button>send</button></form>",
    )
    page.goto(address)
    shown = (page.url, page.title())
    frame = page.frame_locator(".html-log")
    for document in (frame, page):  # in its frame; and by itself, as somebody opens it in a tab
        expect(document.locator("h1")).to_have_text("Coverage")
        document.get_by_text("run").click()
        document.get_by_text("send").click()
        expect(document.locator("h1")).to_have_text("Coverage")
        if document is frame:
            document.get_by_text("leave").click()
            assert (page.url, page.title()) == shown
            page.goto(f"{site.url}{page.locator('.html-log').get_attribute('src')}")
    assert not [url for url in watcher.requested if "example.org" in url]
    assert dialogs == []
