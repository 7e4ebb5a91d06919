"""A builder's last builds as a row of bars, one a build, drawn on the server as SVG: the strip, and the chart.

Drawn here and not in a template, which would take a quarter of a second for a project's three thousand bars. What all
bars share, among it how wide a strip is and its bars are, stands in lists.css; x is in per cent of that width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from django.utils.safestring import SafeString

from logviewer.models import Build
from logviewer.pages.marks import MARK_RADIUS_PX, mark_path
from logviewer.pages.moments import build_elapsed, duration_text
from logviewer.pages.runs import runs_of
from logviewer.pages.status import status_word
from logviewer.pages.trends import median_seconds

STRIP_BUILDS = 30
CHART_BUILDS = 60
SHORTEST_BAR_PX = 5
MARK_ROOM_PX = 2 * MARK_RADIUS_PX + 2  # below the bars: the mark of a build that someone should look at
BAR_SHARE = 2 / 3  # of its place
FULL_MEDIANS = 3.0
"""Bars are full at this many medians at most: one build that hung must not flatten all others."""


@dataclass(frozen=True)
class Form:
    """How many builds there is room for, how long the longest bar is, and whether a line is drawn at the median."""

    name: str
    builds: int
    bar_px: int
    has_median: bool


STRIP = Form("strip", STRIP_BUILDS, 22, has_median=False)
SHORT_CHART = Form("strip chart", STRIP_BUILDS, 88, has_median=True)
CHART = Form("strip chart long-chart", CHART_BUILDS, 88, has_median=True)


@dataclass(frozen=True)
class Bar:
    """One build; `place` counts from 0 at the left, `height` is in pixels."""

    url: str
    label: str
    status: str
    place: int
    height: int

    def drawn(self, form: Form, *, has_tab_stop: bool) -> str:
        """A link to the build. Of a row's links one has the tab stop, arrow keys go to the others (strip.js)."""
        pitch = 100 / form.builds
        path = mark_path(self.status, 0, form.bar_px + 1 + MARK_RADIUS_PX)
        mark = f'<svg x="{pitch * BAR_SHARE / 2:.4g}%"><path class="mark" d="{path}"/></svg>' if path else ""
        return (
            f'<a href="{escape(self.url)}" class="is-{self.status}" tabindex="{0 if has_tab_stop else -1}">'
            f"<title>{escape(self.label)}</title>"
            f'<svg x="{self.place * pitch:.4g}%"><rect class="hit"/>'
            f'<rect class="tick" y="{form.bar_px - self.height}" height="{self.height}"/>{mark}</svg></a>'
        )


@dataclass(frozen=True)
class Strip:
    """The last builds of a builder, oldest first; `median` is the height of the usual bar, None where there is none."""

    form: Form
    bars: Sequence[Bar]
    summary: str
    median: int | None

    @property
    def drawing(self) -> SafeString:
        """The SVG; the newest build stands at its right end, so that strips line up."""
        bars = "".join(bar.drawn(self.form, has_tab_stop=bar is self.bars[-1]) for bar in self.bars)
        return SafeString(
            f'<svg class="{self.form.name}" data-strip height="{self.form.bar_px + MARK_ROOM_PX}" role="group" '
            f'aria-label="{escape(self.summary)}">{self._median_line()}{bars}</svg>'
        )

    def _median_line(self) -> str:
        if self.median is None or not self.form.has_median:
            return ""
        y = self.form.bar_px - self.median + 0.5
        return f'<line class="median" x1="{self.bars[0].place / self.form.builds:.1%}" x2="100%" y1="{y}" y2="{y}"/>'


def strip_of(builds: Sequence[Build], now: datetime, url: str, form: Form = STRIP) -> Strip:
    """Draw as many builds of the builder at `url` as the form has room for, given oldest first."""
    shown = builds[-form.builds :]
    lengths = [build_elapsed(build, now).seconds for build in shown]
    usual = median_seconds(runs_of(shown))
    longest = max(lengths, default=0.0)
    full = min(longest, usual * FULL_MEDIANS) if usual else longest
    words = [status_word(build) for build in shown]
    bars = [
        Bar(
            url=f"{url}{build.number}/",
            label=f"#{build.number} {word}, {duration_text(seconds)}",
            status=word,
            place=form.builds - len(shown) + index,
            height=_height(seconds, full, form),
        )
        for index, (build, word, seconds) in enumerate(zip(shown, words, lengths, strict=True))
    ]
    tally = ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))
    return Strip(
        form=form,
        bars=bars,
        summary=_summary(len(shown), tally),
        median=None if usual is None else _height(usual, full, form),
    )


def _height(seconds: float, full: float, form: Form) -> int:
    share = min(1.0, seconds / full) if full else 0.0
    return SHORTEST_BAR_PX + round((form.bar_px - SHORTEST_BAR_PX) * share)


def _summary(builds: int, tally: str) -> str:
    if builds == 0:
        return "no builds yet"
    return f"last {builds} builds: {tally}" if builds > 1 else f"the only build: {tally}"


def chart_of(builds: Sequence[Build], now: datetime, url: str) -> Strip:
    """Draw up to CHART_BUILDS builds as large as a page is wide."""
    return strip_of(builds, now, url, CHART if len(builds) > SHORT_CHART.builds else SHORT_CHART)
