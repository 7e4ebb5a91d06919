"""Recognising errors, warnings and folds: how fast a log is gone through, in one process and from memory.

An ordinary build log, plain and in colour, and two in which every line, or every second one, is an error. The yardstick
is `grep -cE` with some of the same patterns, on the same text. Both are measured by their CPU time: each is one thread,
and waits for nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import MB, Report, arguments, conclude
from logviewer.insight.inspector import Inspector

TEXT_BYTES = 100 * MB
QUICK_TEXT_BYTES = 2 * MB
MIN_FLOOD_RATE = 20
"""MB/s that a log of nothing but errors must be gone through at."""

PIECE_BYTES = 128 * 1024
"""As insight reads a log."""

CLOCK_SECONDS = 0.01
"""What the system counts the CPU time of children in."""

SEED = 5
GREP = (
    r":[0-9]+: (fatal )?(error|warning): |^(error|warning)(\[E[0-9]+\])?: |^Traceback |^panic: |^npm (ERR!|WARN) "
    r"|^make.*: \*\*\* |Segmentation fault|No space left on device|^\[(ERROR|WARNING)\] |^FAILED |^fatal: |^::error"
)
RANDOM = random.Random(SEED)


def ordinary() -> Iterator[str]:
    """What builds print: a warning in 200 lines, an error in 2000, words that look like them in every twentieth."""
    number = 0
    while True:
        number += 1
        name = f"module_{RANDOM.randrange(9999)}"
        yield f"[{number % 100:3d}%] Building CXX object src/core/CMakeFiles/core.dir/{name}.cpp.o"
        yield f"gcc -Wall -Werror -O2 -Iinclude -DNDEBUG -c src/{name}.c -o build/{name}.o"
        yield f"2026-11-20T11:02:{number % 60:02d}.004Z INFO worker {RANDOM.random()} done in {number} ms"
        yield f"test {name}::works ... ok"
        yield f"src/{name}.c: In function 'f{number}':"
        if number % 4 == 0:
            yield f"  CC      lib/error_{number}.o"
        if number % 40 == 0:
            yield f"src/{name}.c:{number}:5: warning: unused variable 'y' [-Wunused-variable]"
        if number % 400 == 0:
            yield f"src/{name}.c:{number}:9: error: 'x' undeclared (first use in this function)"


def coloured() -> Iterator[str]:
    """The same, each line in a colour."""
    return (f"\x1b[32m{line}\x1b[0m" for line in ordinary())


def every_line() -> Iterator[str]:
    """Nothing but a compiler's errors."""
    return (f"src/module_{RANDOM.randrange(9999)}.c:12:5: error: 'x' undeclared (first use in this)" for _ in forever())


def every_second_line() -> Iterator[str]:
    """Rust's errors, each with the line that says where."""
    for number in forever():
        yield f"error[E0308]: mismatched types, for the {number}th time in this build"
        yield f"  --> src/module_{number}.rs:3:18"


def forever() -> Iterator[int]:
    """Numbers from 0 on."""
    number = 0
    while True:
        yield number
        number += 1


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "an ordinary log": ordinary,
    "an ordinary log in colour": coloured,
    "every line an error": every_line,
    "every second line an error": every_second_line,
}


def make_text(lines: Iterator[str], size: int) -> bytes:
    """So many bytes of it, a tenth of them made and then repeated, whole lines."""
    part, sample = [], 0
    for line in lines:
        part.append(line)
        sample += len(line) + 1
        if sample >= size // 10:
            break
    block = ("\n".join(part) + "\n").encode()
    return b"".join(islice(iter(lambda: block, None), 10))


def inspect(text: bytes) -> tuple[float, Inspector]:
    """Seconds of CPU that it takes, and what was found."""
    inspector = Inspector()
    start = time.process_time()
    offset = 0
    while offset < len(text):
        data = text[offset : offset + PIECE_BYTES]
        offset += inspector.feed(data, is_last=offset + len(data) == len(text))
    return time.process_time() - start, inspector


def grep(path: Path) -> tuple[float, int]:
    """Seconds of CPU that grep takes, and the lines that it finds."""
    before = os.times()
    done = subprocess.run(
        ["grep", "-cE", GREP, str(path)], env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, int(done.stdout)


def measure(report: Report, name: str, text: bytes, path: Path) -> None:
    """One text, once."""
    seconds, inspector = inspect(text)
    grep_seconds, found = grep(path)
    if name != "an ordinary log in colour" and found != inspector.errors + inspector.warnings:  # grep sees the colours
        raise SystemExit(
            f"{name}: grep finds {found} lines, not {inspector.errors} errors, {inspector.warnings} warnings"
        )
    yardstick = f"grep -cE, {name}"
    goal = (">=", MIN_FLOOD_RATE) if name == "every line an error" else None
    report.add(name, len(text) / MB / seconds, "MB/s", goal, yardstick)
    report.add(yardstick, len(text) / MB / max(grep_seconds, CLOCK_SECONDS), "MB/s")


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    if shutil.which("grep") is None:
        raise SystemExit("grep is needed")
    size = QUICK_TEXT_BYTES if options.quick else TEXT_BYTES
    report = Report("errors")
    inspect(make_text(ordinary(), MB))  # the patterns are compiled once a process
    with tempfile.TemporaryDirectory(prefix="buildlogs-errors-") as directory:
        for name, lines in KINDS.items():
            text = make_text(lines(), size)
            path = Path(directory) / "text"
            path.write_bytes(text)
            for _ in range(1 if options.quick else options.runs):
                measure(report, name, text, path)
    conclude(report, options)


if __name__ == "__main__":
    main()
