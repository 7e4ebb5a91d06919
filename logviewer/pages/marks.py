"""The mark of a build that someone should look at: each status has a shape of its own, colour says it once more."""

from __future__ import annotations

from django.utils.safestring import SafeString

from logviewer.pages import svg

MARK_RADIUS_PX = 3

_SHAPES = {
    "failure": "-3l3 3-3 3-3-3z",  # a diamond
    "exception": "-2.5h2.5v5h-5v-5z",  # a square
    "warnings": "-2.5l3 5h-6z",  # a triangle
}


def mark(status: str, x: int, y: int) -> SafeString:
    """The shape around that point, to stand in an element of the status's class; nothing for a status without."""
    shape = _SHAPES.get(status)
    if shape is None:
        return SafeString("")
    return svg.element("path", class_="mark", d=f"M{x} {y}m0{shape}")
