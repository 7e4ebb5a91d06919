"""From the first page down to a build, as a stranger finds the way; and what a stranger does not find."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.client import entry
from tests.browser.site import PRIVATE, PUBLIC, Site, ToldBuild
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser


def begin(site: Site, builder: str) -> int:
    """Begin a build; returns its id."""
    return int(site.writer.post("/builds", {"project": PUBLIC, "builder": builder, "branch": "main"})["id"])


def finish(site: Site, build: int, results: str) -> None:
    """End the build."""
    site.writer.post(f"/builds/{build}/finish", {"results": results})


def test_from_the_first_page_to_a_running_build(page: Page, told: Callable[..., ToldBuild], builder: str) -> None:
    build = told()
    page.goto("/")
    running = page.get_by_role("region", name="Running now").get_by_role("listitem").filter(has_text=f"{builder} #1")
    expect(running).to_contain_text("Told")
    page.get_by_role("link", name="Demo", exact=True).click()
    expect(page).to_have_title(f"{PUBLIC} · buildlogs")
    row = page.locator(".builder-row", has_text=builder)
    expect(row.locator(".status-word")).to_have_text("running")
    row.get_by_role("link", name=builder).click()
    expect(page.locator(".build-row .status-word")).to_have_text(["running"])
    page.locator(".build-row").click()
    expect(page).to_have_url(build.address)
    expect(page.locator("#connection")).to_have_text("live")


def test_a_builders_list_is_filtered_by_its_address(page: Page, site: Site, builder: str) -> None:
    for branch, results in (("main", "success"), ("topic", "failure"), ("main", "failure")):
        build = site.writer.post("/builds", {"project": PUBLIC, "builder": builder, "branch": branch})
        site.writer.post(f"/builds/{build['id']}/finish", {"results": results})
    page.goto(f"/p/{PUBLIC}/{builder}/")
    expect(page.locator(".build-row .number")).to_have_text(["#3", "#2", "#1"])
    page.get_by_label("Results").select_option("failure")
    page.get_by_label("Branch").fill("main")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".build-row .number")).to_have_text(["#3"])
    page.reload()
    expect(page.locator(".build-row .number")).to_have_text(["#3"])
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".build-row .number")).to_have_text(["#3", "#2", "#1"])


def test_a_builders_page_goes_on_by_itself_and_leaves_alone_what_has_not_changed(
    page: Page, site: Site, builder: str
) -> None:
    build = begin(site, builder)
    site.writer.post(f"/builds/{build}/steps", {"name": "compile"})
    finish(site, build, "success")
    page.goto(f"/p/{PUBLIC}/{builder}/")
    expect(page.locator("#connection")).to_have_text("live")
    page.locator(".step-trends summary").click()
    first = page.get_by_role("link", name="#1", exact=True).last
    first.focus()
    page.get_by_label("Branch").evaluate("field => { field.value = 'half-typed' }")
    build = begin(site, builder)
    expect(page.locator(".build-row .number")).to_have_text(["#2", "#1"])
    expect(page.locator(".build-row .status-word")).to_have_text(["running", "success"])
    expect(page).to_have_title(re.compile("^running · "))
    finish(site, build, "failure")
    expect(page.locator(".build-row .status-word")).to_have_text(["failure", "success"])
    expect(page.get_by_text("1 of 2")).to_be_visible()
    expect(page.locator("#news")).to_have_text(f"{builder} #2 failure")
    assert "failed" in str(page.locator("link[rel=icon]").get_attribute("href"))
    expect(first).to_be_focused()
    expect(page.get_by_role("row", name="compile")).to_be_visible()
    expect(page.get_by_label("Branch")).to_have_value("half-typed")


def test_the_first_page_asks_for_what_runs_now(page: Page, site: Site) -> None:
    builder = "0-asks"  # of many, the failing ones are shown, in the order of their names
    page.clock.install()
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("live")
    build = begin(site, builder)
    running = page.locator(".running-row", has_text=f"{builder} #1")
    page.clock.run_for(6000)
    expect(running).to_be_visible()
    finish(site, build, "failure")
    page.clock.fast_forward(300_000)  # by this clock the load before took seconds: the rest after it is as long
    expect(running).to_have_count(0)
    expect(page.locator(".chip", has_text=builder)).to_contain_text("failure")


def test_a_strip_is_walked_with_the_arrow_keys(page: Page, site: Site, builder: str) -> None:
    for results in ("success", "failure", "success"):
        finish(site, begin(site, builder), results)
    page.goto(f"/p/{PUBLIC}/")
    strip = page.locator(".builder-row", has_text=builder).get_by_role("group", name="last 3 builds")
    expect(strip.get_by_role("link")).to_have_count(3)
    page.get_by_role("link", name=builder, exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(strip.get_by_role("link", name="#3 success")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(strip.get_by_role("link", name="#2 failure")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(site.address(builder, 1))


def test_without_scripts_the_lists_are_there_and_can_be_refreshed(browser: Browser, site: Site) -> None:
    builder = "0-without-scripts"
    finish(site, begin(site, builder), "failure")
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    for address in ("/", f"/p/{PUBLIC}/", f"/p/{PUBLIC}/{builder}/"):
        page.goto(address)
        page.get_by_role("link", name="Refresh", exact=True).click()
        expect(page.locator("main")).to_contain_text(builder)
        expect(page.locator("#connection")).to_be_hidden()
    context.close()


def test_a_private_project_is_not_there(page: Page, watcher: Watcher, site: Site) -> None:
    watcher.expect("status of 404")
    log = site.writer.new_log(project=PRIVATE)
    site.writer.chunks(log["id"], entry(0, b"between us\n"))
    parts = log["url"].split("/")  # /p/project/builder/number/step/log/
    addresses = ["/".join(parts[:count]) + "/" for count in (3, 4, 5)] + [log["url"]]
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 404, address
        expect(page.get_by_role("heading")).to_have_text("There is nothing here")
    assert page.request.get(f"/api/v1/logs/{log['id']}/raw").status == 404
    page.goto("/")
    expect(page.get_by_text(PRIVATE)).to_have_count(0)


def test_a_stranger_is_told_by_the_sockets_too_that_there_is_nothing(page: Page, site: Site) -> None:
    log = site.writer.new_log(project=PRIVATE)
    page.goto("/")
    closed = """path => new Promise(resolve => {
        new WebSocket(location.origin.replace("http", "ws") + path).onclose = event => resolve(event.code);
    })"""
    assert page.evaluate(closed, f"/ws/logs/{log['id']}/") == 4404
    assert page.evaluate(closed, f"/ws/builds/{log['build']}/") == 4404
