"""The commands of docs/storage.md that make a backup and restore it, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "storage.md"

needs_commands = pytest.mark.skipif(
    not (shutil.which("rsync") and shutil.which("sqlite3")), reason="the backup needs rsync and sqlite3"
)


class Backup(NamedTuple):
    """One line of shell each; `database` is SQLite's, `dump` PostgreSQL's, `rest_again` brings what `rest` missed."""

    directory: str
    database: str
    indexes: str
    rest: str
    rest_again: str
    key: str
    dump: str


def backup() -> Backup:
    """The document's lines."""
    section = re.search(r"^## Backup\n(.*?)^## ", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert section
    first, dump, _restore = re.findall(r"```sh\n(.*?)```", section.group(1), re.DOTALL)
    return Backup(*first.splitlines(), dump.strip())


def restore() -> list[list[str]]:
    """What is done before the server starts, as arguments of `manage.py`."""
    commands = re.search(r"before the server starts:\n\n```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert commands
    words = [shlex.split(line) for line in commands.group(1).splitlines()]
    assert all(line[:2] == [".venv/bin/python", "manage.py"] for line in words)
    return [line[2:] for line in words]


def load_dump() -> str:
    """The line that puts PostgreSQL's dump into an empty database."""
    line = re.search(r"`(psql [^`]*)`", DOCUMENT.read_text())
    assert line
    return line.group(1)


def shell(line: str, **variables: str) -> None:
    """Run one line; it must succeed."""
    done = subprocess.run(
        ["sh", "-euc", line], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"


def manage(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end, whatever that is."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False)
