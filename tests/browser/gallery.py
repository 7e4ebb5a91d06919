"""Every page at two widths in two schemes: what `script/screenshots` shows and checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, TimeoutError, expect

from tests.browser.axe import barriers
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
    PASSWORD,
    RUNNING,
    SILENT_BUILDER,
)
from tests.browser.site import PUBLIC, Site
from tests.browser.watcher import Watcher, overflow

SIZES_PX = {1280: 800, 360: 740}  # height of each width
# In the second round only what may differ in the dark or where there is little room.
RULES = {1280: None, 360: ("color-contrast", "target-size")}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WAIT_MS = 15_000

_LOG_READY = ".log-viewer:is([data-connection=live], [data-connection=silent], [data-connection=finished]) .log-row"
_LINUX = f"/p/{PUBLIC}/{BUILDER}"
_HOSTILE = f"/p/{PUBLIC}/{HOSTILE_BUILDER}"


@dataclass(frozen=True)
class Shot:
    """A page to look at: `ready` names what must be visible first, `expected` what the console may say."""

    name: str
    path: str
    ready: str
    expected: str | None = None


EMPTY = Shot("index-empty", "/", ".empty")
ACCOUNT = (Shot("account", "/account/", ".identity"), Shot("password", "/account/password/", ".fields"))
_ADMIN = "/admin/logviewer"
ADMIN_SHOTS = (
    Shot("admin", "/admin/", "#content-main"),
    Shot("admin-storage", "/admin/storage/", ".desk-chart"),
    Shot("admin-projects", f"{_ADMIN}/project/", "#result_list"),
    Shot("admin-project", f"{_ADMIN}/project/1/change/", "#project_form"),
    Shot("admin-builders", f"{_ADMIN}/builder/", "#result_list"),
    Shot("admin-builds", f"{_ADMIN}/build/", "#result_list"),
    Shot("admin-build", f"{_ADMIN}/build/1/change/", "#build_form"),
    Shot("admin-delete", f"{_ADMIN}/build/act/delete/?ids=1,2,3", ".desk-final"),
    Shot("admin-logs", f"{_ADMIN}/logfile/?state=finished", "#result_list"),
    Shot("admin-log", f"{_ADMIN}/logfile/1/change/", "#logfile_form"),
    Shot("admin-redact", f"{_ADMIN}/logfile/1/redact/", "#id_reason"),
    Shot("admin-tokens", f"{_ADMIN}/token/", "#result_list"),
    Shot("admin-audit", f"{_ADMIN}/auditentry/", "#changelist"),
)
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
    Shot("not-found", "/p/nothing/", ".message", expected="status of 404"),
)


class Gallery:
    """Shows a site's pages to one browser, and remembers what is wrong with them."""

    def __init__(self, site: Site, browser: Browser, directory: Path | None = None) -> None:
        """Keep pictures in `directory`; without one, only look, and let axe look as well.

        `faults` are overflows, complaints and violations of the policy, `barriers` what axe finds, `left` addresses
        beyond the site that a page asked for.
        """
        self._site = site
        self._browser = browser
        self._directory = directory
        self.faults: list[str] = []
        self.barriers: list[str] = []
        self.left: list[str] = []

    def show(self, shots: Sequence[Shot], *, signed_in: bool = False) -> None:
        """Visit the pages at each width in each scheme; where nothing is kept, the schemes take turns."""
        for place, (width, height) in enumerate(SIZES_PX.items()):
            for scheme in SCHEMES if self._directory else SCHEMES[place : place + 1]:
                with self._page(width, height, scheme) as (page, watcher):
                    if signed_in:
                        self._sign_in(page)
                    for shot in shots:
                        self._visit(page, watcher, shot, f"{shot.name}-{width}-{scheme}")
                        if not self._directory:
                            found = barriers(page, RULES[width])
                            self.barriers += [f"{shot.name}-{width}-{scheme}: {barrier}" for barrier in found]

    @contextmanager
    def _page(self, width: int, height: int, scheme: Literal["light", "dark"]) -> Iterator[tuple[Page, Watcher]]:
        context = self._browser.new_context(
            base_url=self._site.url, viewport={"width": width, "height": height}, color_scheme=scheme
        )
        context.set_default_timeout(WAIT_MS)
        try:
            yield context.new_page(), Watcher(context)
        finally:
            context.close()

    def _sign_in(self, page: Page) -> None:
        page.goto("/login/?next=/admin/")
        page.locator("#id_username").fill(ADMIN)
        page.locator("#id_password").fill(PASSWORD)
        page.locator("[type=submit]").click()
        expect(page.locator("#content-main")).to_be_visible()

    def _visit(self, page: Page, watcher: Watcher, shot: Shot, name: str) -> None:
        if shot.expected is not None:
            watcher.expect(shot.expected)
        page.goto("about:blank")  # a change of the fragment alone loads nothing
        page.goto(shot.path)
        try:
            page.locator(shot.ready).first.wait_for()
        except TimeoutError:
            self.faults.append(f"{name}: there is no {shot.ready}")
        if self._directory is not None:
            page.screenshot(path=self._directory / f"{name}.png", animations="disabled")
        elsewhere = [url for url in watcher.requested if not url.startswith(f"{self._site.url}/")]
        self.left += [f"{name}: {url}" for url in elsewhere]
        watcher.requested.clear()
        wide = overflow(page)
        self.faults += [f"{name}: {fault}" for fault in ([wide] if wide else []) + watcher.take()]
