"""What holds for every page in every state; the pages are those of script/screenshots, visited once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.axe import barriers
from tests.browser.gallery import Gallery
from tests.browser.site import serving
from tests.browser.watcher import Watcher, overflow

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(800)]  # 180 visits before the first test


@pytest.fixture(scope="module")
def gallery(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with serving(tmp_path_factory.mktemp("gallery")) as site:
        gallery = Gallery(site, browser)
        assert gallery.show_all() > 0
        yield gallery


def test_no_page_has_a_fault_at_any_width(gallery: Gallery) -> None:
    assert gallery.faults == []


def test_axe_finds_nothing_serious_on_any_page_light_or_dark_wide_or_narrow(gallery: Gallery) -> None:
    assert gallery.barriers == []


def test_no_request_leaves_the_site(gallery: Gallery) -> None:
    assert gallery.left == []


def test_what_is_wider_than_its_window_is_told(page: Page) -> None:
    page.set_content("<p>" + "x" * 100)
    assert overflow(page) is None
    page.set_content("<p>" + "x" * 1000)
    assert "in a window of 1280 px" in str(overflow(page))


def test_what_keeps_people_out_is_told(page: Page) -> None:
    page.set_content("<html lang=en><title>a</title><main><h1 style='color:#999'>pale</h1><button></button></main>")
    found = barriers(page)
    assert [barrier.split(",")[0] for barrier in found] == ["critical button-name", "serious color-contrast"]
    assert "contrast of 2.84" in found[1]
    assert [barrier.split(",")[0] for barrier in barriers(page, ["color-contrast"])] == ["serious color-contrast"]


def test_who_asks_elsewhere_is_heard(page: Page, watcher: Watcher) -> None:
    page.route("**/*", lambda route: route.fulfill(body=""))
    page.set_content("<img src='http://elsewhere.example/pixel'>")
    assert watcher.requested == ["http://elsewhere.example/pixel"]
