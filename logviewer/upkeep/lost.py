"""Files that belong to no log any more: found, and put aside, never deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from logviewer.models import LogFile
from logviewer.upkeep.verification import LogFinding, RowFault

SUFFIXES = (".log.zst", ".log", ".idx", ".tail", ".marks")
UNFINISHED = (".tmp", ".new")
"""What anything is called that is written under another name first."""

YOUNG_SECONDS = 3600.0
"""A log's files are there before its row is, and what is being written has no name yet: leave them their hour."""

LOST_AND_FOUND = "lost+found"


def find_lost(root: Path, *, repair: bool, stopped: Callable[[], bool] = lambda: False) -> Iterator[LogFinding]:
    """Yield files below `root` whose log has no row, and unfinished ones that nobody works at any more.

    With `repair` the first are moved to `lost+found` beside `root`, the second removed: their log's other files are
    what they were made from. `stopped` is asked before each directory.
    """
    denied: list[OSError] = []
    for directory, below, names in os.walk(root, onerror=denied.append):
        if stopped():
            return
        below.sort()
        yield from _look(root, Path(directory), sorted(names), repair)
    for error in denied:
        if not isinstance(error, FileNotFoundError):
            yield LogFinding(None, str(error.filename), RowFault.UNREADABLE, error.strerror or "cannot be read")


def put_aside(root: Path, path: Path) -> Path:
    """Move a file from below `root` to `lost+found` beside it, under its own path; return where it lies now."""
    wanted = root.parent / LOST_AND_FOUND / path.relative_to(root)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in count():
        place = wanted.with_name(f"{wanted.name}.{number}") if number else wanted
        if not place.exists():
            path.rename(place)
            return place
    raise AssertionError("there is always another number")


def _look(root: Path, directory: Path, names: list[str], repair: bool) -> Iterator[LogFinding]:
    """Look at one directory's files."""
    keys: dict[str, list[Path]] = {}
    for name in names:
        path = directory / name
        if name.endswith(UNFINISHED):
            if not _is_young(path):
                if repair:
                    path.unlink(missing_ok=True)
                key = str(path.relative_to(root))
                yield LogFinding(
                    None, key, RowFault.LEFTOVER, "it was never finished, and nobody is at it", None, repair
                )
            continue
        suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
        if suffix:
            keys.setdefault(str(path.relative_to(root)).removesuffix(suffix), []).append(path)
    known = set(LogFile.including_deleted.filter(storage_key__in=keys).values_list("storage_key", flat=True))
    for key in sorted(keys.keys() - known):
        if any(_is_young(path) for path in keys[key]):
            continue
        told = ", ".join(path.name for path in keys[key])
        if repair:
            told += f": moved to {put_aside(root, keys[key][0]).parent}"
            for path in keys[key][1:]:
                put_aside(root, path)
        yield LogFinding(None, key, RowFault.ORPHAN, f"no log has these files: {told}", None, repair)


def _is_young(path: Path) -> bool:
    """Whether the file was touched lately, or is gone by now."""
    try:
        return time.time() - path.stat().st_mtime < YOUNG_SECONDS
    except FileNotFoundError:
        return True
