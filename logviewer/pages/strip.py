"""The strip: a builder's last builds as a row of small bars, one a build, drawn on the server as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from logviewer.models import Build
from logviewer.pages.moments import build_elapsed
from logviewer.pages.status import status_word

STRIP_BUILDS = 30
BAR_PITCH_PX = 9
BAR_WIDTH_PX = 6
STRIP_HEIGHT_PX = 30
MARK_ROOM_PX = 8  # below the bars: the mark of a build that someone should look at
SHORTEST_BAR_PX = 5
LONGEST_BAR_PX = STRIP_HEIGHT_PX - MARK_ROOM_PX


@dataclass(frozen=True)
class Bar:
    """One build of the strip, in pixels of the drawing."""

    url: str
    label: str
    status: str
    x: int
    height: int

    @property
    def y(self) -> int:
        """The bar's upper end."""
        return LONGEST_BAR_PX - self.height

    @property
    def mark(self) -> str:
        """The diamond under a failed build's bar, as points of a polygon."""
        middle, top = self.x + BAR_WIDTH_PX // 2, LONGEST_BAR_PX + 1
        return f"{middle},{top} {middle + 3},{top + 3} {middle},{top + 6} {middle - 3},{top + 3}"

    @property
    def is_marked(self) -> bool:
        """Whether the diamond is drawn: a failure is told by shape, not by colour alone."""
        return self.status in ("failure", "exception")


@dataclass(frozen=True)
class Strip:
    """The last builds of a builder, oldest first."""

    bars: Sequence[Bar]
    summary: str

    @property
    def width(self) -> int:
        """Of the drawing; the same for few builds as for many, so that strips line up."""
        return STRIP_BUILDS * BAR_PITCH_PX

    @property
    def height(self) -> int:
        """Of the drawing."""
        return STRIP_HEIGHT_PX


def strip_of(builds: Sequence[Build], now: datetime) -> Strip:
    """Draw up to 30 builds, given oldest first; a bar is as long as its build's share of the longest one."""
    shown = builds[-STRIP_BUILDS:]
    lengths = [build_elapsed(build, now).seconds for build in shown]
    longest = max(lengths, default=0.0) or 1.0
    first = STRIP_BUILDS - len(shown)
    bars = []
    tally: dict[str, int] = {}
    for place, (build, seconds) in enumerate(zip(shown, lengths, strict=True), start=first):
        status = status_word(build)
        tally[status] = tally.get(status, 0) + 1
        text = build_elapsed(build, now).text
        bars.append(
            Bar(
                url=build.get_absolute_url(),
                label=f"#{build.number} {status}, {text}",
                status=status,
                x=place * BAR_PITCH_PX,
                height=SHORTEST_BAR_PX + round((LONGEST_BAR_PX - SHORTEST_BAR_PX) * seconds / longest),
            )
        )
    counts = ", ".join(f"{count} {status}" for status, count in sorted(tally.items()))
    return Strip(bars=bars, summary=f"last {len(shown)} builds: {counts}" if shown else "no builds yet")
