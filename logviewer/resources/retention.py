"""What retention would delete, as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from logviewer.resources.shapes import time_or_none
from logviewer.upkeep.retention.plan import Going, Plan


class GoingShape(TypedDict):
    """A build that would go; `bytes` is null until it is added up, `why` is `expired` or `room`."""

    id: int
    builder: str
    number: int
    results: str | None
    finished_at: str | None
    bytes: int | None
    why: str
    url: str


class RetentionShape(TypedDict):
    """A project's retention in words, and what it would delete now: in all, and the first of them.

    `unweighed` builds are not added up yet: `bytes` lacks them, and they never go for want of room.
    """

    policy: str
    builds: int
    bytes: int
    unweighed: int
    complete: bool
    items: list[GoingShape]


def retention_shape(plan: Plan) -> RetentionShape:
    """A dry run."""
    return RetentionShape(
        policy=plan.words,
        builds=plan.total.builds,
        bytes=plan.total.stored_bytes,
        unweighed=plan.total.unweighed,
        complete=plan.is_complete,
        items=[_going_shape(going) for going in plan.listed],
    )


def _going_shape(going: Going) -> GoingShape:
    build = going.build
    return GoingShape(
        id=build.pk,
        builder=build.builder.slug,
        number=build.number,
        results=build.results,
        finished_at=time_or_none(build.finished_at),
        bytes=build.stored_bytes,
        why=going.why,
        url=build.get_absolute_url(),
    )
