"""The build page: the steps, and the log of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.live.viewings import note_viewing
from logviewer.models import Build, BuildState, LogFile, LogState, Step
from logviewer.pages import visible
from logviewer.pages.builder import SHORT_REVISION_CHARACTERS
from logviewer.pages.choice import choose_log, choose_step, first_failed, opening_of, steps_listed
from logviewer.pages.modules import scripts_of
from logviewer.pages.moments import Age, Elapsed, build_elapsed, duration_text, step_elapsed
from logviewer.pages.mount import mount_of
from logviewer.pages.page import page
from logviewer.pages.status import is_bad, status_word
from logviewer.pages.timeline import timeline_of
from logviewer.pages.usual import usual_seconds_before
from logviewer.resources.annotations import first_error, first_error_line

LINKED_SCHEMES = ("https://", "http://")
MAX_PROPERTIES = 40  # and so long each: there may be 64 KiB of them, and a page is to be small
MAX_PROPERTY_CHARACTERS = 200


@dataclass(frozen=True)
class StepRow:
    """One step of the list."""

    step: Step
    status: str
    elapsed: Elapsed
    is_chosen: bool


@dataclass(frozen=True)
class StepRange:
    """A part of the steps that is not listed, from one number to another; `address` lists it."""

    first: int
    last: int

    @property
    def address(self) -> str:
        """Chooses the first of them."""
        return f"?step={self.first}"


@dataclass(frozen=True)
class StepList:
    """Those of a build's steps that the page lists: all, or the part around the chosen one."""

    rows: Sequence[StepRow]
    before: StepRange | None
    after: StepRange | None
    total: int


@dataclass(frozen=True)
class LogTab:
    """One log of the chosen step."""

    log: LogFile
    address: str
    is_chosen: bool


def _step_row(build: Build, step: Step, chosen: Step | None, now: datetime) -> StepRow:
    return StepRow(step, status_word(step), step_elapsed(step, build, now), step == chosen)


def _step_list(build: Build, steps: Sequence[Step], chosen: Step | None, now: datetime) -> StepList:
    listed = steps_listed(len(steps), steps.index(chosen) if chosen else None)
    before, after = listed.start - 1, listed.stop
    return StepList(
        rows=[_step_row(build, steps[place], chosen, now) for place in listed],
        before=_range(steps, before) if listed.start else None,
        after=_range(steps, after) if after < len(steps) else None,
        total=len(steps),
    )


def _range(steps: Sequence[Step], place: int) -> StepRange:
    part = steps_listed(len(steps), place)
    return StepRange(steps[part.start].number, steps[part.stop - 1].number)


def _log_tabs(step: Step | None, logs: Sequence[LogFile], chosen: LogFile | None) -> list[LogTab]:
    if step is None:
        return []
    return [LogTab(log, f"?step={step.number}&log={log.slug}", log == chosen) for log in logs]


def _neighbour(build: Build, *, newer: bool) -> Build | None:
    others = Build.objects.filter(builder=build.builder).select_related("builder__project")
    if newer:
        return others.filter(number__gt=build.number).order_by("number").first()
    return others.filter(number__lt=build.number).order_by("-number").first()


def _properties(build: Build) -> list[tuple[str, str]]:
    """The first properties as texts, the long ones cut."""
    return [(_cut(name), _cut(str(value))) for name, value in islice(build.properties.items(), MAX_PROPERTIES)]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_PROPERTY_CHARACTERS else f"{text[:MAX_PROPERTY_CHARACTERS]}…"


def _late_logs(build: Build) -> int:
    """How many logs of a build that is over are still being written."""
    if build.state != BuildState.FINISHED:
        return 0
    return LogFile.objects.filter(step__build=build, state=LogState.OPEN).count()


@page
def build(request: HttpRequest, project: str, builder: str, number: int) -> HttpResponse:
    """Show the build; `?step=N` and `?log=SLUG` choose what of it."""
    now = timezone.now()
    found = visible.build_or_404(request, project, builder, number)
    note_viewing(found)
    steps = list(found.steps.all())
    step = choose_step(steps, request.GET.get("step"))
    logs = list(step.logs.all()) if step else []
    log = choose_log(step, logs, request.GET.get("log"))
    usual = usual_seconds_before(found.builder, found.number)
    failed = first_failed(steps)
    properties = _properties(found)
    context = {
        "project": found.builder.project,
        "builder": found.builder,
        "build": found,
        "status": status_word(found),
        "elapsed": build_elapsed(found, now),
        "silent_after": settings.ABANDON_AFTER_SECONDS,
        "age": Age(found.started_at, now),
        "usual": duration_text(usual) if usual is not None else None,
        "usual_seconds": usual,
        "revision": found.revision[:SHORT_REVISION_CHARACTERS],
        "origin": found.origin_url if found.origin_url.startswith(LINKED_SCHEMES) else "",
        "properties": properties,
        "are_cut": properties != [(name, str(value)) for name, value in found.properties.items()],
        "late_logs": _late_logs(found),
        "failed": failed,
        "failed_others": sum(map(is_bad, steps)) - 1 if failed else 0,
        "steps": _step_list(found, steps, step, now),
        "timeline": timeline_of(found, steps, usual, now),
        "step": _step_row(found, step, step, now) if step else None,
        "tabs": _log_tabs(step, logs, log),
        "mount": mount_of(log, opening_of(step, log, first_error_line(log))) if step and log else None,
        "scripts": scripts_of("early.js", "build.js"),
        "error": first_error(found) if is_bad(found) else None,
        "older": _neighbour(found, newer=False),
        "newer": _neighbour(found, newer=True),
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/build.html", context)
