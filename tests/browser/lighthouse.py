"""Lighthouse, from npm, on a page in a browser of its own: tests/lighthouse names its version, `npm ci` brings it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.content import BUILDER, HISTORY, LONG_BUILDER, add_history, add_long
from tests.browser.site import PUBLIC, Site
from tests.browser.watcher import ARGUMENTS

DIRECTORY = Path(__file__).parents[1] / "lighthouse"
COMMAND = DIRECTORY / "node_modules" / "lighthouse" / "cli" / "index.js"
SECONDS = 120
ASKS_FOR_ANOTHER = "Please run Lighthouse again"  # Chromium lost the trace's beginning, on a machine that is busy
PAGES = {
    "failed build of 300,000 lines": f"/p/{PUBLIC}/{LONG_BUILDER}/1/",
    "builds of a builder": f"/p/{PUBLIC}/{BUILDER}/",
    "log of 300,000 lines": f"/p/{PUBLIC}/{LONG_BUILDER}/1/compile/stdio/",
}


@dataclass(frozen=True)
class Report:
    """What Lighthouse says of a page: a score of 0 to 100 for each category, and what it finds wrong."""

    scores: dict[str, int]
    faults: list[str]
    figures: dict[str, float]


def why_missing() -> str | None:
    """What Lighthouse lacks here; None where it can run."""
    if shutil.which("node") is None:
        return "Node.js is not here"
    if not COMMAND.is_file():
        return f"run `npm ci --ignore-scripts` in {DIRECTORY}"
    return None


def fill(site: Site) -> None:
    """Make what the pages show."""
    site.add_projects()
    add_history(site, BUILDER, HISTORY)
    add_long(site)


def look_at(url: str, chromium: Path, categories: Sequence[str], *options: str) -> Report:
    """Let Lighthouse look at the page, again where it asks for that. Raises RuntimeError where it could not."""
    try:
        return _look_at(url, chromium, categories, *options)
    except RuntimeError as error:
        if ASKS_FOR_ANOTHER not in str(error):
            raise
    return _look_at(url, chromium, categories, *options)


def _look_at(url: str, chromium: Path, categories: Sequence[str], *options: str) -> Report:
    asked = [f"--only-categories={','.join(categories)}", "--output=json", "--quiet", "--no-enable-error-reporting"]
    flags = f"--chrome-flags={' '.join(('--headless=new', *ARGUMENTS))}"
    ran = subprocess.run(
        ["node", str(COMMAND), url, *asked, flags, *options],
        env={**os.environ, "CHROME_PATH": str(chromium)},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"Lighthouse ended with {ran.returncode}: {ran.stderr.decode(errors='replace')[-2000:]}")
    result: dict[str, Any] = json.loads(ran.stdout)
    if "runtimeError" in result:
        raise RuntimeError(f"Lighthouse could not look at {url}: {result['runtimeError']}")
    return _report(result)


def _report(result: dict[str, Any]) -> Report:
    audits = result["audits"]
    counted = {
        reference["id"]
        for category in result["categories"].values()
        for reference in category["auditRefs"]
        if reference["weight"] > 0
    }
    return Report(
        scores={name: round(category["score"] * 100) for name, category in result["categories"].items()},
        faults=[
            f"{name}: {audit['title']} {audit.get('displayValue', '')}".strip()
            for name, audit in audits.items()
            if name in counted and audit["score"] is not None and audit["score"] < 1
        ],
        figures={name: audit["numericValue"] for name, audit in audits.items() if "numericValue" in audit},
    )
