"""Progress bars, for people: on a terminal only, and on standard error, so that standard output stays the command's."""

from __future__ import annotations

import sys
from typing import NoReturn

from tqdm import tqdm


def progress_bar(total: int | None, unit: str, *, wanted: bool = True) -> tqdm[NoReturn]:
    """A bar for `total` units (None: nobody knows), invisible unless standard error is a terminal."""
    return tqdm(
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024,
        dynamic_ncols=True,
        disable=not (wanted and sys.stderr.isatty()),
    )
