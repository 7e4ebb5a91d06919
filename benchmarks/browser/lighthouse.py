"""Lighthouse's performance of the pages that people come to most, as on a telephone with slow 4G and as on a desktop.

Its own throttling is simulated, so that the machine counts for less than the pages do.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.measure import Report, arguments, conclude  # noqa: E402
from tests.browser.lighthouse import PAGES, fill, look_at, why_missing  # noqa: E402
from tests.browser.site import serving  # noqa: E402
from tests.services import find_chromium  # noqa: E402

LEAST_SCORE = 95
FORMS = {"telephone": (), "desktop": ("--preset=desktop",)}
TIMES = {"largest-contentful-paint": "largest paint", "total-blocking-time": "blocked"}


def main() -> None:
    parser = arguments(__doc__ or "")
    options = parser.parse_args()
    chromium = find_chromium()
    why = why_missing() or (None if chromium else "Chromium is not here")
    if why is not None or chromium is None:
        parser.error(f"needs Lighthouse and Chromium: {why}")
    report = Report("lighthouse")
    pages = list(PAGES)[:1] if options.quick else PAGES
    with tempfile.TemporaryDirectory(prefix="buildlogs-lighthouse-") as name, serving(Path(name)) as site:
        fill(site)
        for _ in range(1 if options.quick else options.runs):
            for page in pages:
                for form, asked in FORMS.items():
                    said = look_at(site.url + PAGES[page], chromium, ["performance"], *asked)
                    what = f"{page}, {form}"
                    report.add(f"{what}: performance", said.scores["performance"], "", (">=", LEAST_SCORE))
                    for audit, short in TIMES.items():
                        report.add(f"{what}: {short}", said.figures[audit], "ms")
    conclude(report, options)


if __name__ == "__main__":
    main()
