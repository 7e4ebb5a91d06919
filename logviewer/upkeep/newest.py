"""The newest builds of some builders, found by the builders' own indexes: however old they are, and among how many."""

from __future__ import annotations

from django.db.models import Max, OuterRef, QuerySet, Subquery

from logviewer.models import Build, Builder


def newest_builds(builders: QuerySet[Builder], most: int) -> QuerySet[Build]:
    """Builds of the builders: the newest `most` of them all are among these, and few others.

    For each builder the id of its `most`th newest build is looked up; the highest of them is where all together have at
    least so many. Without that bound a database either goes through all builds backwards, which takes long for a
    project that is idle, or sorts all builds of the project, which takes long for a busy one.
    """
    nth = Build.objects.filter(builder=OuterRef("pk")).order_by("-id").values("id")[most - 1 : most]
    bound = builders.order_by().annotate(nth=Subquery(nth)).aggregate(bound=Max("nth"))["bound"]
    builds = Build.objects.filter(builder__in=builders.order_by().values("pk"))
    return builds if bound is None else builds.filter(pk__gte=bound)


def newest_build_ids(builders: QuerySet[Builder], most: int) -> list[int]:
    """The ids of the newest builds of the builders, newest first, at most so many."""
    return list(newest_builds(builders, most).order_by("-id").values_list("pk", flat=True)[:most])
