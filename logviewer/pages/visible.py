"""From an address to the noun, among those that the request's caller may see."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from logviewer.models import Build, Builder, LogFile, Project
from logviewer.resources.access import identify, visible_projects

MAX_NUMBER = 2**63 - 1  # a greater one is no build's, and SQLite refuses to be asked for it


def projects(request: HttpRequest) -> QuerySet[Project]:
    """The projects that the caller may see."""
    return visible_projects(identify(request.headers.get("Authorization"), request.user))


def project_or_404(request: HttpRequest, project: str) -> Project:
    """The project of that slug; to whoever may not see it, it is not there."""
    _check_text(project)
    return get_object_or_404(projects(request), slug=project)


def builder_or_404(request: HttpRequest, project: str, builder: str) -> Builder:
    """The builder, its project with it."""
    _check_text(project, builder)
    return get_object_or_404(
        Builder.objects.select_related("project"), project__in=projects(request), project__slug=project, slug=builder
    )


def build_or_404(request: HttpRequest, project: str, builder: str, number: int) -> Build:
    """The build, its builder and project with it."""
    _check_text(project, builder)
    if number > MAX_NUMBER:
        raise Http404("no such build")
    return get_object_or_404(
        Build.objects.select_related("builder__project"),
        builder__project__in=projects(request),
        builder__project__slug=project,
        builder__slug=builder,
        number=number,
    )


def log_or_404(build: Build, step: str, log: str) -> LogFile:
    """The log with all that is above it."""
    _check_text(step, log)
    return get_object_or_404(
        LogFile.objects.select_related("step__build__builder__project"), step__build=build, step__slug=step, slug=log
    )


def _check_text(*slugs: str) -> None:
    if any("\0" in slug for slug in slugs):  # PostgreSQL refuses to be asked for it
        raise Http404("no such page")
