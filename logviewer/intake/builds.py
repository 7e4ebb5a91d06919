"""Builds: created, described, kept alive, finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from logviewer.intake.changes import (
    announce_event,
    keep_alive,
    lock_build,
    note_life,
    record_event,
)
from logviewer.intake.errors import NumberTaken, ResultsDiffer
from logviewer.models import Build, Builder, BuildState, Project, Results, Step, StepState
from logviewer.models.states import check_transition

DETAILS = ("title", "branch", "revision", "reason", "origin_url", "properties")
"""What a build says of itself, and may say anew while it lives."""


@dataclass(frozen=True)
class NewBuild:
    """What a build is created from. `details` has some of DETAILS; values are checked by whoever took them in."""

    project: str
    builder: str
    external_id: str | None = None
    number: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Created(NamedTuple):
    """The build, and whether it is new."""

    build: Build
    is_new: bool


def create_build(new: NewBuild) -> Created:
    """Create a build, and its project (private) and builder where there are none of that slug.

    A build whose `external_id` the builder knows is not created again: the same one is returned, as it is. Numbers are
    given out under the builder's lock, so they are unique and without holes also where many ask at once.

    Raises:
        NumberTaken: `number` was asked for and belongs to another build of the builder.
    """
    with transaction.atomic():
        builder = _locked_builder(new.project, new.builder)
        if new.external_id is not None:
            known = builder.builds.filter(external_id=new.external_id).first()
            if known is not None:
                known = lock_build(known.pk)
                keep_alive(known)
                return Created(known, is_new=False)
        build = Build(
            builder=builder,
            number=_take_number(builder, new.number),
            external_id=new.external_id,
            **_only_details(new.details),
        )
        build.save(force_insert=True)
        announce_event(build, "buildStarted", build.pk)
    return Created(build, is_new=True)


def _locked_builder(project_slug: str, slug: str) -> Builder:
    """The builder, made where it is missing, locked until the transaction ends."""
    project, _ = Project.objects.get_or_create(slug=project_slug, defaults={"name": project_slug})
    builder, _ = Builder.objects.get_or_create(project=project, slug=slug)
    return Builder.objects.select_related("project").select_for_update(of=("self",)).get(pk=builder.pk)


def _take_number(builder: Builder, wanted: int | None) -> int:
    """The wanted number, or the builder's next; either way the next one is beyond it afterwards."""
    number = builder.next_number if wanted is None else wanted
    if wanted is not None and builder.builds.filter(number=wanted).exists():
        raise NumberTaken("build", wanted)
    builder.next_number = max(builder.next_number, number + 1)
    builder.save(update_fields=["next_number"])
    return number


def update_build(build_id: int, details: dict[str, Any]) -> Build:
    """Give a build other details, some of DETAILS; a finished one too. Properties are replaced as a whole."""
    with transaction.atomic():
        build = lock_build(build_id)
        for name, value in _only_details(details).items():
            setattr(build, name, value)
        if build.state != BuildState.FINISHED:
            note_life(build)
        build.save()
    return build


def _only_details(details: dict[str, Any]) -> dict[str, Any]:
    """Give `details` back; a name that is none of DETAILS is a fault of the calling code."""
    unknown = details.keys() - set(DETAILS)
    if unknown:
        raise ValueError(f"a build has no details {', '.join(sorted(unknown))}")
    return details


def finish_build(build_id: int, results: Results) -> Build:
    """Finish a build, and those of its steps that nobody has finished: with the build's results, all that is known.

    Logs that are still being sent stay open. Finishing again with the same results changes nothing. A build that was
    finished because its writer was silent for so long has results for want of better ones: the writer's own take their
    place.

    Raises:
        ResultsDiffer: it is finished already, with other results.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        if build.state != BuildState.FINISHED:
            note_life(build)
            end_build(build, results, timezone.now())
        elif build.ended_by_silence:
            build.results = results
            build.ended_by_silence = False
            record_event(build, "buildFinished", build.pk)
        elif build.results != results:
            raise ResultsDiffer("build", build.results, results)
    return build


def end_build(build: Build, results: Results, at: datetime) -> None:
    """End a locked build and the steps that have not ended, and say so."""
    check_transition("build", build.state, BuildState.FINISHED)
    for step in build.steps.exclude(state=StepState.FINISHED):
        end_step(build, step, results, at)
    build.state = BuildState.FINISHED
    build.results = results
    build.finished_at = at
    record_event(build, "buildFinished", build.pk)


def end_step(build: Build, step: Step, results: Results, at: datetime) -> None:
    """End a step of a locked build, and say so."""
    check_transition("step", step.state, StepState.FINISHED)
    step.state = StepState.FINISHED
    step.results = results
    step.finished_at = at
    step.save()
    record_event(build, "stepFinished", step.pk)


def note_heartbeat(build_id: int) -> Build:
    """Note that the build's writer lives; one that was given up comes back.

    A finished build stays as it is, unless logs of it are still being sent.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        keep_alive(build, timedelta(0))
    return build
