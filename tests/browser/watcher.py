"""What must not happen on any page: errors in the console, violations of the policy, content wider than the window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => reportViolation(
  `${event.effectiveDirective} stopped ${event.blockedURI} ${event.sample}`
));
"""
_WIDTHS = "[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"


@contextmanager
def chromium_at(executable: Path) -> Iterator[Browser]:
    """A headless Chromium that talks to nobody but the pages' server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watcher:
    """Hears what the pages of a context complain about, and what they fetch."""

    def __init__(self, context: BrowserContext) -> None:
        self.requested: list[str] = []
        self._complaints: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.expose_binding("reportViolation", lambda _, text: self._complaints.append(f"policy: {text}"))
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("request", lambda request: self.requested.append(request.url))
        context.on("console", self._hear)
        context.on("weberror", lambda error: self._complaints.append(f"exception: {error.error}"))

    def expect(self, pattern: str) -> None:
        """Take complaints that match, such as Chromium's own about an answer 404, for what the test wants."""
        self._expected.append(re.compile(pattern))

    def take(self) -> list[str]:
        """What was heard since the last call and not expected."""
        heard, self._complaints = self._complaints, []
        return [text for text in heard if not any(pattern.search(text) for pattern in self._expected)]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self._complaints.append(f"console {message.type}: {message.text}")


def overflow(page: Page) -> str | None:
    """Says by how much the page is wider than its window; None where it is not."""
    wide, window = page.evaluate(_WIDTHS)
    return f"{wide} px wide in a window of {window} px" if wide > window else None
