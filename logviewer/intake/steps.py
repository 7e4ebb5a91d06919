"""Steps: created and finished."""

from __future__ import annotations

from typing import NamedTuple

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from logviewer.intake.builds import end_step
from logviewer.intake.changes import (
    keep_alive,
    lock_build,
    note_life,
    record_event,
    refuse_finished,
)
from logviewer.intake.errors import NumberTaken, ResultsDiffer
from logviewer.intake.slugs import unique_slug
from logviewer.models import Build, Results, Step, StepState


class Created(NamedTuple):
    """The step, and whether it is new."""

    step: Step
    is_new: bool


def create_step(build_id: int, name: str, number: int | None = None) -> Created:
    """Create a step, with the next number where none is given; the step that has that number and name already is it.

    Raises:
        NumberTaken: the number belongs to a step of another name.
        AlreadyFinished: the build takes no more steps.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        if number is not None:
            known = build.steps.filter(number=number).first()
            if known is not None:
                if known.name != name:
                    raise NumberTaken("step", number)
                keep_alive(build)
                return Created(known, is_new=False)
        refuse_finished(build)
        step = Step(
            build=build,
            number=_next_number(build) if number is None else number,
            name=name,
            slug=unique_slug(name, set(build.steps.values_list("slug", flat=True)), otherwise="step"),
        )
        step.save(force_insert=True)
        note_life(build)
        record_event(build, "stepStarted", step.pk)
    return Created(step, is_new=True)


def _next_number(build: Build) -> int:
    greatest: int | None = build.steps.aggregate(greatest=Max("number"))["greatest"]
    return 1 if greatest is None else greatest + 1


def finish_step(step_id: int, results: Results) -> Step:
    """Finish a step. Its logs stay as they are. Finishing again with the same results changes nothing.

    A step that ended only because its build did has the build's results for want of better ones: what its own writer
    says later, as an agent that was cut off does, takes their place.

    Raises:
        ResultsDiffer: it is finished already, with other results.
    """
    with transaction.atomic():
        build = lock_build(Step.objects.values_list("build_id", flat=True).get(pk=step_id))
        step = build.steps.get(pk=step_id)
        if step.state != StepState.FINISHED:
            note_life(build)
            end_step(build, step, results, timezone.now())
        elif step.results != results:
            if not _ended_with_build(step, build):
                raise ResultsDiffer("step", step.results, results)
            end_step(build, step, results, timezone.now())
        else:
            keep_alive(build)
    return step


def _ended_with_build(step: Step, build: Build) -> bool:
    """Whether the step was ended by the build's end: at the very same microsecond."""
    return build.finished_at is not None and step.finished_at == build.finished_at
