"""The log viewer in Chromium: a log of ten million lines, and one that is written at 5000 lines a second.

Beside it, in the same browser, a plain page that fetches the text and appends an element for each line: of as many
lines as it can take; and, with `--peer`, the log page of Buildbot 4.3, which knows no address of a line.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, Route  # noqa: E402  # the path comes first

from benchmarks.browser.pages import FIRST_LINES, Measured  # noqa: E402
from benchmarks.buildbot import Buildbot  # noqa: E402
from benchmarks.measure import MIB, Report, arguments, conclude  # noqa: E402
from tests.acceptance.client import entry  # noqa: E402
from tests.browser.site import PUBLIC, Site, serving  # noqa: E402
from tests.browser.watcher import chromium_at  # noqa: E402

CHROMIUM = Path("/usr/bin/chromium")
SIZE = {"width": 1280, "height": 800}
ALL_IS_KEPT = {"BUILDLOGS_MAX_LOG_BYTES": "0"}
PLAIN_LINES = 100_000
PEER_LINES = 1_000_000  # Buildbot stores some 5 MB/s
PEER_LOG = "http://127.0.0.1:18010/#/builders/1/builds/1/steps/1/logs/stdio"
PEER_WRITES = """
from b_lib import *
step, log = step_log(build_of(force("{printer} {lines}")))
wait_step(step)
"""
JUMPS = 20
LINES_A_SECOND, TICKS_A_SECOND = 5000, 20
NEEDLE = "needle in the haystack"

# The page that everybody writes first.
PLAIN_PAGE = """<!doctype html><style>body{margin:0}#log{height:100vh;overflow:auto;font:12.5px/20px monospace;
white-space:pre}</style><div id="log"></div><script>
(async () => {
  const reader = (await fetch(new URLSearchParams(location.search).get("raw"))).body
    .pipeThrough(new TextDecoderStream()).getReader();
  const log = document.getElementById("log");
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\\n");
    rest = lines.pop();
    for (const line of lines) {
      const row = document.createElement("div");
      row.className = "plain-row";
      row.textContent = line;
      log.append(row);
    }
  }
  window.complete = true;
})();
</script>"""


def main() -> None:
    """Measure, and keep the figures."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--lines", type=int, help="of the big log (default: 10,000,000; 200,000 with --quick)")
    parser.add_argument("--seconds", type=float, help="of the live log (default: 60; 5 with --quick)")
    parser.add_argument("--peer", type=Path, help="where Buildbot 4.3 is installed")
    options = parser.parse_args()
    lines = options.lines or (200_000 if options.quick else 10_000_000)
    seconds = options.seconds or (5 if options.quick else 60)
    runs = 1 if options.quick else options.runs
    report = Report("browser_viewer")
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory), **ALL_IS_KEPT) as site:
        site.add_projects()
        print(f"writing {lines:,} lines", flush=True)
        big = write_log(site, lines)
        small = write_log(site, min(lines, PLAIN_LINES))
        with chromium_at(CHROMIUM) as browser:
            for _run in range(runs):
                measure_big(report, browser, site, big, lines)
                measure_plain(report, browser, site, small, min(lines, PLAIN_LINES))
            measure_live(report, browser, site, seconds)
            if options.peer is not None:
                measure_buildbot(report, browser, site, options.peer, min(lines, PEER_LINES))
    conclude(report, options)


def line_of(number: int) -> bytes:
    """A line of about 120 bytes, as compilers write them; one of them has the needle."""
    unit, what = number % 5000, NEEDLE if number == 9_000 else "-Wall -Wextra -std=c++20 -fPIC"
    return b"[%8d] g++ -O2 %s -Iinclude -c src/module_%04d/unit.cc -o build/module_%04d/unit.o\n" % (
        number,
        what.encode(),
        unit,
        unit,
    )


def write_log(site: Site, lines: int) -> dict[str, Any]:
    """A finished log of so many lines; answers with its REST shape."""
    log: dict[str, Any] = site.writer.new_log(project=PUBLIC, builder="bench")
    per_piece = MIB // 130
    for first in range(1, lines + 1, per_piece):
        body = b"".join(line_of(number) for number in range(first, min(first + per_piece, lines + 1)))
        answer = site.writer.chunks(log["id"], entry(0, body))
        assert answer.status_code == 200, answer.text
    finished = site.writer.finish(log["id"])
    assert finished.json()["lines"] == lines, finished.text
    return log


@contextmanager
def opened(browser: Browser, site: Site, viewport: str) -> Iterator[Measured]:
    """A new page in a context of its own, with an empty cache."""
    context = browser.new_context(base_url=site.url, viewport=SIZE)
    context.add_init_script(FIRST_LINES)
    try:
        yield Measured(context.new_page(), viewport)
    finally:
        context.close()


def measure_big(report: Report, browser: Browser, site: Site, log: dict[str, Any], lines: int) -> None:
    """Everything about a log that is finished."""
    with opened(browser, site, ".log-viewport") as page:
        for what in ("first lines, nothing cached", "first lines"):
            seen, server = page.first_lines_ms(log["url"])
            report.add(what, seen - server, "ms", ("<=", 300), "first lines, plain page")
            report.add(f"{what}: the page from the server", server, "ms")
        page.page.wait_for_selector("[data-connection=finished]")
        chance = random.Random(7)
        for _jump in range(JUMPS):
            report.add("jump to a line", page.jump_ms(chance.randrange(1, lines)), "ms", ("<=", 100))
        report.add("wheel", page.wheel_fps(3), "fps", (">=", 55), "wheel, plain page")
        report.add("keys", page.keys_fps(3), "fps", (">=", 55))
        report.add("thumb", page.thumb_fps(3), "fps", (">=", 55), "thumb, plain page")
        page.sweep(1000)
        report.add("heap after a sweep", page.heap_bytes() / MIB, "MiB", ("<=", 50), "heap, plain page")
        report.add("nodes after a sweep", page.nodes(), "", ("<=", 5000), "nodes, plain page")
        report.add("first hit of a search", search_ms(page.page, log), "ms", ("<=", 1200))


def search_ms(page: Page, log: dict[str, Any]) -> float:
    """From the question to the first hit, in the page."""
    script = """async (url) => {
      const started = performance.now();
      const answer = await (await fetch(url)).json();
      if (answer.hits.length === 0) throw new Error("there is no hit");
      return performance.now() - started;
    }"""
    return float(page.evaluate(script, f"/api/v1/logs/{log['id']}/search?q={NEEDLE.replace(' ', '+')}&limit=1"))


def measure_plain(report: Report, browser: Browser, site: Site, log: dict[str, Any], lines: int) -> None:
    """The same of the plain page, on a log that it can take."""

    def fulfil(route: Route) -> None:
        route.fulfill(body=PLAIN_PAGE, content_type="text/html")

    with opened(browser, site, "#log") as page:
        page.page.route(re.compile(r"/plain\?raw="), fulfil)
        seen, server = page.first_lines_ms(f"/plain?raw=/api/v1/logs/{log['id']}/raw")
        report.add("first lines, plain page", seen - server, "ms")
        page.page.wait_for_function("() => window.complete", timeout=120_000)
        report.add("lines of the plain page", lines, "")
        report.add("wheel, plain page", page.wheel_fps(3), "fps")
        report.add("thumb, plain page", page.thumb_fps(3), "fps")
        report.add("heap, plain page", page.heap_bytes() / MIB, "MiB")
        report.add("nodes, plain page", page.nodes(), "")


def measure_buildbot(report: Report, browser: Browser, site: Site, peer: Path, lines: int) -> None:
    """The same of Buildbot's page, once."""
    with Buildbot(peer) as buildbot:
        script = peer / "b_viewer.py"
        script.write_text(PEER_WRITES.format(printer=buildbot.printer, lines=lines))
        try:
            buildbot.run(script.name)
        finally:
            script.unlink()
        with opened(browser, site, ".bb-logviewer-text-area") as page:
            for what in ("first lines, nothing cached", "first lines"):
                page.page.goto("about:blank")  # its addresses differ behind the # only
                seen, server = page.first_lines_ms(PEER_LOG)
                report.add(f"{what}, Buildbot 4.3", seen - server, "ms")
            report.add("lines of Buildbot 4.3", lines, "")
            report.add("wheel, Buildbot 4.3", page.wheel_fps(3), "fps")
            report.add("thumb, Buildbot 4.3", page.thumb_fps(3), "fps")
            page.sweep(1000)
            report.add("heap after a sweep, Buildbot 4.3", page.heap_bytes() / MIB, "MiB")
            report.add("nodes after a sweep, Buildbot 4.3", page.nodes(), "")


def measure_live(report: Report, browser: Browser, site: Site, seconds: float) -> None:
    """A log that is followed while it is written."""
    log = site.writer.new_log(project=PUBLIC, builder="live")
    over = threading.Event()
    writer = threading.Thread(target=write_live, args=(site, log, over))
    with opened(browser, site, ".log-viewport") as page:
        page.page.goto(log["url"])
        page.page.wait_for_selector("[data-connection=live]")
        writer.start()
        try:
            time.sleep(2)
            before = page.heap_bytes()
            with page.busy() as share:
                time.sleep(seconds)
                report.add("live: main thread busy", share(), "%", ("<=", 35))
            report.add("live: heap grows by", (page.heap_bytes() - before) / MIB, "MiB", ("<=", 10))
            last = page.page.locator(".log-row").last.get_attribute("data-line")
            report.add("live: lines seen", float(last or 0), "", (">=", LINES_A_SECOND * seconds * 0.95))
        finally:
            over.set()
            writer.join()
    site.writer.finish(log["id"])


def write_live(site: Site, log: dict[str, Any], over: threading.Event) -> None:
    """LINES_A_SECOND lines a second, in TICKS_A_SECOND pieces."""
    number, piece = 1, LINES_A_SECOND // TICKS_A_SECOND
    due = time.monotonic()
    while not over.is_set():
        body = b"".join(line_of(at) for at in range(number, number + piece))
        assert site.writer.chunks(log["id"], entry(0, body)).status_code == 200
        number += piece
        due += 1 / TICKS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
