"""The admin as a log keeper uses it: found, chosen, shown, done, and written down."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.client import entry
from tests.browser.site import PUBLIC, Site

pytestmark = pytest.mark.browser

KEEPER = "keeper"
PASSWORD = "only for these tests"
_ADD_KEEPER = f"""
from django.contrib.auth.models import User
User.objects.filter(username={KEEPER!r}).exists() or User.objects.create_superuser({KEEPER!r}, password={PASSWORD!r})
"""
_ADD_WEBHOOK = f"""
from logviewer.models import Actor, Delivery, Project, WebhookEvent
from logviewer.webhooks.registry import create_webhook
project = Project.objects.get(slug={PUBLIC!r})
webhook = create_webhook(project, "https://hooks.chat.example/" + "a" * 180, [WebhookEvent.LOG_FINISHED], Actor("ada"))
webhook.active = False
webhook.save()
Delivery.objects.create(webhook=webhook, event=WebhookEvent.LOG_FINISHED, subject_id=1, payload="{{}}",
                        state="given-up", next_try_at=None, why="no answer " * 40)
"""
REACH = """
(list) => {
  const room = list.closest(".results");
  room.scrollLeft = room.scrollWidth;
  const last = list.querySelector("thead th:last-child").getBoundingClientRect();
  const edge = Math.min(room.getBoundingClientRect().right, innerWidth);
  return last.right <= edge + 1 ? "reached" : `${last.right} beyond ${edge}`;
}
"""


@pytest.fixture
def desk(site: Site, page: Page) -> Page:
    """A page on which a log keeper is signed in."""
    site.run(_ADD_KEEPER)
    page.goto("/login/?next=/admin/")
    page.get_by_label("Username").fill(KEEPER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The log keeper's desk")
    return page


@pytest.fixture
def builds(site: Site, builder: str) -> list[str]:
    """Three finished builds of the test's builder; their names."""
    for number in range(1, 4):
        log = site.writer.new_log(project=PUBLIC, builder=builder)
        text = b"".join(b"line %d of build %d, token=s3cret\n" % (line, number) for line in range(1, 6))
        assert site.writer.chunks(log["id"], entry(0, text)).status_code == 200
        site.writer.finish(log["id"])
    return [f"{PUBLIC}/{builder} #{number}" for number in range(1, 4)]


def search(page: Page, text: str) -> None:
    page.get_by_label("Search", exact=True).fill(text)
    page.get_by_role("button", name="Search").click()


def choose(page: Page, name: str) -> None:
    """Tick a row of the list."""
    page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).get_by_role("checkbox").check()


def test_builds_are_found_chosen_shown_pinned_and_written_down(desk: Page, builds: list[str]) -> None:
    desk.get_by_role("link", name="Builds", exact=True).first.click()
    search(desk, builds[0].split(" ")[0])
    expect(desk.locator("#result_list tbody th")).to_have_text(builds[::-1])
    asked = desk.url
    for name in builds[:2]:
        choose(desk, name)
    desk.get_by_label("Action:").select_option("pin")
    desk.get_by_role("button", name="Go").click()
    expect(desk.locator(".desk-named a")).to_have_text(builds[:2])
    desk.get_by_label("Reason").fill("an auditor asks for them")
    desk.get_by_role("button", name="Pin").click()
    expect(desk.locator(".messagelist")).to_have_text("2 builds pinned.")
    expect(desk).to_have_url(asked)  # the list is as it was filtered
    desk.get_by_role("link", name=builds[0], exact=True).click()
    desk.get_by_role("link", name="Audit log").last.click()
    row = desk.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Pin")
    expect(row).to_contain_text("an auditor asks for them")


def test_a_build_leads_to_its_steps_and_they_to_their_logs(desk: Page, builds: list[str]) -> None:
    desk.get_by_role("link", name="Builds", exact=True).first.click()
    search(desk, builds[0])
    desk.get_by_role("link", name=builds[0], exact=True).click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(f"Build {builds[0]}")
    desk.locator(".inline-group").get_by_role("link").click()
    desk.locator(".inline-group").get_by_role("link").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text(f"Log file {builds[0]}")


def test_lines_are_redacted_and_the_audit_log_says_so(desk: Page, builds: list[str]) -> None:
    desk.get_by_role("link", name="Logs", exact=True).click()
    search(desk, builds[0])
    desk.get_by_role("link", name=builds[0]).click()
    desk.get_by_role("link", name="Redact lines").click()
    desk.get_by_role("button", name="Show these lines").click()
    expect(desk.get_by_text("This field is required.")).to_have_count(3)
    for label, text in (("First line", "2"), ("Last line", "3"), ("Reason", "a token was printed")):
        desk.get_by_label(label).fill(text)
    desk.get_by_role("button", name="Show these lines").click()
    expect(desk.locator(".desk-lines bdi")).to_have_text([f"line {line} of build 1, token=s3cret" for line in (2, 3)])
    desk.get_by_role("button", name="Redact them for good").click()
    expect(desk.locator(".messagelist")).to_have_text("Lines 2 to 3 redacted.")
    desk.get_by_role("link", name="View on site").click()
    lines = desk.locator(".log-row").filter(has_text="line")
    expect(lines).to_have_count(3)
    desk.goto("/admin/")
    latest = desk.get_by_role("region", name="Latest in the audit log").get_by_role("listitem").first
    expect(latest).to_contain_text(f"Redact {builds[0]}")
    latest.get_by_role("link").click()
    expect(desk.locator("#content")).to_contain_text("a token was printed")


def test_every_field_has_a_name_also_in_rows_that_are_added(desk: Page, site: Site) -> None:
    desk.goto("/admin/logviewer/project/1/change/")
    desk.get_by_role("button", name="Add another Member").click()
    row = desk.locator("#members-0")
    for name in ("User", "Group"):
        expect(row.locator(".select2-selection").and_(row.get_by_role("combobox", name=name))).to_be_visible()
    expect(row.get_by_role("combobox", name="Role")).to_be_visible()
    desk.goto("/admin/logviewer/token/add/")
    expect(desk.get_by_role("textbox", name="Expires at (UTC), time")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
def test_every_column_of_a_list_can_be_reached(desk: Page, site: Site, builds: list[str], width: int) -> None:
    site.run(_ADD_WEBHOOK)
    assert builds
    desk.set_viewport_size({"width": width, "height": 800})
    for noun in ("build", "logfile", "step", "delivery", "webhook", "job", "token", "auditentry", "builder", "project"):
        desk.goto(f"/admin/logviewer/{noun}/")
        assert (noun, desk.locator("#result_list").evaluate(REACH)) == (noun, "reached")


def test_where_nothing_is_found_the_way_to_all_is_shown(desk: Page, builds: list[str]) -> None:
    assert builds
    desk.goto("/admin/logviewer/build/")
    search(desk, "nothing/here")
    expect(desk.locator(".paginator")).to_contain_text("Nothing is found that way.")
    desk.locator(".paginator").get_by_role("link", name="Show all").click()
    expect(desk.locator("#result_list tbody tr").first).to_be_visible()
