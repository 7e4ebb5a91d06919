"""No page is wider than its window, complains in the console, or breaks its policy; the code of script/screenshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.content import filled
from tests.browser.gallery import ADMIN_INDEX, EMPTY, SHOTS, Gallery
from tests.browser.site import serving
from tests.browser.watcher import overflow

pytestmark = pytest.mark.browser


def test_no_page_has_a_fault_at_any_width(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        gallery = Gallery(site, browser)
        gallery.show([EMPTY])
        with filled(site):
            gallery.show(SHOTS)
            gallery.show([ADMIN_INDEX], signed_in=True)
    assert gallery.faults == []


def test_what_is_wider_than_its_window_is_told(page: Page) -> None:
    page.set_content("<p>" + "x" * 100)
    assert overflow(page) is None
    page.set_content("<p>" + "x" * 1000)
    assert "in a window of 1280 px" in str(overflow(page))
