"""Takes pictures of every page, at 1280 and 360 px, in light and dark, on a server of its own with real builds.

Fails, naming the page, where one is wider than its window, complains in the console, or violates its policy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.browser.gallery import Gallery
from tests.browser.site import serving
from tests.browser.watcher import chromium_at
from tests.services import find_chromium

ROOT = Path(__file__).resolve().parent.parent


def take(directory: Path, executable: Path, only: str) -> tuple[int, list[str]]:
    """Keep the pictures in `directory`; returns of how many pages those are, and what is wrong with which."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="buildlogs-screenshots-") as data_dir,
        serving(Path(data_dir)) as site,
        chromium_at(executable) as browser,
    ):
        gallery = Gallery(site, browser, directory)
        return gallery.show_all(only), gallery.faults


def main() -> int:
    """Take the pictures; 1 where a page has a fault."""
    parser = argparse.ArgumentParser(
        prog="script/screenshots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--only", metavar="NAME", default="", help="pages whose names begin so, such as admin")
    given = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        parser.error("needs Chromium: install it, or name one with BUILDLOGS_TEST_CHROMIUM=/path/to/chromium")
    count, faults = take(given.directory, executable, given.only)
    print(f"pictures of {count} pages are in {given.directory}")
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
