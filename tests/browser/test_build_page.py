"""The build page in Chromium, on a real server, while a build goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server, running_server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium_browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return server.token()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(chromium_browser: Browser, token: str, complaints: list[str]) -> Iterator[Page]:
    """A page whose requests carry the token: the project is private. It ends with no complaint in the console."""
    context = chromium_browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


class LiveBuild:
    """A build as its writer sees it."""

    def __init__(self, server: Server, token: str) -> None:
        self._writer = Writer(server.url, token)
        self.build = self._writer.post("/builds", {"project": "demo", "builder": "linux", "title": "Live"})
        self.url = server.url + self.build["url"]

    def start_step(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        step = self._writer.post(f"/builds/{self.build['id']}/steps", {"name": name})
        log = self._writer.post(f"/steps/{step['id']}/logs", {"name": "stdio"})
        assert self._writer.chunks(log["id"], entry(0, f"output of {name}\n".encode())).status_code == 200
        return step, log

    def end_step(self, step: dict[str, Any], log: dict[str, Any], results: str) -> None:
        assert self._writer.finish(log["id"]).status_code == 200
        self._writer.post(f"/steps/{step['id']}/finish", {"results": results})

    def end(self, results: str) -> None:
        self._writer.post(f"/builds/{self.build['id']}/finish", {"results": results})


@pytest.fixture
def live_build(server: Server, token: str) -> LiveBuild:
    return LiveBuild(server, token)


def chosen(page: Page) -> Any:
    return page.locator("#steps [aria-current]")


def test_a_build_is_followed_from_step_to_step_to_its_end(page: Page, live_build: LiveBuild) -> None:
    page.goto(live_build.url)
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.get_by_text("Waiting for the first step.")).to_be_visible()
    first = live_build.start_step("compile")
    expect(page.get_by_text("output of compile")).to_be_visible()
    expect(page.locator("#steps .status-word")).to_have_text(["running"])
    live_build.end_step(*first, "warnings")
    second = live_build.start_step("test")
    expect(page.get_by_text("output of test")).to_be_visible()
    expect(chosen(page)).to_contain_text("test")
    live_build.end_step(*second, "failure")
    live_build.end("failure")
    expect(page.locator("#steps .status-word")).to_have_text(["warnings", "failure"])
    expect(page.locator("#build-status")).to_have_text("failure")
    expect(page).to_have_title("failure · linux #" + str(live_build.build["number"]) + " · demo")
    assert "favicon-failed" in str(page.locator("link[rel=icon]").get_attribute("href"))
    expect(page.locator("#connection")).to_be_hidden()


def test_who_chose_a_step_stays_there_and_goes_back_to_following(page: Page, live_build: LiveBuild) -> None:
    first = live_build.start_step("compile")
    live_build.end_step(*first, "success")
    live_build.start_step("test")
    page.goto(live_build.url)
    expect(page.locator("#connection")).to_have_text("live")
    page.get_by_role("link", name="compile").click()
    expect(page).to_have_url(live_build.url + "?step=1")
    expect(page.get_by_text("output of compile")).to_be_visible()
    live_build.start_step("package")
    expect(page.locator("#steps .step")).to_have_count(3)
    expect(chosen(page)).to_contain_text("compile")
    page.go_back()
    expect(chosen(page)).to_contain_text("package")


def test_the_page_goes_on_after_the_server_was_away(
    page: Page, server: Server, live_build: LiveBuild, complaints: list[str]
) -> None:
    page.goto(live_build.url)
    expect(page.locator("#connection")).to_have_text("live")
    server.kill()
    expect(page.locator("#connection")).to_have_text("reconnecting…")
    server.start()
    live_build.start_step("compile")
    expect(page.get_by_text("output of compile")).to_be_visible(timeout=20_000)
    # Chromium itself reports each attempt that meets a closed port, and what it was fetching at that moment.
    away = ("WebSocket connection to", "Failed to load resource: net::ERR_CONNECTION")
    complaints[:] = [text for text in complaints if not text.startswith(away)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_window(
    chromium_browser: Browser, live_build: LiveBuild, server: Server, token: str, scheme: Any, width: int
) -> None:
    _, log = live_build.start_step("compile-" + "x" * 60)
    headers = {"Authorization": f"Bearer {token}"}
    context = chromium_browser.new_context(
        viewport={"width": width, "height": 740}, color_scheme=scheme, extra_http_headers=headers
    )
    page = context.new_page()
    for address in ("/", "/p/demo/", "/p/demo/linux/", live_build.build["url"], log["url"]):
        page.goto(server.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()


def test_without_scripts_the_log_and_the_steps_are_there(
    chromium_browser: Browser, live_build: LiveBuild, token: str
) -> None:
    live_build.end_step(*live_build.start_step("compile"), "success")
    live_build.start_step("test")
    context = chromium_browser.new_context(
        java_script_enabled=False, extra_http_headers={"Authorization": f"Bearer {token}"}
    )
    page = context.new_page()
    page.goto(live_build.url)
    expect(page.locator("pre.plain")).to_have_text("output of test\n")
    expect(page.locator("pre.plain")).to_be_visible()
    page.get_by_role("link", name="compile").click()
    expect(page.locator("pre.plain")).to_have_text("output of compile\n")
    context.close()
