"""Bars drawn on the server as SVG; what they look like stands in admin.css."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from django.utils.safestring import SafeString

CHART_PX = 96
LEAST_PX = 1
BAR_SHARE = 0.72  # of its place


def chart(name: str, bars: Sequence[tuple[str, int]]) -> SafeString:
    """Bars beside each other, each with what is said of it; all of one scale, the largest as high as the chart."""
    most = max((value for _label, value in bars), default=0)
    pitch = 100 / max(1, len(bars))
    drawn = "".join(
        f'<rect x="{place * pitch:.4g}%" width="{pitch * BAR_SHARE:.4g}%" y="{CHART_PX - height}" height="{height}">'
        f"<title>{escape(label)}</title></rect>"
        for place, (label, height) in enumerate((label, _height(value, most)) for label, value in bars)
    )
    return SafeString(
        f'<svg class="desk-chart" role="img" aria-label="{escape(name)}" width="100%" height="{CHART_PX}">{drawn}'
        f'<line x1="0" x2="100%" y1="{CHART_PX - 0.5}" y2="{CHART_PX - 0.5}"/></svg>'
    )


def _height(value: int, most: int) -> int:
    if not value or not most:
        return 0
    return max(LEAST_PX, round(value / most * CHART_PX))


def share_bar(part: int, whole: int) -> SafeString:
    """One bar that lies, filled to its share; for the eye alone, the figures stand beside it."""
    percent = min(1.0, part / whole) * 100 if whole else 0.0
    return SafeString(
        '<svg class="desk-share" aria-hidden="true" width="100%" height="8">'
        '<rect class="whole" width="100%" height="8"/>'
        f'<rect width="{percent:.4g}%" height="8"/></svg>'
    )
