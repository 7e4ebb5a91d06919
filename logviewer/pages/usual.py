"""How long builds of a builder usually take."""

from __future__ import annotations

from statistics import median

from logviewer.models import Build, Builder, BuildState, Results

BUILDS_HELD_AGAINST = 30
BUILDS_LOOKED_AT = 300  # a long row of failures must not make a page read a builder's whole history


def usual_seconds_before(builder: Builder, number: int) -> float | None:
    """The median duration of the last 30 builds before that number that went through; None where none did.

    A build is held against those before it: what came later was not usual then.
    """
    before = Build.objects.filter(builder=builder, number__lt=number).order_by("-number").values("pk")
    went_through = Build.objects.filter(
        pk__in=before[:BUILDS_LOOKED_AT],
        state=BuildState.FINISHED,
        results__in=(Results.SUCCESS, Results.WARNINGS),
        finished_at__isnull=False,
    )
    times = went_through.order_by("-number").values_list("started_at", "finished_at")[:BUILDS_HELD_AGAINST]
    lengths = [(end - start).total_seconds() for start, end in times if end is not None]
    return median(lengths) if lengths else None
