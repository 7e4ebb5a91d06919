"""The text that is written and read: lines of exactly 100 bytes, the same each time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

LINE_BYTES = 100
BLOCK_BYTES = 1024 * 1024
SOURCE = Path(__file__).resolve().parent / "lines.c"


def build_printer(directory: Path) -> Path:
    """Compile the command that prints N lines as fast as a pipe takes them."""
    return compile_command(SOURCE, directory)


def compile_command(source: Path, directory: Path) -> Path:
    """Compile a command of one file; answers where it is."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("a C compiler is needed: a printer in Python would be slower than what is measured")
    command = directory / source.stem
    subprocess.run([compiler, "-O2", "-o", str(command), str(source)], check=True)
    return command


def print_to_file(printer: Path, lines: int, path: Path) -> None:
    """The command's output straight into a file."""
    with path.open("wb") as file:
        subprocess.run([str(printer), str(lines)], stdout=file, check=True)


def sha256_of(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
