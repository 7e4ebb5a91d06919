"""What the system's own tools do with the same bytes on the same machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import MB

WRITE_BYTES = 64 * 1024


def write_by(path: Path, piece: bytes, count: int) -> float:
    """MB/s of os.write, `count` times the same piece."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    started = time.perf_counter()
    for _call in range(count):
        os.write(fd, piece)
    elapsed = time.perf_counter() - started
    os.close(fd)
    path.unlink()
    return len(piece) * count / MB / elapsed


def open_and_pread(path: Path, length: int, offsets: Sequence[int]) -> list[float]:
    """Seconds of each opening and reading so many bytes at an offset."""
    taken = []
    for offset in offsets:
        started = time.perf_counter()
        fd = os.open(path, os.O_RDONLY)
        os.pread(fd, length, offset)
        os.close(fd)
        taken.append(time.perf_counter() - started)
    return taken


def read_with_dd(path: Path) -> float:
    """MB/s of dd into /dev/null, from the page cache as everything here."""
    return _timed(["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"], path)


def compress_with_zstd(path: Path, output: Path) -> tuple[float, float] | None:
    """MB/s of text and compressed part of it, of `zstd -3 -T1`; None where there is no zstd."""
    if shutil.which("zstd") is None:
        return None
    speed = _timed(["zstd", "-3", "-T1", "-q", "-f", str(path), "-o", str(output)], path)
    part = output.stat().st_size / path.stat().st_size
    output.unlink()
    return speed, part


def searchers() -> Iterator[tuple[str, list[str], list[str]]]:
    """(name, command for a literal, command for a regular expression): ripgrep where it is, and grep."""
    if shutil.which("rg"):
        yield "rg", ["rg", "-c", "-F", "--no-mmap"], ["rg", "-c", "--no-mmap"]
    if shutil.which("grep"):
        yield "grep", ["grep", "-c", "-F"], ["grep", "-c", "-E"]


def search_with(command: list[str], words: str, path: Path) -> tuple[float, int]:
    """Seconds, and how many lines match."""
    started = time.perf_counter()
    done = subprocess.run(
        [*command, words, str(path)], check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode > 1:  # 1 is no match
        raise RuntimeError(done.stderr)
    return time.perf_counter() - started, int(done.stdout or 0)


def _timed(command: list[str], path: Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return path.stat().st_size / MB / (time.perf_counter() - started)
