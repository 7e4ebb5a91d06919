"""Which ES modules a page's script needs: told to the browser at once, they come together instead of level by level."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders

FOLDER = "logviewer/js"
_IMPORT = re.compile(r"""^import\b[^;"']*["']\./([\w-]+\.js)["'];""", re.MULTILINE)


@lru_cache
def modules_of(script: str) -> tuple[str, ...]:
    """Names of static files: all modules that a script of FOLDER imports, and what these import, without itself.

    Raises FileNotFoundError where one of them is not there.
    """
    found: dict[str, None] = {}
    pending = [script]
    while pending:
        for name in _IMPORT.findall(_path(pending.pop()).read_text()):
            if name not in found:
                found[name] = None
                pending.append(name)
    return tuple(posixpath.join(FOLDER, name) for name in found)


def _path(name: str) -> Path:
    path = finders.find(posixpath.join(FOLDER, name))
    if not isinstance(path, str):
        raise FileNotFoundError(f"there is no module {name}")
    return Path(path)
