"""What is measured in a page, by the browser's own clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import CDPSession, Page

# From the start of the navigation to the frame in which a line's text stands in the page.
FIRST_LINES = """
const look = () => {
  const text = document.querySelector(".log-row .log-text, .plain-row, .bb-logviewer-text-row .log_o");
  if (text?.textContent) requestAnimationFrame(() => { window.firstLinesMs = performance.now(); });
  else requestAnimationFrame(look);
};
look();
"""
_SERVER_MS = """() => {
  const [page] = performance.getEntriesByType("navigation");
  return page.responseStart - page.requestStart;
}"""
_COUNT_FRAMES = """() => {
  window.frames_ = [];
  const count = (now) => { frames_.push(now); window.counting_ = requestAnimationFrame(count); };
  window.counting_ = requestAnimationFrame(count);
}"""
_FRAMES_A_SECOND = """() => {
  cancelAnimationFrame(counting_);
  return (frames_.length - 1) / (frames_.at(-1) - frames_[0]) * 1000;
}"""
_SWEEP = """async ([selector, steps]) => {
  const viewport = document.querySelector(selector);
  for (let step = 0; step <= steps; step += 1) {
    viewport.scrollTop = (viewport.scrollHeight - viewport.clientHeight) * step / steps;
    await new Promise(requestAnimationFrame);
    if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
}"""
_THUMB = """async ([selector, ms]) => {
  const viewport = document.querySelector(selector);
  const end = performance.now() + ms;
  for (let turn = 0; performance.now() < end; turn += 1) {
    viewport.scrollTop = (viewport.scrollHeight - viewport.clientHeight) * (0.2 + (turn % 400) / 800);
    await new Promise(requestAnimationFrame);
  }
}"""
_JUMP = """async (number) => {
  const started = performance.now();
  location.hash = `#L${number}`;
  for (;;) {
    await new Promise(requestAnimationFrame);
    const text = document.querySelector(`.log-row[data-line="${number}"] .log-text`);
    if (text?.textContent) return performance.now() - started;
  }
}"""


class Measured:
    """A page with the browser's debugging channel."""

    def __init__(self, page: Page, viewport: str) -> None:
        self.page = page
        self.viewport = viewport
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def first_lines_ms(self, url: str) -> tuple[float, float]:
        """Open the address: (ms until the first lines are seen, ms of these that the server took)."""
        self.page.goto(url, wait_until="commit")
        self.page.wait_for_function("() => window.firstLinesMs > 0", timeout=60_000)
        return float(self.page.evaluate("firstLinesMs")), float(self.page.evaluate(_SERVER_MS))

    def heap_bytes(self) -> float:
        """What is live after a garbage collection."""
        self._session.send("HeapProfiler.collectGarbage")
        return float(self._session.send("Runtime.getHeapUsage")["usedSize"])

    def nodes(self) -> float:
        """Nodes of the document after a garbage collection; they are not part of the heap."""
        self._session.send("HeapProfiler.collectGarbage")
        return self._metrics()["Nodes"]

    def sweep(self, steps: int) -> None:
        """Go over the whole log by the scroll bar."""
        self.page.evaluate(_SWEEP, [self.viewport, steps])

    def jump_ms(self, number: int) -> float:
        """From the change of the address to the frame with the line's text."""
        return float(self.page.evaluate(_JUMP, number))

    def thumb_fps(self, seconds: float) -> float:
        """Frames a second while the scroll bar's thumb is dragged."""
        return self._fps(lambda: self.page.evaluate(_THUMB, [self.viewport, seconds * 1000]))

    def wheel_fps(self, seconds: float) -> float:
        """Frames a second while the wheel turns."""
        self.page.locator(self.viewport).hover()
        return self._fps(lambda: self._repeat(seconds, lambda: self.page.mouse.wheel(0, 240)))

    def keys_fps(self, seconds: float) -> float:
        """Frames a second while a key is held."""
        self.page.locator(self.viewport).focus()
        return self._fps(lambda: self._repeat(seconds, lambda: self.page.keyboard.down("ArrowDown")))

    @contextmanager
    def busy(self) -> Iterator[Callable[[], float]]:
        """Gives a call that answers which share of the time (%) since the beginning the main thread was busy."""
        started, before = time.monotonic(), self._metrics()

        def share() -> float:
            spent = self._metrics()["TaskDuration"] - before["TaskDuration"]
            return float(spent / (time.monotonic() - started) * 100)

        yield share

    def _fps(self, act: Callable[[], Any]) -> float:
        self.page.evaluate(_COUNT_FRAMES)
        act()
        return float(self.page.evaluate(_FRAMES_A_SECOND))

    @staticmethod
    def _repeat(seconds: float, act: Callable[[], None]) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            act()
            time.sleep(1 / 120)

    def _metrics(self) -> dict[str, float]:
        return {metric["name"]: metric["value"] for metric in self._session.send("Performance.getMetrics")["metrics"]}
