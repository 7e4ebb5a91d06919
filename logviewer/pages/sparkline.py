"""The sparkline: how long the last runs took, as a line that needs no axes because its middle is the median."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from django.utils.safestring import SafeString

from logviewer.pages.moments import duration_text
from logviewer.pages.trends import Run, change_of, median_seconds, passed_seconds

WIDTH_PX = 96
HEIGHT_PX = 24
EDGE_PX = 3  # room for the dot at the end
LEAST_POINTS = 2


def sparkline(runs: Sequence[Run]) -> SafeString:
    """Draw those of the runs that went through, given oldest first; nothing where there are fewer than two.

    The top is twice the median: a run that took longer is drawn there.
    """
    lengths = passed_seconds(runs)
    usual = median_seconds(runs)
    if usual is None or len(lengths) < LEAST_POINTS:
        return SafeString("")
    pitch = (WIDTH_PX - 2 * EDGE_PX) / (len(lengths) - 1)
    # Whole pixels: a project's page has thousands of these points.
    points = [(round(EDGE_PX + place * pitch), _height(seconds, usual)) for place, seconds in enumerate(lengths)]
    change = change_of(runs)
    last_x, last_y = points[-1]
    line = " ".join(f"{x},{y}" for x, y in points)
    return SafeString(
        f'<svg class="sparkline" role="img" width="{WIDTH_PX}" height="{HEIGHT_PX}">'
        f"<title>Durations of the last {len(lengths)} that passed</title>"
        f"<desc>{escape(_description(lengths, usual, change.text if change else None))}</desc>"
        f'<path class="median" d="M0 {HEIGHT_PX // 2}h{WIDTH_PX}"/>'
        f'<polyline points="{line}"/>'
        f'<circle cx="{last_x}" cy="{last_y}" r="2"/></svg>'
    )


def _height(seconds: float, usual: float) -> int:
    share = min(1.0, seconds / (2 * usual)) if usual else 0.5
    return EDGE_PX + round((1 - share) * (HEIGHT_PX - 2 * EDGE_PX))


def _description(lengths: Sequence[float], usual: float, change: str | None) -> str:
    spread = f"from {duration_text(min(lengths))} to {duration_text(max(lengths))}, median {duration_text(usual)}"
    return f"{spread}; lately {change}" if change else spread
