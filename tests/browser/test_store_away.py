"""A page of a log whose other store is away: it says so, at any width, and shows the log once the store is back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.client import entry
from tests.browser.conftest import WAIT_MS
from tests.browser.gallery import SCHEMES, SIZES_PX
from tests.browser.site import PUBLIC, Site, serving
from tests.browser.watcher import Watcher, overflow

pytestmark = pytest.mark.browser

WORDS = "This log lies in another store, which does not answer at the moment. Nothing is lost: try again later."
AWAY_WAIT_MS = 60_000
PICTURES = os.environ.get("BUILDLOGS_TEST_PICTURES")


@pytest.fixture(scope="module")
def other_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other-disk")


@pytest.fixture(scope="module")
def away_site(tmp_path_factory: pytest.TempPathFactory, other_disk: Path) -> Iterator[Site]:
    """A site of its own, whose sealed logs lie on another disk."""
    variables = {"BUILDLOGS_LOG_STORE": other_disk.as_uri(), "BUILDLOGS_UPKEEP_IN_SERVER": "0"}
    with serving(tmp_path_factory.mktemp("away"), **variables) as started:
        started.add_projects()
        yield started


@pytest.fixture(scope="module")
def log_address(away_site: Site) -> str:
    """The page of a log that has moved there."""
    log = away_site.writer.new_log(project=PUBLIC, builder="moved")
    assert away_site.writer.chunks(log["id"], entry(0, b"a line from the other disk\n")).status_code == 200
    assert away_site.writer.finish(log["id"]).status_code == 200
    away_site.server.manage("upkeep")
    return f"{away_site.url}{log['url']}"


@pytest.fixture
def unmounted(other_disk: Path, log_address: str) -> Iterator[Path]:
    """Where the other disk is while it is not where it should be."""
    elsewhere = other_disk.with_name("unmounted")
    other_disk.rename(elsewhere)
    yield elsewhere
    if elsewhere.exists():
        elsewhere.rename(other_disk)


def look(page: Page, name: str) -> None:
    """Keep a picture, where somebody wants to look at them."""
    assert overflow(page) is None
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES_PX)
def test_it_says_so_and_shows_the_log_once_the_store_is_back(
    browser: Browser, unmounted: Path, other_disk: Path, log_address: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    size = {"width": width, "height": SIZES_PX[width]}
    context = browser.new_context(viewport=size, color_scheme=scheme)
    watcher = Watcher(context)
    watcher.expect("Failed to load resource: .* 503")  # Chromium's own word about the answer
    page = context.new_page()
    page.goto(log_address)
    expect(page.locator(".log-viewer").get_by_text(WORDS)).to_be_visible()
    look(page, f"store-away-{width}-{scheme}")
    unmounted.rename(other_disk)
    expect(page.get_by_text("a line from the other disk")).to_be_visible(timeout=AWAY_WAIT_MS)
    expect(page.get_by_text(WORDS)).to_have_count(0)
    context.close()
    assert watcher.take() == []


@pytest.mark.parametrize("width", SIZES_PX)
def test_it_says_so_without_javascript_as_well(browser: Browser, unmounted: Path, log_address: str, width: int) -> None:
    size = {"width": width, "height": SIZES_PX[width]}
    context = browser.new_context(viewport=size, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(log_address)
    expect(page.locator("pre.plain")).to_have_text(WORDS)
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"store-away-plain-{width}.png")
    context.close()
