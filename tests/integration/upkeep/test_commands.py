"""What importlog, exportlog and verifylogs have in common: bars on a terminal only, and memory that does not grow."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command

from logviewer.chunkstore import encode_entry
from logviewer.models import LogFile
from tests.integration.upkeep.test_importlog import importlog

pytestmark = pytest.mark.django_db

MIB = 1024 * 1024


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def error_output(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> Iterator[io.StringIO]:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        yield stream


@pytest.mark.parametrize("command", ["importlog", "exportlog", "verifylogs"])
def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(
    tmp_path: Path, logs_dir: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"x" * 1000))
    importlog(file)

    def drawn(stream: io.StringIO, *options: str) -> str:
        with error_output(monkeypatch, stream):
            if command == "importlog":
                importlog(file, *options)
            elif command == "exportlog":
                log = str(LogFile.objects.get().pk)
                call_command("exportlog", log, "-o", str(tmp_path / "out"), *options, stderr=io.StringIO())
            else:
                call_command("verifylogs", *options, stdout=io.StringIO())
        return stream.getvalue()

    assert "100%" in drawn(Terminal())
    assert drawn(io.StringIO()) == ""
    assert drawn(Terminal(), "--no-progress") == ""


def peak_bytes(*command: str) -> int:
    """The most memory that Python held at once while a command ran, beyond what it held before."""
    tracemalloc.start()
    try:
        call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_log(tmp_path: Path, logs_dir: Path) -> None:
    where = ["--project", "old", "--builder", "linux", "--step", "compile", "--log", "stdio"]
    peaks: dict[str, list[int]] = {"importlog": [], "exportlog": [], "verifylogs": []}
    for size in (8, 40):
        file = tmp_path / f"log-{size}"
        file.write_bytes(encode_entry(0, b"x" * 999 + b"\n") * (size * MIB // 1000))
        peaks["importlog"].append(peak_bytes("importlog", str(file), *where))
        log = str(LogFile.objects.latest("pk").pk)
        peaks["exportlog"].append(peak_bytes("exportlog", log, "-o", str(tmp_path / "out")))
        peaks["verifylogs"].append(peak_bytes("verifylogs", log))
    for short, long in peaks.values():
        # Marks of the open log are made on another thread, whose MiB or so may or may not fall on the peak.
        assert long < short + 4 * MIB, peaks
        assert long < 8 * MIB, peaks
