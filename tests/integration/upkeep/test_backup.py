"""The backup that docs/storage.md describes, taken while logs are written, finished, sealed and created, restores."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry, Limits
from tests.backup_commands import backup, manage, needs_commands, restore, shell
from tests.unit.chunkstore import plain_format

ROOT = Path(__file__).resolve().parents[3]
LIMITS = Limits(20_000, 10_000)  # as in busy_server.py
HOURS_AGO = time.time() - 7200

pytestmark = needs_commands


def environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BUILDLOGS_", "DJANGO_"))}
    return {**kept, "BUILDLOGS_DATA_DIR": str(data), "DATABASE_URL": f"sqlite:///{data / 'buildlogs.sqlite3'}"}


class BusyServer:
    """busy_server.py, asked and told by lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.busy, self.limited, self.sealed = self.read().split()

    def ask(self, what: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> str:
        assert self.process.stdout
        answer = self.process.stdout.readline().strip()
        assert answer, "the busy server has ended"
        return answer

    def received(self) -> list[int]:
        """How many bytes of each of the two busy logs are acknowledged."""
        return [int(number) for number in self.ask("received").split()]

    def wait_for_bytes(self, more: int) -> list[int]:
        """Wait until it has written so many bytes more of both than now."""
        wanted = min(self.received()) + more
        while min(received := self.received()) < wanted:
            pass
        return received


@contextmanager
def busy_server(data: Path) -> Iterator[BusyServer]:
    command = [sys.executable, "-m", "tests.integration.upkeep.busy_server"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(data), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield BusyServer(process)
    finally:
        process.communicate()
    assert process.returncode == 0


def payload(size: int) -> bytes:
    """The first `size` bytes of what the busy server writes."""
    text, number = bytearray(), 0
    while len(text) < size:
        text += b"line %d %s\n" % (number, b"x" * (number * 37 % 300))
        number += 1
    return bytes(text[:size])


def restored(copy: Path, data: Path) -> list[dict[str, object]]:
    """Restore hours later, as the document says; what verifylogs --repair found."""
    shutil.copytree(copy, data)
    for path in data.rglob("*.*"):
        os.utime(path, (HOURS_AGO, HOURS_AGO))
    *before, verify = restore()
    for command in before:
        done = manage(environment(data), *command)
        assert done.returncode == 0, done.stderr
    repaired = manage(environment(data), *verify, "--json")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    checked = manage(environment(data), "verifylogs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return [json.loads(line) for line in repaired.stdout.splitlines()]


@pytest.mark.timeout(300)  # seven processes of Django, one after the other
def test_a_copy_taken_while_logs_are_written_restores(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "backup"
    assert manage(environment(data), "migrate", "--verbosity", "0").returncode == 0
    lines = backup()

    def run(line: str) -> None:
        shell(line, DATA=str(data), BACKUP=str(copy))

    with busy_server(data) as server:
        acknowledged = server.wait_for_bytes(200_000)
        run(lines.directory)
        run(lines.database)
        later = server.ask("create")
        server.wait_for_bytes(20_000)
        run(lines.indexes)
        server.wait_for_bytes(20_000)
        server.ask("seal")
        run(lines.rest)
        run(lines.rest_again)
        run(lines.key)
        server.wait_for_bytes(20_000)
    found = restored(copy, tmp_path / "restored")
    root = tmp_path / "restored" / "logs"

    mended = {str(finding["key"]) for finding in found[:-1]}
    assert {server.sealed, later} <= mended <= {server.busy, server.limited, server.sealed, later}
    text = b"".join(extent.data for extent in plain_format.extents(root, server.busy))
    assert len(text) >= acknowledged[0] + 20_000
    assert text == payload(len(text))
    sealed = b"".join(extent.data for extent in plain_format.extents(root, server.sealed))
    assert sealed == b"one\n"
    aside = tmp_path / "restored" / "lost+found"
    assert (aside / f"{later}.log").read_bytes() == b"after the database was copied\n"
    assert (aside / f"{server.sealed}.log.zst").is_file()
    with sqlite3.connect(tmp_path / "restored" / "buildlogs.sqlite3") as rows:
        listed = dict(rows.execute("SELECT storage_key, received FROM logviewer_logfile").fetchall())
    assert listed.keys() == {server.busy, server.limited, server.sealed}
    assert listed[server.sealed] == 4
    assert listed[server.busy] <= len(text)  # rows of open logs may lag behind, and never say more than there is

    more = payload(len(text) + 50_000)
    store = ChunkStore(root)
    appended = store.append(server.busy, [Entry(0, more[len(text) :])], offset=len(text))
    finished = store.finish(server.busy, len(more), hashlib.sha256(more).hexdigest())
    assert appended.received == len(more)
    assert finished.verified

    received = store.append(server.limited, []).received
    assert received >= max(acknowledged[1] + 20_000, listed[server.limited])
    store.append(server.limited, [Entry(0, payload(received + 100)[received:])], offset=received, limits=LIMITS)
    store.finish(server.limited)
    store.close()
    kept = (root / f"{server.limited}.log").read_bytes()
    assert kept.startswith(payload(LIMITS.max_bytes))
    assert kept.endswith(payload(received + 100)[-(LIMITS.max_tail_bytes // 2) :])


def test_a_text_that_is_sealed_between_rsyncs_look_and_its_copy_is_in_the_copy(tmp_path: Path) -> None:
    data, copy, commands = tmp_path / "data", tmp_path / "backup", tmp_path / "bin"
    store = ChunkStore(data / "logs")
    store.create("demo/stdio-1")
    store.append("demo/stdio-1", [Entry(0, b"hello\n")])
    store.finish("demo/stdio-1")
    commands.mkdir()
    late = commands / "rsync"  # had listed the text before it was sealed, and finds it gone
    late.write_text(f"#!/bin/sh\n{shutil.which('rsync')} --exclude='stdio-1.log*' \"$@\"\nexit 24\n")
    late.chmod(0o755)
    lines, variables = backup(), {"DATA": str(data), "BACKUP": str(copy)}
    shell(lines.directory, **variables)
    shell(lines.indexes, **variables)
    store.seal("demo/stdio-1")
    shell(lines.rest, **variables, PATH=f"{commands}:{os.environ['PATH']}")
    assert not (copy / "logs" / "demo" / "stdio-1.log.zst").exists()
    shell(lines.rest_again, **variables)
    assert plain_format.read(copy / "logs", "demo/stdio-1").text == b"hello\n"
    store.close()
