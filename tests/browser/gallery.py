"""Every page at two widths in two schemes: what `script/screenshots` shows and checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, TimeoutError, expect

from tests.browser.axe import barriers
from tests.browser.content import PASSWORD, filled
from tests.browser.desk import furnish
from tests.browser.shots import EMPTY, ROUNDS, Shot
from tests.browser.site import Site
from tests.browser.watcher import Watcher, overflow

SIZES_PX = {1280: 800, 360: 740}  # height of each width
# In the second round only what may differ in the dark or where there is little room.
RULES = {1280: None, 360: ("color-contrast", "target-size")}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WAIT_MS = 15_000


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

    def show_all(self, only: str = "") -> int:
        """Fill the empty site, and visit all pages whose names begin with `only`; returns how many those are."""
        shown = [EMPTY] if EMPTY.name.startswith(only) else []
        self.show(shown)
        with filled(self._site):
            furnish(self._site)
            for user, shots in ROUNDS.items():
                wanted = [shot for shot in shots if shot.name.startswith(only)]
                self.show(wanted, user=user)
                shown += wanted
        return len(shown)

    def show(self, shots: Sequence[Shot], *, user: str | None = None) -> None:
        """Visit the pages at each width in each scheme; where nothing is kept, the schemes take turns.

        With a `user`, who is signed in first, pictures show all of a page, not only its window.
        """
        for place, (width, height) in enumerate(SIZES_PX.items()):
            for scheme in SCHEMES if self._directory else SCHEMES[place : place + 1]:
                with self._page(width, height, scheme) as (page, watcher):
                    if user is not None:
                        self._sign_in(page, user)
                    for shot in shots:
                        self._visit(page, watcher, shot, f"{shot.name}-{width}-{scheme}", whole=user is not None)
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

    def _sign_in(self, page: Page, user: str) -> None:
        page.goto("/login/?next=/admin/")
        page.locator("#id_username").fill(user)
        page.locator("#id_password").fill(PASSWORD)
        page.locator("[type=submit]").click()
        expect(page.locator("#content-main")).to_be_visible()

    def _visit(self, page: Page, watcher: Watcher, shot: Shot, name: str, *, whole: bool) -> None:
        if shot.expected is not None:
            watcher.expect(shot.expected)
        page.goto("about:blank")  # a change of the fragment alone loads nothing
        page.goto(shot.path)
        try:
            if shot.then is not None:
                shot.then(page)
            page.locator(shot.ready).first.wait_for()
        except TimeoutError as error:
            self.faults.append(f"{name}: there is no {shot.ready}: {error.message.splitlines()[0]}")
        if self._directory is not None:
            page.screenshot(path=self._directory / f"{name}.png", animations="disabled", full_page=whole)
        elsewhere = [url for url in watcher.requested if not url.startswith(f"{self._site.url}/")]
        self.left += [f"{name}: {url}" for url in elsewhere]
        watcher.requested.clear()
        wide = overflow(page)
        self.faults += [f"{name}: {fault}" for fault in ([wide] if wide else []) + watcher.take()]
