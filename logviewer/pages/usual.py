"""How long builds of a builder usually take."""

from __future__ import annotations

from logviewer.models import Build, Builder, BuildState, Results
from logviewer.pages.status import usual_seconds
from logviewer.pages.strip import STRIP_BUILDS

BUILDS_LOOKED_AT = 10 * STRIP_BUILDS  # a long row of failures must not make a page read a builder's whole history


def usual_seconds_before(builder: Builder, number: int) -> float | None:
    """The median duration of the last 30 builds before that number that went through; None where none did.

    A build is held against those before it: what came later was not usual then.
    """
    went_through = Build.objects.filter(
        builder=builder,
        number__lt=number,
        number__gte=number - BUILDS_LOOKED_AT,
        state=BuildState.FINISHED,
        results__in=(Results.SUCCESS, Results.WARNINGS),
    )
    return usual_seconds(went_through.order_by("-number")[:STRIP_BUILDS])
