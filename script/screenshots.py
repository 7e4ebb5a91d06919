"""Takes pictures of every page, at 1280 and 360 px, in light and dark, on a server of its own with real builds.

Fails, naming the page, where one is wider than its window, complains in the console, or violates its policy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.browser.content import filled
from tests.browser.gallery import ACCOUNT, ADMIN_SHOTS, EMPTY, SHOTS, Gallery
from tests.browser.site import serving
from tests.browser.watcher import chromium_at
from tests.services import find_chromium

ROOT = Path(__file__).resolve().parent.parent


def take(directory: Path, executable: Path) -> list[str]:
    """Keep the pictures in `directory`; returns what is wrong with which page."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="buildlogs-screenshots-") as data_dir,
        serving(Path(data_dir)) as site,
        chromium_at(executable) as browser,
    ):
        gallery = Gallery(site, browser, directory)
        gallery.show([EMPTY])
        with filled(site):
            gallery.show(SHOTS)
            gallery.show([*ADMIN_SHOTS, *ACCOUNT], signed_in=True)
        return gallery.faults


def main() -> int:
    """Take the pictures; 1 where a page has a fault."""
    parser = argparse.ArgumentParser(
        prog="script/screenshots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build" / "screenshots")
    directory = parser.parse_args().directory
    executable = find_chromium()
    if executable is None:
        parser.error("needs Chromium: install it, or name one with BUILDLOGS_TEST_CHROMIUM=/path/to/chromium")
    faults = take(directory, executable)
    print(f"pictures of {len(SHOTS) + len(ADMIN_SHOTS) + 1} pages are in {directory}")
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
