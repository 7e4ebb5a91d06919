"""The build page: the steps, and the log of the chosen one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, BuildState, LogFile, LogState, Step
from logviewer.pages import visible
from logviewer.pages.builder import SHORT_REVISION_CHARACTERS, recent_usual_seconds
from logviewer.pages.choice import choose_log, choose_step
from logviewer.pages.moments import Age, Elapsed, build_elapsed, duration_text, step_elapsed
from logviewer.pages.mount import mount_of
from logviewer.pages.page import page
from logviewer.pages.status import status_word

LINKED_SCHEMES = ("https://", "http://")


@dataclass(frozen=True)
class StepRow:
    """One step of the list."""

    step: Step
    status: str
    elapsed: Elapsed
    is_chosen: bool


@dataclass(frozen=True)
class LogTab:
    """One log of the chosen step."""

    log: LogFile
    address: str
    is_chosen: bool


def _step_rows(build: Build, steps: list[Step], chosen: Step | None, now: datetime) -> list[StepRow]:
    return [StepRow(step, status_word(step), step_elapsed(step, build, now), step == chosen) for step in steps]


def _log_tabs(step: Step | None, logs: list[LogFile], chosen: LogFile | None) -> list[LogTab]:
    if step is None:
        return []
    return [LogTab(log, f"?step={step.number}&log={log.slug}", log == chosen) for log in logs]


def _neighbour(build: Build, *, newer: bool) -> Build | None:
    others = Build.objects.filter(builder=build.builder).select_related("builder__project")
    if newer:
        return others.filter(number__gt=build.number).order_by("number").first()
    return others.filter(number__lt=build.number).order_by("-number").first()


@page
def build(request: HttpRequest, project: str, builder: str, number: int) -> HttpResponse:
    """Show the build; `?step=N` and `?log=SLUG` choose what of it."""
    now = timezone.now()
    found = visible.build_or_404(request, project, builder, number)
    steps = list(found.steps.prefetch_related("logs"))
    step = choose_step(steps, request.GET.get("step"))
    logs = list(step.logs.all()) if step else []
    log = choose_log(logs, request.GET.get("log"))
    usual = recent_usual_seconds(found.builder)
    late = sum(1 for each in steps for one in each.logs.all() if one.state == LogState.OPEN)
    rows = _step_rows(found, steps, step, now)
    context = {
        "project": found.builder.project,
        "builder": found.builder,
        "build": found,
        "status": status_word(found),
        "elapsed": build_elapsed(found, now),
        "age": Age(found.started_at, now),
        "usual": duration_text(usual) if usual is not None else None,
        "revision": found.revision[:SHORT_REVISION_CHARACTERS],
        "origin": found.origin_url if found.origin_url.startswith(LINKED_SCHEMES) else "",
        "late_logs": late if found.state == BuildState.FINISHED else 0,
        "rows": rows,
        "step": next((row for row in rows if row.is_chosen), None),
        "tabs": _log_tabs(step, logs, log),
        "mount": mount_of(log) if log else None,
        "older": _neighbour(found, newer=False),
        "newer": _neighbour(found, newer=True),
    }
    return render(request, "logviewer/build.html", context)
