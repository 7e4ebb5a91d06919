"""What a build's logs take, added up once it has ended: lists and retention could not add up ten million logs.

Whoever changes what a log takes forgets the sum of its build in the same transaction (`forget`); a job of upkeep adds
it up anew. So the sum is right or missing, whatever is killed when, and however many change a build's logs at once.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import Case, F, QuerySet, Sum, When

from logviewer.models import Build, BuildState, LogFile

TAKEN_BYTES = Case(When(stored_bytes__gt=0, then=F("stored_bytes")), default=F("size"))
"""Of a log's row, what the log takes: the sealed file, or the text while it is plain; `taken_bytes` in SQL."""

BATCH_BUILDS = 100
"""Weighed in one transaction, some ms."""


def taken_bytes(log: LogFile) -> int:
    """What the log takes: the sealed file, or the text while it is plain."""
    return log.stored_bytes or log.size


def waiting_builds() -> QuerySet[Build]:
    """Builds that have ended and are not added up: an index of its own holds these rows and no others."""
    return Build.objects.filter(state=BuildState.FINISHED, stored_bytes__isnull=True).order_by("pk")


def forget(step_id: int) -> None:
    """Forget what the build of this step takes, before one of its logs is changed in the same transaction.

    In this order, as all who change a build's logs lock the build first: or two could wait for each other. And whether
    there is a sum or not: one that is being written now would not be seen, and waiting for the row's lock is the point.
    """
    Build.objects.filter(steps=step_id).update(stored_bytes=None)


def weigh_waiting(stopped: Callable[[], bool] = lambda: False) -> int:
    """Add up what the waiting builds take; return how many those were. May be run in several processes at once."""
    weighed = last_id = 0
    while not stopped():
        ids = list(waiting_builds().filter(pk__gt=last_id).values_list("pk", flat=True)[:BATCH_BUILDS])
        if not ids:
            break
        weighed += _weigh(ids)
        last_id = ids[-1]
    return weighed


def _weigh(build_ids: list[int]) -> int:
    """Add up a few builds, each locked, so that nobody changes its logs unseen."""
    with transaction.atomic():
        builds = list(
            Build.objects.select_for_update(of=("self",))
            .filter(pk__in=build_ids)
            .order_by("pk")
            .only("pk", "stored_bytes")
        )
        sums = _stored_bytes([build.pk for build in builds])
        for build in builds:
            build.stored_bytes = sums.get(build.pk, 0)
        Build.objects.bulk_update(builds, ["stored_bytes"])
    return len(builds)


def _stored_bytes(build_ids: list[int]) -> dict[int, int]:
    """By build, what its logs take."""
    logs = LogFile.objects.filter(step__build__in=build_ids).order_by()
    return dict(logs.values("step__build").annotate(taken=Sum(TAKEN_BYTES)).values_list("step__build", "taken"))
