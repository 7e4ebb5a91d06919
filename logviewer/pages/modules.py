"""Which ES modules a page's scripts need: told to the browser at once, they come together instead of level by level."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders

FOLDER = "logviewer/js"
_IMPORT = re.compile(r"""^import\b[^;"']*["']\./([\w-]+\.js)["'];""", re.MULTILINE)
_LATER = re.compile(r"""await import\("\./([\w-]+\.js)"\)""")


@dataclass(frozen=True)
class Scripts:
    """What a page runs once its first picture is there: names of static files, entries in the order they are told."""

    entries: tuple[str, ...]
    modules: tuple[str, ...]


@lru_cache
def scripts_of(*entries: str) -> Scripts:
    """The scripts of FOLDER and all modules that they need, those of the first one first. Errors as `modules_of`."""
    names = tuple(posixpath.join(FOLDER, entry) for entry in entries)
    needed = dict.fromkeys(name for entry in entries for name in modules_of(entry))
    return Scripts(names, tuple(name for name in needed if name not in names))


@lru_cache
def modules_of(script: str) -> tuple[str, ...]:
    """Names of static files: all modules that a script of FOLDER imports, and what these import, without itself.

    Those that are imported later, by a call, and theirs, come behind all others. Raises FileNotFoundError where one of
    them is not there.
    """
    found: dict[str, None] = {script: None}
    pending: list[str] = [script]
    later: list[str] = []
    while pending or later:
        text = _path(pending.pop(0) if pending else later.pop(0)).read_text()
        later += _new(_LATER, text, found)
        pending += _new(_IMPORT, text, found)
    return tuple(posixpath.join(FOLDER, name) for name in found if name != script)


def _new(pattern: re.Pattern[str], text: str, found: dict[str, None]) -> list[str]:
    """Take down what has not been found before."""
    names = [name for name in dict.fromkeys(pattern.findall(text)) if name not in found]
    found.update(dict.fromkeys(names))
    return names


def _path(name: str) -> Path:
    path = finders.find(posixpath.join(FOLDER, name))
    if not isinstance(path, str):
        raise FileNotFoundError(f"there is no module {name}")
    return Path(path)
