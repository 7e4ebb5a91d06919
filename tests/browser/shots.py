"""The pages that are looked at: each one, and each of its states that looks different."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.content import (
    ADMIN,
    BUILDER,
    DAMAGED_BUILDER,
    EMPTY_BUILDER,
    FAILED,
    HOSTILE_BUILDER,
    HTML_BUILDER,
    LIMITED_BUILDER,
    LONG_BUILDER,
    MANY_BUILDER,
    RUNNING,
    SILENT_BUILDER,
)
from tests.browser.desk import STAFF
from tests.browser.site import PUBLIC

_LOG_READY = ".log-viewer:is([data-connection=live], [data-connection=silent], [data-connection=finished]) .log-row"
_LINUX = f"/p/{PUBLIC}/{BUILDER}"
_HOSTILE = f"/p/{PUBLIC}/{HOSTILE_BUILDER}"
_ADMIN = "/admin/logviewer"
MAX_WRONG_TRIES = 11
"""At one account's password: the last one is not looked at any more."""


@dataclass(frozen=True)
class Shot:
    """A page to look at: `ready` names what must be visible first, `expected` what the console may say.

    `then` is what somebody does on the page before it is looked at; `ready` is waited for afterwards, too.
    """

    name: str
    path: str
    ready: str
    expected: str | None = None
    then: Callable[[Page], object] | None = None


def press(name: str) -> Callable[[Page], object]:
    """Press the button of that name, as it is."""
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


def follow(selector: str) -> Callable[[Page], object]:
    """Follow the first such link."""
    return lambda page: page.locator(selector).first.click()


def _sign_in_wrong(page: Page) -> None:
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    press("Sign in")(page)


def _sign_in_too_often(page: Page) -> None:
    """Try until nothing is tried any more; from the second round on, that is at once."""
    for _ in range(MAX_WRONG_TRIES):
        page.get_by_label("Username").fill("somebody")
        page.get_by_label("Password").fill("wrong")
        with page.expect_navigation():
            press("Sign in")(page)
        if page.get_by_text("Too many tries").is_visible():
            return


def _change_password_wrong(page: Page) -> None:
    for label, text in (("Old password", "wrong"), ("New password", "short"), ("New password confirmation", "shirt")):
        page.get_by_label(label, exact=True).fill(text)
    press("Change password")(page)


def _without_its_cookie(page: Page) -> None:
    page.context.clear_cookies()
    _sign_in_wrong(page)


def _choose_lines(page: Page) -> None:
    page.get_by_label("First line").fill("2")
    page.get_by_label("Last line").fill("40")
    page.get_by_label("Reason").fill("a token was printed")
    press("Show these lines")(page)


def _choose_three(page: Page) -> None:
    """Three rows of a list, and an act for them, not yet begun."""
    for row in range(3):
        page.locator("#result_list tbody .action-select").nth(row).check()
    page.locator("select[name=action]").first.select_option(index=2)


def _pin_and_come_back(page: Page) -> None:
    """Do it; the list then says what was done, and, the second time, what was not."""
    page.get_by_label("Reason").fill("kept for the auditor")
    page.locator(".submit-row button").click()


def _make_token(page: Page) -> None:
    page.get_by_label("Name").fill("macos build machines")
    press("Save")(page)


EMPTY = Shot("index-empty", "/", ".empty")
ACCOUNT = (
    Shot("account", "/account/", ".identity"),
    Shot("password", "/account/password/", ".fields"),
    Shot("password-wrong", "/account/password/", ".fields", then=_change_password_wrong),
    Shot("sign-in-as-another", "/login/?next=/admin/", ".note"),
)
ADMIN_SHOTS = (
    Shot("admin", "/admin/", "#content-main"),
    Shot("admin-storage", "/admin/storage/", ".desk-chart"),
    Shot("admin-projects", f"{_ADMIN}/project/", "#result_list"),
    Shot("admin-project", f"{_ADMIN}/project/1/change/", "#project_form"),
    Shot("admin-project-add", f"{_ADMIN}/project/add/", "#project_form"),
    Shot("admin-project-wrong", f"{_ADMIN}/project/add/", ".errornote, #id_slug:invalid", then=press("Save")),
    Shot("admin-retention", f"{_ADMIN}/project/1/retention/", ".desk-figures"),
    Shot("admin-builders", f"{_ADMIN}/builder/", "#result_list"),
    Shot("admin-builder", f"{_ADMIN}/builder/1/change/", "#builder_form"),
    Shot("admin-builds", f"{_ADMIN}/build/", "#result_list"),
    Shot("admin-builds-chosen", f"{_ADMIN}/build/?results=failure", "#result_list", then=_choose_three),
    Shot("admin-builds-none", f"{_ADMIN}/build/?q=nothing%2Fhere", "#changelist"),
    Shot("admin-build", f"{_ADMIN}/build/1/change/", "#build_form"),
    Shot("admin-steps", f"{_ADMIN}/step/", "#result_list"),
    Shot("admin-step", f"{_ADMIN}/step/1/change/", "#step_form"),
    Shot("admin-pin", f"{_ADMIN}/build/act/pin/?ids=1,2,3", ".submit-row"),
    Shot("admin-pinned", f"{_ADMIN}/build/act/pin/?ids=3,4,5", ".messagelist", then=_pin_and_come_back),
    Shot("admin-delete", f"{_ADMIN}/build/act/delete/?ids=1,2,3", ".desk-final"),
    Shot("admin-logs", f"{_ADMIN}/logfile/?state=finished", "#result_list"),
    Shot("admin-log", f"{_ADMIN}/logfile/1/change/", "#logfile_form"),
    Shot("admin-move", f"{_ADMIN}/logfile/act/move/?ids=1,2,3", ".submit-row"),
    Shot("admin-redact", f"{_ADMIN}/logfile/1/redact/", "#id_reason"),
    Shot(
        "admin-redact-lines",
        f"{_ADMIN}/logfile/?q={PUBLIC}%2F{LONG_BUILDER}",
        ".desk-lines",
        then=lambda page: [
            follow("#result_list tbody th a")(page),
            follow("a:text('Redact lines')")(page),
            _choose_lines(page),
        ],
    ),
    Shot("admin-redact-wrong", f"{_ADMIN}/logfile/1/redact/", ".errorlist", then=press("Show these lines")),
    Shot("admin-damaged", f"{_ADMIN}/damagedlog/", "#result_list"),
    Shot("admin-damaged-log", f"{_ADMIN}/damagedlog/", "#damagedlog_form", then=follow("#result_list tbody th a")),
    Shot("admin-jobs", f"{_ADMIN}/job/", "#result_list"),
    Shot("admin-job", f"{_ADMIN}/job/seal/change/", "#job_form"),
    Shot("admin-runs", f"{_ADMIN}/jobrun/", "#result_list"),
    Shot("admin-tokens", f"{_ADMIN}/token/", "#result_list"),
    Shot("admin-token", f"{_ADMIN}/token/2/change/", "#token_form"),
    Shot("admin-token-add", f"{_ADMIN}/token/add/", "#token_form"),
    Shot("admin-token-made", f"{_ADMIN}/token/add/", ".messagelist", then=_make_token),
    Shot("admin-members", f"{_ADMIN}/member/", "#result_list"),
    Shot("admin-member-add", f"{_ADMIN}/member/add/", "#member_form"),
    Shot("admin-member-wrong", f"{_ADMIN}/member/add/", ".errorlist", then=press("Save")),
    Shot("admin-webhooks", f"{_ADMIN}/webhook/", "#result_list"),
    Shot("admin-webhook", f"{_ADMIN}/webhook/2/change/", "#webhook_form"),
    Shot("admin-webhook-add", f"{_ADMIN}/webhook/add/", "#webhook_form"),
    Shot("admin-webhook-delete", f"{_ADMIN}/webhook/1/delete/", "#content"),
    Shot("admin-deliveries", f"{_ADMIN}/delivery/", "#result_list"),
    Shot("admin-delivery", f"{_ADMIN}/delivery/3/change/", "#delivery_form"),
    Shot("admin-audit", f"{_ADMIN}/auditentry/", "#changelist"),
    Shot("admin-audit-filtered", f"{_ADMIN}/auditentry/?act=pin&project={PUBLIC}", "#result_list"),
    Shot("admin-audit-entry", f"{_ADMIN}/auditentry/?act=redact", "#auditentry_form", then=follow("#result_list th a")),
    Shot("admin-users", "/admin/auth/user/", "#result_list"),
    Shot("admin-user", "/admin/auth/user/1/change/", "#user_form"),
    Shot("admin-user-add", "/admin/auth/user/add/", "#user_form"),
    Shot("admin-group", "/admin/auth/group/1/change/", "#group_form"),
)
STAFF_SHOTS = (
    Shot("staff", "/admin/", "#content-main"),
    Shot("staff-build", f"{_ADMIN}/build/1/change/", "#build_form"),
    Shot("staff-project", f"{_ADMIN}/project/1/change/", "#project_form"),
    Shot("forbidden", f"{_ADMIN}/build/act/delete/?ids=1", ".message", expected="status of 403"),
)
"""What somebody of the staff sees who may look at everything and change nothing."""
SHOTS = (
    Shot("index", "/", ".project-row"),
    Shot("project", f"/p/{PUBLIC}/", ".builder-row"),
    Shot("builder", f"{_LINUX}/", ".build-row"),
    Shot("builder-nothing-found", f"{_LINUX}/?branch=nothing", ".empty"),
    Shot("build-running", f"{_LINUX}/{RUNNING}/", _LOG_READY),
    Shot("build-failed", f"{_LINUX}/{FAILED}/", _LOG_READY),
    Shot("build-long", f"/p/{PUBLIC}/{LONG_BUILDER}/1/", _LOG_READY),
    Shot("log-long", f"/p/{PUBLIC}/{LONG_BUILDER}/1/compile/stdio/", _LOG_READY),
    Shot("build-many-steps", f"/p/{PUBLIC}/{MANY_BUILDER}/1/", ".step[aria-current]"),
    Shot("build-without-steps", f"/p/{PUBLIC}/{EMPTY_BUILDER}/1/", ".quiet .command"),
    Shot("build-without-output", f"/p/{PUBLIC}/{EMPTY_BUILDER}/2/", ".log-area .quiet"),
    Shot("build-ended-without-steps", f"/p/{PUBLIC}/{EMPTY_BUILDER}/3/", ".quiet .command"),
    Shot("build-finished", f"{_LINUX}/{FAILED - 1}/", _LOG_READY),
    Shot("log", f"{_LINUX}/{FAILED}/unit-tests/stdio/", _LOG_READY),
    Shot("log-marked", f"{_LINUX}/{FAILED}/unit-tests/stdio/#L12-L16", ".log-row-marked"),
    Shot("hostile-builder", f"{_HOSTILE}/", ".build-row"),
    Shot("hostile-build", f"{_HOSTILE}/1/", _LOG_READY),
    Shot("log-limited", f"/p/{PUBLIC}/{LIMITED_BUILDER}/1/compile/stdio/", _LOG_READY),
    Shot("log-html", f"/p/{PUBLIC}/{HTML_BUILDER}/1/compile/page/", ".html-log"),
    Shot(
        "log-damaged",
        f"/p/{PUBLIC}/{DAMAGED_BUILDER}/1/compile/stdio/",
        '.log-empty:has-text("damaged")',
        expected="status of 500",
    ),
    Shot("silent-builder", f"/p/{PUBLIC}/{SILENT_BUILDER}/", ".build-row"),
    Shot("build-abandoned", f"/p/{PUBLIC}/{SILENT_BUILDER}/2/", _LOG_READY),
    Shot("build-ended-by-silence", f"/p/{PUBLIC}/{SILENT_BUILDER}/1/", _LOG_READY),
    Shot("log-abandoned", f"/p/{PUBLIC}/{SILENT_BUILDER}/2/link/stdio/", _LOG_READY),
    Shot("sign-in", "/login/", ".fields"),
    Shot("sign-in-wrong", "/login/", ".wrong", then=_sign_in_wrong),
    Shot("sign-in-too-often", "/login/", ".wrong", expected="status of 429", then=_sign_in_too_often),
    Shot("form-too-old", "/login/", ".message", expected="status of 403", then=_without_its_cookie),
    Shot("not-found", "/p/nothing/", ".message", expected="status of 404"),
)

ROUNDS: Mapping[str | None, Sequence[Shot]] = {None: SHOTS, ADMIN: (*ADMIN_SHOTS, *ACCOUNT), STAFF: STAFF_SHOTS}
"""The pages of a site that is filled, by who looks at them; None is nobody who is known."""
