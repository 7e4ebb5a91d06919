"""Storage keys: where a log's files lie."""

import re
from dataclasses import dataclass
from pathlib import Path

from logviewer.chunkstore.errors import InvalidKey

MAX_KEY_CHARACTERS = 1024
"""Far below PATH_MAX (4096), so that a data directory of any sane depth fits in front."""

MAX_SEGMENT_CHARACTERS = 200
"""NAME_MAX is 255; this leaves room for `.log.zst`, `.marks` and temporary names beside them."""

SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Where a log's files lie, those included that it has in another form or not yet.

    `text` and `index` make an open log, with `tail` where its limit was passed. `sealed` takes the place of `text`
    after the finish; `marks` can be rebuilt from the rest.
    """

    key: str
    text: Path
    index: Path
    sealed: Path
    tail: Path
    marks: Path

    @property
    def sealing(self) -> Path:
        """What becomes `sealed` once it is whole; lies here only while a process is at it, or after a crash."""
        return self.sealed.with_name(f"{self.sealed.name}.tmp")

    @property
    def redacting(self) -> tuple[Path, Path]:
        """What becomes `text` and `index` once they are whole; as `sealing`."""
        return self.text.with_name(f"{self.text.name}.new"), self.index.with_name(f"{self.index.name}.new")


def check_key(key: str) -> str:
    """Give the key back if it names files below the store's root and nowhere else, else raise InvalidKey.

    A key is slugs joined by `/`, such as `demo/linux-gcc/42/3-compile/stdio-1017`: no empty segment, none that
    begins with a dot or a hyphen, ASCII letters, digits and `._-` only.
    """
    if not key or len(key) > MAX_KEY_CHARACTERS:
        raise InvalidKey(key, f"a key has 1 to {MAX_KEY_CHARACTERS} characters, this one {len(key)}")
    for segment in key.split("/"):
        if len(segment) > MAX_SEGMENT_CHARACTERS:
            raise InvalidKey(key, f"a segment has at most {MAX_SEGMENT_CHARACTERS} characters")
        if not SEGMENT.fullmatch(segment):
            raise InvalidKey(key, f"segment {segment!r} is not a slug")
    return key


def log_files(root: Path, key: str) -> LogFiles:
    """Return the paths of a log's files below `root`; InvalidKey if the key is none."""
    check_key(key)
    return LogFiles(key, *(root / f"{key}{suffix}" for suffix in (".log", ".idx", ".log.zst", ".tail", ".marks")))
