"""Every page, list, filter and search over 1,000,000 builds with 10,000,000 logs: p50 and p95 of each, in milliseconds.

The rows are made by the database itself (no files: nothing measured here reads any), in a temporary SQLite file or in
the empty database of `--database`, which is left as it is: `--keep` measures one that was filled before. Requests are
answered in this process.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.many_calls import STAFF, all_calls, clients
from benchmarks.many_others import fill_others
from benchmarks.many_rows import Size, fill
from benchmarks.measure import Report, arguments, conclude, percentile

MAX_LIST_MS = 150.0
MAX_DASHBOARD_MS = 300.0
STATUSES = (200, 404)


def measure(report: Report, size: Size, times: int) -> None:
    """Ask for everything, each so many times after once that does not count."""
    asking = clients()
    gc.collect()
    gc.freeze()  # as a server does when it has started
    for calls in all_calls(size):
        client = asking[calls.caller]
        name = calls.name if calls.caller == STAFF else f"{calls.name}, for {calls.caller}"
        for address in calls.addresses:
            answer = client.get(address)
            if answer.status_code not in STATUSES:
                raise SystemExit(f"{address}: {answer.status_code} {answer.content[:300]!r}")
        turns = islice(cycle(calls.addresses), max(times, len(calls.addresses)))
        took = sorted(milliseconds(client, address) for address in turns)
        goal = MAX_DASHBOARD_MS if name == "admin: storage" else MAX_LIST_MS
        report.add(f"{name}, p50", percentile(took, 50), "ms")
        report.add(f"{name}, p95", percentile(took, 95), "ms", ("<=", goal))


def milliseconds(client: Any, address: str) -> float:
    began = time.perf_counter()
    client.get(address).close()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--logs", type=int, default=10_000_000)
    parser.add_argument("--database", metavar="URL", help="an empty database; by default a temporary SQLite file")
    parser.add_argument("--keep", action="store_true", help="the database is filled already, with as many rows")
    parser.add_argument("--times", type=int, default=40, help="requests of each kind (default: %(default)s)")
    options = parser.parse_args()
    size = Size(2000, 20_000) if options.quick else Size(options.builds, options.logs)
    times = 2 if options.quick else options.times
    with tempfile.TemporaryDirectory(prefix="many-builds-") as directory:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "buildlogs.settings",
            "DATABASE_URL": options.database or f"sqlite:///{directory}/many.sqlite3",
            "BUILDLOGS_DATA_DIR": directory,
            "BUILDLOGS_SECRET_KEY": "of no use outside of this measurement " * 2,
            "BUILDLOGS_ALLOWED_HOSTS": "testserver",
            "BUILDLOGS_UPKEEP_IN_SERVER": "0",
            "BUILDLOGS_INSIGHT_IN_SERVER": "0",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from logviewer.upkeep.survey import survey_now

        call_command("migrate", verbosity=0)
        report = Report(f"many_builds_{connection.vendor}")
        if not options.keep:
            fill(size)
        fill_others()
        began = time.monotonic()
        survey_now()
        report.add("a survey of all logs, in slices", time.monotonic() - began, "s")
        measure(report, size, times)
        conclude(report, options)


if __name__ == "__main__":
    main()
