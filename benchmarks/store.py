"""The chunk store by itself: appending, sealing, any lines of a log, searching; and downloads of what it keeps.

Each part has the system's own tool beside it in the same run: raw os.write, `zstd -3 -T1`, dd, rg or grep, and bytes
from memory over the same guarded Daphne. All but the downloads happen in this process. One log of `--lines` lines of
100 bytes, a tenth of it stderr and every hundredth line coloured, is written once and read plain and sealed.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django
from django.core.management import call_command

from benchmarks import yardsticks
from benchmarks.measure import MB, MIB, Meter, Report, arguments, conclude, percentile
from benchmarks.replay import DOWNLOAD_PIECE_BYTES, download
from benchmarks.stack import Product, running_bare, running_product
from benchmarks.text import LINE_BYTES, build_printer, print_to_file

LINES = 10_000_000
QUICK_LINES = 200_000
CALLS = 2_000_000
QUICK_CALLS = 100_000
BODY_BYTES = 1_000_000
COLOUR_EACH_LINES = 100
WINDOW_LINES = 200
WINDOWS = 300
LITERAL = "file_12345.c"
PATTERN = r"mod_01[0-9]{2}/file_1(23|45)[0-9]+\.c"
PARTS = ("append", "seal", "lines", "search", "download")


class Logs:
    """The store that is measured, with a text of `lines` lines and a tenth of it, each plain and sealed."""

    def __init__(self, directory: Path, lines: int) -> None:
        from logviewer.chunkstore import ChunkStore

        self.directory = directory
        self.lines = lines
        self.store = ChunkStore(directory / "logs")
        self.text = directory / "text"
        self._text_of_lines = 0

    def plain(self, lines: int) -> str:
        """The key of a finished log of so many lines, written at the first call."""
        return self._log(lines, "plain")

    def unsealed(self, lines: int) -> str:
        """The key of another one that is to be sealed."""
        return self._log(lines, "sealed")

    def sealed(self, lines: int) -> str:
        """The key of a sealed log of so many lines."""
        key = self._log(lines, "sealed")
        self.store.seal(key)
        return key

    def path(self, key: str, suffix: str) -> Path:
        """One of a log's files."""
        return self.directory / "logs" / f"{key}{suffix}"

    def write_text(self, lines: int) -> Path:
        """The text as a file of its own."""
        if self._text_of_lines != lines:
            print_to_file(build_printer(self.directory), lines, self.text)
            self._text_of_lines = lines
        return self.text

    def _log(self, lines: int, name: str) -> str:
        key = f"bench/{name}-{lines}"
        if not self.path(key, ".idx").exists():
            self.store.create(key)
            received = 0
            for body in bodies(self.write_text(lines)):
                received = self.store.append(key, body, offset=received).received
            self.store.finish(key)
        return key


def bodies(text: Path) -> Iterator[list[object]]:
    """The text as the agent would send it: a tenth on stderr, in entries of 90 and of 10 lines, some in colour."""
    from logviewer.chunkstore import Entry

    now_us = time.time_ns() // 1000
    with text.open("rb") as file:
        while body := file.read(BODY_BYTES):
            entries, at, channel = [], 0, 0
            while at < len(body):
                size = (90 if channel == 0 else 10) * LINE_BYTES
                piece = bytearray(body[at : at + size])
                piece[:5] = b"\x1b[33m"
                piece[LINE_BYTES - 5 : LINE_BYTES - 1] = b"\x1b[0m"
                entries.append(Entry(channel, bytes(piece), now_us))
                at, channel, now_us = at + size, 1 - channel, now_us + 1000
            yield entries


def measure_append(logs: Logs, calls: int, report: Report) -> None:
    """Calls of 100 bytes: LogWriter gathers them, the store takes what has been gathered."""
    from logviewer.chunkstore import Entry
    from logviewer.intake.writer import LogWriter
    from logviewer.live import chunk_store
    from logviewer.models import Build, Builder, LogFile, Project, Step

    line = b"x" * (LINE_BYTES - 1) + b"\n"
    size = calls * LINE_BYTES
    in_pieces = size // yardsticks.WRITE_BYTES
    report.add(
        "os.write of 64 KiB",
        yardsticks.write_by(logs.directory / "raw", line[:1] * yardsticks.WRITE_BYTES, in_pieces),
        "MB/s",
    )
    report.add("os.write of 100 bytes", yardsticks.write_by(logs.directory / "raw", line, calls), "MB/s")
    key = f"bench/append-{time.time_ns()}"
    chunk_store().create(key)
    build = Build(builder=Builder(project=Project(slug="bench")))  # not in any database: the store is measured
    writer = LogWriter(LogFile(pk=0, storage_key=key, step=Step(build=build)))
    add = writer.add_stdout
    started = time.perf_counter()
    for _call in range(calls):
        add(line)
    writer.flush()
    elapsed = time.perf_counter() - started
    check(chunk_store().append(key, []).received, size)
    chunk_store().delete(key)
    report.add("LogWriter, calls of 100 bytes", size / MB / elapsed, "MB/s", (">=", 100), "os.write of 100 bytes")
    gathered = [Entry(0, line)] * (yardsticks.WRITE_BYTES // LINE_BYTES)
    key = f"bench/gathered-{time.time_ns()}"
    logs.store.create(key)
    received = 0
    started = time.perf_counter()
    while received < size:
        received = logs.store.append(key, gathered, offset=received).received
    elapsed = time.perf_counter() - started
    logs.store.delete(key)
    report.add(
        "ChunkStore.append, 655 entries of 100 bytes", received / MB / elapsed, "MB/s", None, "os.write of 64 KiB"
    )


def measure_seal(logs: Logs, report: Report) -> None:
    """Sealing to the moment when the text is gone, compressed and compared; zstd only compresses."""
    key = logs.unsealed(logs.lines)
    text = logs.path(key, ".log")
    if not text.exists():  # sealed in an earlier run
        logs.store.delete(key)
        key = logs.unsealed(logs.lines)
    size = text.stat().st_size
    report.add("dd", yardsticks.read_with_dd(text), "MB/s")
    by_zstd = yardsticks.compress_with_zstd(text, logs.directory / "text.zst")
    if by_zstd:
        report.add("zstd -3 -T1", by_zstd[0], "MB/s")
        report.add("zstd -3 -T1, part of the text", by_zstd[1], "")
    meter = Meter(os.getpid())
    started = time.perf_counter()
    sealed = logs.store.seal(key)
    elapsed = time.perf_counter() - started
    usage = meter.read()
    report.add("sealing", size / MB / elapsed, "MB/s", (">=", 200), "zstd -3 -T1")
    report.add("sealing, part of the text", sealed.size_bytes / size, "", ("<=", 0.27), "zstd -3 -T1, part of the text")
    report.add("sealing, CPU", usage.cpu_seconds, "s")
    report.add("sealing, RSS growth", usage.rss_growth_bytes / MIB, "MiB")


def measure_lines(logs: Logs, windows: int, report: Report) -> None:
    """A reader is opened, and lines are read with the colours in force, at random places; as for each request."""
    from logviewer.chunkstore.lines import ALL_CHANNELS

    length, chance = WINDOW_LINES * LINE_BYTES, random.Random(0)
    text = logs.path(logs.plain(logs.lines), ".log")
    offsets = [chance.randrange(logs.lines * LINE_BYTES - length) for _window in range(windows)]
    pread = percentile(sorted(yardsticks.open_and_pread(text, length, offsets)), 50) * 1000
    report.add("open and pread of as many bytes, p50", pread, "ms")
    for form, key_of, goal in (("plain", logs.plain, 5.0), ("sealed", logs.sealed, 10.0)):
        for channels, words in ((ALL_CHANNELS, ""), (frozenset({0}), ", stdout only")):
            times: dict[int, float] = {}
            for lines in (logs.lines // 10, logs.lines):
                key = key_of(lines)
                chance = random.Random(lines)
                within = lines if channels == ALL_CHANNELS else lines * 9 // 10

                first = seconds(partial(read_window, logs, key, within // 2, channels))
                starts = [chance.randint(1, within - WINDOW_LINES) for _window in range(windows)]
                taken = sorted(seconds(partial(read_window, logs, key, start, channels)) for start in starts)
                times[lines] = percentile(taken, 50) * 1000
                name = f"{WINDOW_LINES} lines of {lines:,}, {form}{words}"
                report.add(f"{name}, first", first * 1000, "ms")
                report.add(f"{name}, p50", times[lines], "ms", ("<=", goal), "open and pread of as many bytes, p50")
                report.add(f"{name}, p99", percentile(taken, 99) * 1000, "ms")
            growth = times[logs.lines] / times[logs.lines // 10]
            report.add(f"growth of the p50 at ten times the lines, {form}{words}", growth, "x", ("<=", 1.5))


def read_window(logs: Logs, key: str, start: int, channels: frozenset[int]) -> None:
    """What one request comes to in the store."""
    from logviewer.chunkstore.lines import read_lines

    with logs.store.reader(key) as reader:
        check(len(read_lines(reader, start, WINDOW_LINES, channels).lines), WINDOW_LINES)


def measure_search(logs: Logs, report: Report) -> None:
    """All of a log for a literal in any case, as the page asks for it, and for a regular expression."""
    from logviewer.insight.query import Query
    from logviewer.insight.search import search_log

    plain, sealed = logs.plain(logs.lines), logs.sealed(logs.lines)
    text = logs.path(plain, ".log")
    expected: dict[str, int] = {}
    nearest = None
    for name, literal_command, pattern_command in yardsticks.searchers():
        elapsed, expected[LITERAL] = yardsticks.search_with(literal_command, LITERAL, text)
        report.add(f"{name}, literal", elapsed, "s")
        elapsed, expected[PATTERN] = yardsticks.search_with(pattern_command, PATTERN, text)
        report.add(f"{name}, regular expression", elapsed, "s")
        nearest = nearest or name
    goals = {("literal", plain): 1.0, ("literal", sealed): 2.0}
    queries = (("literal", LITERAL, False, True), ("literal in any case", LITERAL, False, False))
    for words, wanted, regex, case_sensitive in (*queries, ("regular expression", PATTERN, True, True)):
        for form, key in (("plain", plain), ("sealed", sealed)):
            query = Query(wanted, regex=regex, case_sensitive=case_sensitive)
            meter = Meter(os.getpid())
            started = time.perf_counter()
            with logs.store.reader(key) as reader:
                found = search_log(reader, query, limit=100, cancelled=lambda: False)
            elapsed = time.perf_counter() - started
            check(found.total, expected.get(wanted, found.total))
            goal = goals.get((words, key))
            scaled = ("<=", goal * logs.lines / LINES) if goal else None
            yardstick = f"{nearest}, {'regular expression' if regex else 'literal'}"
            report.add(f"search of {logs.lines:,} lines, {words}, {form}", elapsed, "s", scaled, yardstick)
            growth = meter.read().rss_growth_bytes / MIB
            report.add(f"search of {logs.lines:,} lines, {words}, {form}, RSS growth", growth, "MiB")


def measure_downloads(directory: Path, lines: int, runs: int, report: Report) -> None:
    """A log as one response: plain, sealed as zstd, sealed and decoded; the same number of bytes from memory."""
    printer = build_printer(directory)
    with running_product(directory) as product, running_bare(directory) as bare:
        log = product.run_agent("store", [str(printer), str(lines)]).log
        size = int(log["size"])
        for run in range(runs):
            print(f"downloads of plain text, run {run + 1} of {runs}", flush=True)
            bare_size, elapsed = download(bare, f"/download?size={size}&piece={DOWNLOAD_PIECE_BYTES}", None)
            check(bare_size, size)
            report.add("bare download", size / MB / elapsed, "MB/s")
            check(log_forms(product), [".log"])
            measure_download(product, log, "plain", None, (">=", 1000), report)
        product.server.manage("upkeep")
        check(log_forms(product), [".log.zst"])
        for run in range(runs):
            print(f"downloads of sealed text, run {run + 1} of {runs}", flush=True)
            measure_download(product, log, "sealed, as zstd", "zstd", (">=", 250), report)
            measure_download(product, log, "sealed, decoded", None, (">=", 500), report)


def measure_download(
    product: Product, log: dict[str, object], words: str, coding: str | None, goal: tuple[str, float], report: Report
) -> None:
    """One download from a server that has just been started."""
    product.server.stop()
    product.server.start()
    meter = Meter(product.server.pid)
    received, elapsed = download(product.server, f"/api/v1/logs/{log['id']}/raw", product.token, coding)
    usage = meter.read()
    size = int(str(log["size"]))
    if coding is None:
        check(received, size)
    name = f"download, {words}"
    report.add(name, received / MB / elapsed, "MB/s", goal, "bare download")
    if coding:
        report.add(f"{name}, of text", size / MB / elapsed, "MB/s")
    report.add(f"{name}, CPU of the server for a GB of text", usage.cpu_seconds / (size / 1e9), "s")
    report.add(f"{name}, RSS growth of the server", usage.rss_growth_bytes / MIB, "MiB", ("<=", 32))


def log_forms(product: Product) -> list[str]:
    """The suffixes of the one log's text as it lies."""
    found = [path.name for path in (product.server.data_dir / "logs").rglob("*.log*")]
    return sorted({".log.zst" if name.endswith(".zst") else ".log" for name in found})


def seconds(call: Callable[[], None]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def check(found: object, expected: object) -> None:
    """A figure is worth nothing where the work was not done."""
    if found != expected:
        raise RuntimeError(f"{found} where {expected} was expected")


def options() -> argparse.Namespace:
    """What is to be measured."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, joined by commas (default: %(default)s)")
    parser.add_argument("--lines", type=int, default=LINES, help="of 100 bytes in the log (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="on the disk that is to be measured (default: where TMPDIR is)")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    unknown = set(chosen.only) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if chosen.quick:
        chosen.runs, chosen.lines = 1, QUICK_LINES
    return chosen


def main() -> None:
    chosen = options()
    report = Report("store")
    with tempfile.TemporaryDirectory(prefix="buildlogs-store-", dir=chosen.directory) as name:
        directory = Path(name)
        os.environ["BUILDLOGS_DATA_DIR"] = name
        os.environ["BUILDLOGS_MAX_LOG_BYTES"] = "0"
        os.environ["DJANGO_SETTINGS_MODULE"] = "buildlogs.settings"
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        call_command("migrate", verbosity=0)
        logs = Logs(directory, chosen.lines)
        for run in range(chosen.runs):
            print(f"run {run + 1} of {chosen.runs}", flush=True)
            if "append" in chosen.only:
                measure_append(logs, QUICK_CALLS if chosen.quick else CALLS, report)
            if "seal" in chosen.only:
                measure_seal(logs, report)
            if "lines" in chosen.only:
                measure_lines(logs, WINDOWS, report)
            if "search" in chosen.only:
                measure_search(logs, report)
        logs.store.close()
        if "download" in chosen.only:
            measure_downloads(directory, chosen.lines, chosen.runs, report)
    conclude(report, chosen)


if __name__ == "__main__":
    main()
