"""The mark of a build that someone should look at: each status has a shape of its own, colour says it once more."""

from __future__ import annotations

MARK_RADIUS_PX = 3

_SHAPES = {
    "failure": "m0-3l3 3-3 3-3-3z",  # a diamond
    "exception": "m-2.5-2.5h5v5h-5z",  # a square
    "warnings": "m0-2.5l3 5h-6z",  # a triangle
    "abandoned": "m-3-.75h6v1.5h-6z",  # a dash
}


def mark_path(status: str, x: int, y: int) -> str | None:
    """The shape around that point, as SVG's `path` takes it; None for a status without."""
    shape = _SHAPES.get(status)
    return None if shape is None else f"M{x} {y}{shape}"
