"""The colours of base.css can be read on all they lie on: light, dark, and where more contrast is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BASE = (Path(__file__).parents[2] / "static" / "logviewer" / "css" / "base.css").read_text(encoding="utf-8")
GROUNDS = ("ground", "surface", "raised")
READ = ("text", "text-soft", "link", "running", "success", "warnings", "failure", "exception", "neutral")
SEEN = ("focus",)
LEAST_READ, LEAST_SEEN = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
LEAST_READ_MORE = 7.0  # 1.4.6


def tokens(css: str, scheme: int) -> dict[str, str]:
    """The colours of a rule, light (0) or dark (1)."""
    found = re.findall(r"--([\w-]+): light-dark\(\s*(#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    return {name: colours[scheme] for name, *colours in found}


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_wcag_says_it_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#999999", "#ffffff") == pytest.approx(2.85, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("more", [False, True], ids=["usual contrast", "more contrast"])
def test_every_colour_can_be_read_on_every_ground(*, more: bool, scheme: int) -> None:
    usual, _, rest = BASE.partition("@media (prefers-contrast: more)")
    colours = tokens(usual, scheme) | (tokens(rest.partition("@layer base")[0], scheme) if more else {})
    least = LEAST_READ_MORE if more else LEAST_READ
    for ground in GROUNDS:
        for name in READ:
            assert contrast(colours[name], colours[ground]) >= least, (name, ground)
        for name in SEEN:
            assert contrast(colours[name], colours[ground]) >= LEAST_SEEN, (name, ground)
