"""One server and one browser for all of these tests; each test has its own builder, and a page that must not complain.

The fixtures live as long as the package, not the session: Playwright keeps an event loop running, which later tests of
asyncio and Django's ORM would stumble over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.site import PUBLIC, Site, ToldBuild, serving
from tests.browser.watcher import Watcher, chromium_at

SIZE = {"width": 1280, "height": 800}
WAIT_MS = 15_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as started:
        started.add_projects()
        yield started


@pytest.fixture(scope="package")
def browser(chromium: Path) -> Iterator[Browser]:
    with chromium_at(chromium) as started:
        yield started


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=site.url, viewport=SIZE, permissions=["clipboard-read", "clipboard-write"])
    opened.set_default_timeout(WAIT_MS)
    yield opened
    opened.close()


@pytest.fixture
def watcher(context: BrowserContext) -> Iterator[Watcher]:
    watching = Watcher(context)
    yield watching
    assert watching.take() == []


@pytest.fixture
def page(context: BrowserContext, watcher: Watcher) -> Page:
    """A page of a stranger: nobody is signed in, the project is public."""
    return context.new_page()


@pytest.fixture
def builder(request: pytest.FixtureRequest) -> str:
    """A builder of the test's own; its builds count from 1."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")


@pytest.fixture
def told(site: Site, builder: str) -> Iterator[Callable[..., ToldBuild]]:
    """Starts builds through the agent that print what they are told."""
    builds: list[ToldBuild] = []

    def start(*steps: str) -> ToldBuild:
        builds.append(ToldBuild(site, builder, steps or ("compile",)))
        return builds[-1]

    yield start
    for build in builds:
        build.close()


@pytest.fixture
def write_log(site: Site, builder: str) -> Callable[..., str]:
    """Makes a build of one log with these bytes; returns the log's address."""

    def write(*pieces: bytes, finish: bool = True) -> str:
        log = site.writer.new_log(project=PUBLIC, builder=builder)
        for piece in pieces:
            answer = site.writer.chunks(log["id"], piece)
            assert answer.status_code == 200, answer.text
        if finish:
            site.writer.finish(log["id"])
        return str(log["url"])

    return write
