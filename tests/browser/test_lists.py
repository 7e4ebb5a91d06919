"""From the first page down to a build, as a stranger finds the way; and what a stranger does not find."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.client import entry
from tests.browser.site import PRIVATE, PUBLIC, Site, ToldBuild
from tests.browser.watcher import Watcher

pytestmark = pytest.mark.browser


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
