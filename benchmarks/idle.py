"""Viewers of an open log that is silent: what each of them costs the server in memory, and all of them in CPU.

All of them see the log live, from one process. Then nothing is said for longer than Daphne's interval of pings, which
are answered: what a connection holds once it has been pinged counts too.
"""

from __future__ import annotations

import selectors
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import MIB, Meter, Report, allow_descriptors, arguments, conclude
from benchmarks.stack import Product, running_product
from benchmarks.viewers import Viewer
from tests.acceptance.client import Writer, entry

VIEWERS = 2000
QUICK_VIEWERS = 100
SILENCE_SECONDS = 45.0
QUICK_SILENCE_SECONDS = 2.0
FIRST_VIEWERS = 50
"""Have come and gone before: what the server allocates once, whoever comes, is no viewer's."""

SPARE_DESCRIPTORS = 200
KIB = 1024
MAX_KIB = 64


def join(product: Product, log: int, count: int) -> list[Viewer]:
    """So many viewers, all of which see the log live."""
    path = f"/ws/logs/{log}/"
    viewers = [Viewer(product.server.port, path, product.token, bare=False, keep=False) for _ in range(count)]
    for viewer in viewers:
        while not viewer.live:
            viewer.read()
    return viewers


def wait(viewers: list[Viewer], seconds: float) -> None:
    """Answer pings for so long; whoever is closed is an error."""
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.websocket.socket, selectors.EVENT_READ, viewer)
        while (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.read()
                if key.data.closed:
                    raise ConnectionError("the server closed an idle viewer")


def measure(product: Product, report: Report, count: int, silence_seconds: float) -> None:
    """Join, be silent, leave."""
    writer = Writer(product.server.url, product.token)
    log = writer.new_log("idle")["id"]
    writer.chunks(log, entry(0, b"the only line\n"), 0)
    for viewer in join(product, log, FIRST_VIEWERS):
        viewer.websocket.close()
    meter = Meter(product.server.pid)
    viewers = join(product, log, count)
    joined = meter.read()
    wait(viewers, silence_seconds)
    usage = meter.read()
    for viewer in viewers:
        viewer.websocket.close()
    report.add(f"{count} idle viewers, RSS of each", usage.rss_growth_bytes / count / KIB, "KiB", ("<=", MAX_KIB))
    report.add(f"{count} idle viewers, peak RSS of the server", usage.peak_rss_bytes / MIB, "MiB")
    report.add(f"{count} idle viewers, CPU for one to join", joined.cpu_seconds / count * 1000, "ms")
    silent = (usage.cpu_seconds - joined.cpu_seconds) / silence_seconds
    report.add(f"{count} idle viewers, CPU of the server while nothing happens", silent * 100, "%")


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--viewers", type=int, default=VIEWERS, help="how many (default: %(default)s)")
    options = parser.parse_args()
    runs, viewers = (1, QUICK_VIEWERS) if options.quick else (options.runs, options.viewers)
    report = Report("idle")
    allow_descriptors(2 * viewers + SPARE_DESCRIPTORS)
    for run in range(runs):
        print(f"run {run + 1} of {runs}", flush=True)
        with tempfile.TemporaryDirectory(prefix="buildlogs-idle-") as name, running_product(Path(name)) as product:
            measure(product, report, viewers, QUICK_SILENCE_SECONDS if options.quick else SILENCE_SECONDS)
    conclude(report, options)


if __name__ == "__main__":
    main()
