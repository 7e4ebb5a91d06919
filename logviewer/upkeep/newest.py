"""The newest builds of some builders, found by the builders' own indexes: however old they are, and among how many.

A database that is asked for "the newest of these" guesses: it goes through all builds backwards, which takes long where
the wanted ones are old or few, or it sorts all that fit, which takes long where they are many. SQLite guesses without
knowing how many there are of anything. So it is told where to look, and each look is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, F, Max, OuterRef, Q, QuerySet, Subquery, Value, When

from logviewer.models import Build, Builder

WINDOW_BUILDS = 20_000
"""Of all builds, looked through first, in the order of the table: some 10 ms. Most lists end in there."""

FEW_BUILDS = 10_000
"""So many are fetched one by one and sorted, some 20 ms."""

FIRST_DEPTH = 1000
DEEPER = 10
"""So many builds of each builder are looked through, and so many times as many where these were not enough."""

NEWEST_FIRST = (F("id") + 0).desc()
"""An order that no index has: what was found is sorted, and nothing is looked for in that order."""


def newest_build_ids(
    builders: QuerySet[Builder], most: int, before: int | None = None, wanted: Mapping[str, Any] | None = None
) -> list[int]:
    """The ids of the newest builds of the builders, newest first, at most so many; ids below `before` alone.

    `wanted` is what all of them have to be, by lookups of which (builder, lookup) is in an index. The number of queries
    is bounded, and does not depend on that of builders.
    """
    wanted = wanted or {}
    found = _in_window(builders, most, before, wanted)
    if found is None and wanted:
        found = _of_rarest(builders, most, before, wanted)
    return _by_depth(builders, most, before, wanted) if found is None else found


def _in_window(
    builders: QuerySet[Builder], most: int, before: int | None, wanted: Mapping[str, Any]
) -> list[int] | None:
    """Those among the newest builds of all; None where these are not enough, and there are others."""
    newest = _below(before).order_by("-id").values_list("id", flat=True).first() or 0
    window = _below(before).filter(id__gt=newest - WINDOW_BUILDS)
    fits = Q(builder__in=builders.order_by().values("pk"), **wanted)
    found = list(window.filter(looked_at(fits)).order_by("-id").values_list("id", flat=True)[:most])
    return found if len(found) == most or newest <= WINDOW_BUILDS else None


def _of_rarest(
    builders: QuerySet[Builder], most: int, before: int | None, wanted: Mapping[str, Any]
) -> list[int] | None:
    """Those among the builds that fit what the fewest of the builders' builds fit; None where these are many."""
    counts = {
        lookup: _of(builders, Build.objects.filter(**{lookup: value})).values("pk")[: FEW_BUILDS + 1].count()
        for lookup, value in wanted.items()
    }
    rarest = min(counts, key=counts.__getitem__)
    if counts[rarest] > FEW_BUILDS:
        return None
    builds = _of(builders, _below(before)).filter(**{rarest: wanted[rarest]})
    return _ids(builds.filter(looked_at(Q(**wanted))), most)


def _by_depth(builders: QuerySet[Builder], most: int, before: int | None, wanted: Mapping[str, Any]) -> list[int]:
    """Those found by going through each builder's builds from the newest on: many fit, though none of the newest."""
    depth = FIRST_DEPTH if wanted else most
    while True:
        bound = _bound(builders, depth, before)
        builds = _of(builders, _below(before).filter(id__gte=bound or 0))
        found = _ids(builds.filter(looked_at(Q(**wanted))) if wanted else builds, most)
        if bound is None or len(found) == most:
            return found
        depth *= DEEPER


def _bound(builders: QuerySet[Builder], most: int, before: int | None) -> int | None:
    """An id from which on the builders have at least `most` builds, each of them at most so many; None: they have less.

    For each builder the id of its `most`th newest build is looked up; the highest of them is where all together have at
    least so many.
    """
    nth = _below(before).filter(builder=OuterRef("pk")).order_by("-id").values("id")[most - 1 : most]
    found: int | None = builders.order_by().annotate(nth=Subquery(nth)).aggregate(bound=Max("nth"))["bound"]
    return found


def _below(before: int | None) -> QuerySet[Build]:
    return Build.objects.all() if before is None else Build.objects.filter(id__lt=before)


def _of(builders: QuerySet[Builder], builds: QuerySet[Build]) -> QuerySet[Build]:
    return builds.filter(builder__in=builders.order_by().values("pk")).order_by()


def _ids(builds: QuerySet[Build], most: int) -> list[int]:
    return list(builds.order_by(NEWEST_FIRST).values_list("pk", flat=True)[:most])


def looked_at(wanted: Q) -> Case:
    """The condition, so written that each row is looked at, and no index is asked for it."""
    return Case(When(wanted, then=Value(True)), default=Value(False))
