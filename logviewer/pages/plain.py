"""Log text for those who have no viewer."""

from __future__ import annotations

import re

# CSI sequences, OSC strings (ended by BEL or ST), two-character escapes: a plain page shows none of them.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain_text(text: str) -> str:
    """The text without escape sequences and control characters; of an overwritten line the last state stays."""
    text = _ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", "\n".join(lines))
