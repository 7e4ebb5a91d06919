"""The build page while a build goes on, and after it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.client import entry
from tests.browser.log import Log
from tests.browser.site import PUBLIC, Site, ToldBuild

pytestmark = pytest.mark.browser

WAIT_SECONDS = 15


class WrittenBuild:
    """A build over REST, for what the agent does not do: steps at once, results of all kinds."""

    def __init__(self, site: Site, builder: str) -> None:
        self._writer = site.writer
        build = self._writer.post("/builds", {"project": PUBLIC, "builder": builder, "title": "Written"})
        self.id, self.url, self.number = build["id"], site.url + build["url"], build["number"]

    def start(self, name: str, text: str | None = None) -> tuple[int, int]:
        step = self._writer.post(f"/builds/{self.id}/steps", {"name": name})
        log = self._writer.post(f"/steps/{step['id']}/logs", {"name": "stdio"})
        answer = self._writer.chunks(log["id"], entry(0, (text or f"output of {name}\n").encode()))
        assert answer.status_code == 200
        return step["id"], log["id"]

    def end(self, step: tuple[int, int], results: str = "success") -> None:
        assert self._writer.finish(step[1]).status_code == 200
        self._writer.post(f"/steps/{step[0]}/finish", {"results": results})

    def finish(self, results: str) -> None:
        self._writer.post(f"/builds/{self.id}/finish", {"results": results})


@pytest.fixture
def build(site: Site, builder: str) -> WrittenBuild:
    return WrittenBuild(site, builder)


@pytest.fixture
def failed(build: WrittenBuild) -> WrittenBuild:
    for name, results in (("compile", "success"), ("test", "failure"), ("package", "skipped")):
        lines = "".join(f"line {number}\n" for number in range(1, 500)) if results == "failure" else ""
        build.end(build.start(name, f"{lines}output of {name}\n"), results)
    build.finish("failure")
    return build


def chosen(page: Page) -> Locator:
    return page.locator("#steps [aria-current] .name")


def expect_drawn(page: Page) -> None:
    """The page has heard of its build: what is pressed now is its script's."""
    expect(page.locator(".step[data-drawn]").first).to_be_visible()


def expect_live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_text("live")


def test_steps_of_the_agent_appear_with_state_and_duration_and_the_page_follows_them(
    page: Page, told: Callable[..., ToldBuild]
) -> None:
    agent = told("compile", "test")
    page.goto(agent.address)
    expect_live(page)
    expect(page.locator("#steps .name")).to_have_text(["compile"])
    expect(page.locator("#steps .status-word")).to_have_text(["running"])
    expect(page.locator("#steps time")).to_have_text(re.compile(r"^[1-9]\d*s$"))
    bars = page.locator("#timeline a")
    expect(bars).to_have_attribute("aria-label", re.compile(r"^compile: running, [1-9]\d*s$"))  # it grows by itself
    agent.end_step()
    expect(page.locator("#steps .status-word")).to_have_text(["success", "running"])
    expect(page.locator("#timeline .is-running")).to_have_attribute("href", "?step=2")
    expect(chosen(page)).to_have_text("test")
    agent.say("from the second step")
    expect(Log(page).line("from the second step")).to_be_visible()
    agent.say("src/main.c:7:1: error: 'limit' undeclared")
    agent.end_step(3)
    expect(page.locator("#steps .status-word")).to_have_text(["success", "failure"])
    expect(page.locator("#build-status")).to_have_text("failure")
    expect(page.locator("#failed")).to_have_text("failed at test")
    expect(page.locator("#timeline .is-failure .mark")).to_be_visible()
    expect(bars).to_have_count(2)
    expect(Log(page).line("program finished with exit code 3")).to_be_visible()
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator("#first-error a")).to_have_text("src/main.c:7: 'limit' undeclared")
    assert agent.end() == 1


def test_a_build_is_seen_from_before_its_first_step_to_its_end_in_title_and_icon_too(
    page: Page, build: WrittenBuild, builder: str
) -> None:
    page.goto(build.url)
    expect_live(page)
    expect(page.get_by_text("Waiting for the first step.")).to_be_visible()
    step = build.start("compile")
    expect(page.get_by_text("output of compile")).to_be_visible()
    build.end(step, "warnings")
    build.finish("warnings")
    expect(page.locator("#steps .status-word")).to_have_text(["warnings"])
    expect(page).to_have_title(f"warnings · {builder} #{build.number} · {PUBLIC}")
    assert "favicon-success" in str(page.locator("link[rel=icon]").get_attribute("href"))


def test_a_failed_build_opens_at_the_end_of_its_failed_step_and_says_so(page: Page, failed: WrittenBuild) -> None:
    page.goto(failed.url)
    expect(chosen(page)).to_have_text("test")
    expect(page.get_by_text("output of test")).to_be_in_viewport()
    expect(page.locator("#failed")).to_have_text("failed at test")
    assert "favicon-failed" in str(page.locator("link[rel=icon]").get_attribute("href"))


def test_a_failed_build_opens_at_its_first_error_by_itself_and_by_a_click(
    page: Page, site: Site, build: WrittenBuild
) -> None:
    build.end(build.start("configure"))
    around = "".join(f"cc -c unit_{number}.c\n" for number in range(1, 500))
    error = "src/main.c:7:1: error: 'limit' undeclared"
    step = build.start("compile", f"{around}{error}\n{around}")
    build.end(step, "failure")
    build.finish("failure")
    until = time.monotonic() + WAIT_SECONDS
    while not site.writer.http.get(f"/logs/{step[1]}").json()["errors"]:
        assert time.monotonic() < until, "nobody recognised the error"
        time.sleep(0.05)
    page.goto(build.url)
    told = page.locator(".first-error a")
    expect(told).to_have_text("src/main.c:7: 'limit' undeclared")
    expect(Log(page).line(error)).to_be_in_viewport()
    page.locator(".step", has_text="configure").click()
    expect(page.get_by_text("output of configure")).to_be_visible()
    page.locator(".step", has_text="compile").click()
    expect(Log(page).line(error)).to_be_in_viewport()
    told.click()
    expect(Log(page).marked).to_have_text([error])
    page.goto(build.url)
    copy = page.get_by_role("button", name="Copy link")
    copy.click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(Log(page).marked).to_have_text([error])


def test_a_step_is_chosen_by_a_click_and_the_back_button_returns(page: Page, failed: WrittenBuild) -> None:
    page.goto(failed.url)
    expect_drawn(page)
    expect(page.get_by_text("output of test")).to_be_visible()
    page.locator(".step", has_text="compile").click()
    expect(page).to_have_url(f"{failed.url}?step=1")
    expect(page.get_by_text("output of compile")).to_be_visible()
    expect(chosen(page)).to_have_text("compile")
    page.go_back()
    expect(page).to_have_url(failed.url)
    expect(page.get_by_text("output of test")).to_be_visible()
    page.go_forward()
    expect(page.get_by_text("output of compile")).to_be_visible()


def test_a_step_is_chosen_with_the_keyboard_alone(page: Page, failed: WrittenBuild) -> None:
    page.goto(failed.url)
    expect_drawn(page)
    page.locator(".step").nth(1).focus()
    page.keyboard.press("Tab")
    expect(page.locator(".step", has_text="package")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("output of package")).to_be_visible()
    expect(page.locator(".step", has_text="package")).to_be_focused()


def test_a_step_is_chosen_on_the_timeline_with_the_keyboard_too(page: Page, failed: WrittenBuild) -> None:
    page.goto(failed.url)
    expect_drawn(page)
    page.locator("#timeline [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#timeline a").last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_text("output of compile")).to_be_visible()
    expect(page).to_have_url(f"{failed.url}?step=1")
    page.locator("#failed a").click()
    expect(page.get_by_text("output of test")).to_be_in_viewport()


def test_who_chose_a_step_stays_there_and_goes_back_to_following(page: Page, build: WrittenBuild) -> None:
    build.end(build.start("compile"))
    build.start("test")
    page.goto(build.url)
    expect_live(page)
    page.locator(".step", has_text="compile").click()
    expect(page.get_by_text("output of compile")).to_be_visible()
    build.start("package")
    expect(page.locator("#steps .step")).to_have_count(3)
    expect(chosen(page)).to_have_text("compile")
    page.go_back()
    expect(chosen(page)).to_have_text("package")


def test_marked_lines_say_whose_they_are_and_the_page_stays_with_them(page: Page, build: WrittenBuild) -> None:
    step = build.start("compile", "one\ntwo\nthree\n")
    page.goto(build.url)
    expect_live(page)
    Log(page).number(2).click()
    expect(page).to_have_url(f"{build.url}?step=1#L2")
    build.end(step)
    build.start("test")
    expect(page.locator("#steps .step")).to_have_count(2)
    expect(chosen(page)).to_have_text("compile")
    page.reload()
    expect(Log(page).marked).to_have_text(["two"])
    page.locator(".step", has_text="test").click()
    expect(page).to_have_url(f"{build.url}?step=2")
    expect(Log(page).marked).to_have_count(0)
    Log(page).expect_following(True)


def test_lines_marked_in_one_step_are_not_marked_in_the_one_that_follows_it(page: Page, build: WrittenBuild) -> None:
    step = build.start("compile", "one\ntwo\n")
    page.goto(f"{build.url}#L2")
    expect_live(page)
    expect(Log(page).marked).to_have_text(["two"])
    build.end(step)
    build.start("test", "three\nfour\n")
    expect(Log(page).line("four")).to_be_visible()
    expect(page).to_have_url(build.url)
    expect(Log(page).marked).to_have_count(0)
    Log(page).expect_following(True)


def test_without_scripts_the_steps_the_tail_and_the_links_are_there(
    browser: Browser, site: Site, build: WrittenBuild
) -> None:
    build.end(build.start("compile"))
    build.start("test", "first\n" + "x" * 70_000 + "\n\x1b[31mlast\x1b[0m\n")
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(build.url)
    expect(page.locator("pre.plain")).to_have_text("last")
    expect(page.locator("pre.plain")).to_be_visible()
    expect(page.locator(".plain-head span").first).to_contain_text("The last 24 KiB of")
    whole, refresh = page.locator(".plain-head a").all()
    assert page.request.get(str(whole.get_attribute("href"))).text().startswith("first\n")
    expect(refresh).to_have_attribute("href", page.url.removeprefix(site.url))
    page.locator(".step", has_text="compile").click()
    expect(page.locator("pre.plain")).to_have_text("output of compile")
    page.get_by_role("link", name="Full width").click()
    expect(page.locator("pre.plain")).to_have_text("output of compile")
    context.close()


def test_a_build_whose_writer_goes_silent_says_so_and_goes_on_when_it_comes_back(
    page: Page, site: Site, build: WrittenBuild
) -> None:
    _step, log = build.start("compile")
    page.goto(build.url)
    expect_live(page)
    expect(page.locator("#silent")).to_be_hidden()
    viewer = page.locator(".log-viewer")
    expect(viewer).to_have_attribute("data-connection", "live")
    site.run(
        "from datetime import timedelta; from django.utils import timezone; "
        "from logviewer.intake.silence import abandon_build; "
        f"abandon_build({build.id}, timezone.now() + timedelta(hours=1))"
    )
    expect(page.locator("#build-status .status-word")).to_have_text("abandoned")
    expect(page.locator("#steps .status-word")).to_have_text(["abandoned"])
    expect(page.locator("#build-elapsed time[data-finished]")).to_have_text(re.compile(r"^\d+s$"))
    expect(page.locator("#silent")).to_be_visible()
    expect(viewer).to_have_attribute("data-connection", "silent")
    assert site.writer.chunks(log, entry(0, b"back again\n")).status_code == 200
    expect(page.locator("#build-status .status-word")).to_have_text("running")
    expect(page.locator("#silent")).to_be_hidden()
    expect(Log(page).line("back again")).to_be_visible()
    expect(viewer).to_have_attribute("data-connection", "live")
