"""Log text for those who have no viewer."""

from __future__ import annotations

import re

from logviewer.insight.shown_text import shown

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain_text(data: bytes) -> str:
    """The text without escape sequences and control characters; of an overwritten line the last state stays."""
    text = shown(data).decode("utf-8", errors="replace").replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", "\n".join(lines))
