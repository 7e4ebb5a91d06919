"""One log over the full width of the page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.live.viewings import note_viewing
from logviewer.models import LogType
from logviewer.pages import visible
from logviewer.pages.choice import opening_of
from logviewer.pages.modules import scripts_of
from logviewer.pages.moments import Age, log_elapsed
from logviewer.pages.mount import mount_of
from logviewer.pages.page import page
from logviewer.pages.status import status_word
from logviewer.resources.annotations import first_error_line


@page
def log(request: HttpRequest, project: str, builder: str, number: int, step: str, log: str) -> HttpResponse:
    """Show the log; its lines are addressed as `#L120` and `#L120-L140`.

    One of type `html` is shown as a document in a sandboxed frame (`doors.html_log`), with `?source` as lines.
    """
    now = timezone.now()
    build = visible.build_or_404(request, project, builder, number)
    found = visible.log_or_404(build, step, log)
    note_viewing(build)
    framed = found.type == LogType.HTML and "source" not in request.GET
    context = {
        "project": build.builder.project,
        "builder": build.builder,
        "build": build,
        "step": found.step,
        "status": status_word(found.step),
        "elapsed": log_elapsed(found, now),
        "age": Age(found.started_at, now),
        "log": found,
        "framed": framed,
        "mount": None if framed else mount_of(found, opening_of(found.step, found, first_error_line(found))),
        "scripts": scripts_of("clock.js") if framed else scripts_of("early.js", "log-page.js", "clock.js"),
    }
    return render(request, "logviewer/log.html", context)
