"""The log viewer as its reader sees it."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, Page, expect


class Log:
    """The one log that a page shows."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.viewer = page.locator(".log-viewer")
        self.viewport = page.locator(".log-viewport")
        self.follow = page.get_by_role("button", name="Follow")
        self.new_lines = page.locator(".log-new")
        self.rows = page.locator(".log-row")
        self.marked = page.locator(".log-row-marked")

    def row(self, number: int) -> Locator:
        return self.page.locator(f'.log-row[data-line="{number}"]')

    def text(self, number: int) -> Locator:
        return self.row(number).locator(".log-text")

    def number(self, number: int) -> Locator:
        return self.row(number).locator(".log-number")

    def line(self, text: str) -> Locator:
        """The row whose text is exactly this."""
        return self.rows.filter(has=self.page.locator(".log-text", has_text=re.compile(f"^{re.escape(text)}$")))

    def expect_state(self, state: str) -> None:
        expect(self.viewer).to_have_attribute("data-connection", state)

    def expect_following(self, following: bool) -> None:
        expect(self.follow).to_have_attribute("aria-pressed", json.dumps(following))

    def expect_at_end(self) -> None:
        end = "(e => e.scrollHeight - e.clientHeight - e.scrollTop <= 4)(document.querySelector('.log-viewport'))"
        self.page.wait_for_function(end)

    def expect_shown(self, number: int) -> None:
        """The line is drawn, and within what the viewport shows."""
        expect(self.row(number)).to_be_in_viewport()

    def marked_lines(self) -> list[int]:
        return [int(line) for line in self.marked.evaluate_all("rows => rows.map(row => row.dataset.line)")]

    def wheel(self, pixels: int) -> None:
        self.viewport.hover()
        self.page.mouse.wheel(0, pixels)

    def select(self, first: int, last: int) -> None:
        """Select from the start of a line to the end of another, as a mouse would."""
        texts = "[a, b].map(n => document.querySelector(`.log-row[data-line='${n}'] .log-text`))"
        self.page.evaluate(
            f"([a, b]) => {{ const [from, to] = {texts};"
            "const end = to.lastChild?.nodeType === 3 ? to.lastChild : to;"
            "getSelection().setBaseAndExtent(from.firstChild ?? from, 0, end, end.length ?? end.childNodes.length); }",
            [first, last],
        )

    def copied(self) -> str:
        """Copy what is selected; returns what the clipboard has then."""
        self.page.keyboard.press("Control+c")
        return str(self.page.evaluate("navigator.clipboard.readText()"))
