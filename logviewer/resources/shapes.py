"""The nouns as JSON, exactly as http-api.md's "Shapes" has them.

Addresses are path-absolute (`/projects/demo/`): they hold behind any proxy and under any host name. Times are
RFC 3339 in UTC with milliseconds and `Z`. What an open log's `size`, `lines`, `received`, `omitted` and `state` are is
the chunk store's to say, not the database's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict  # pydantic reads these for the OpenAPI document; before 3.12 it needs this one

from logviewer.chunkstore import ChunkStoreError, LogEnd, NoSuchLog
from logviewer.live.store import chunk_store
from logviewer.models import AuditEntry, Build, Builder, Completeness, LogFile, LogState, Project, Step
from logviewer.resources.annotations import FirstError as FirstError
from logviewer.resources.annotations import first_error as first_error

logger = logging.getLogger(__name__)

API_PATH = "/api/v1"
EMPTY = LogEnd(size=0, lines=0, received=0, finished=False, omitted=0, last_time_us=None)


class ProjectShape(TypedDict):
    """A project."""

    slug: str
    name: str
    visibility: str
    url: str


class BuilderShape(TypedDict):
    """A builder; `project` is the project's slug."""

    slug: str
    project: str
    url: str


class AuditShape(TypedDict):
    """What somebody did. `project` is a slug, null where it concerned none; what is named may be gone."""

    id: int
    at: str
    act: str
    actor: str
    target: str
    project: str | None
    build_number: int | None
    log_id: int | None
    reason: str
    details: dict[str, Any]


class LogLinks(TypedDict):
    """Where a log's contents are."""

    raw: str
    chunks: str
    lines: str
    search: str
    marks: str
    watch: str


class LogShape(TypedDict):
    """A log; `completeness` is null while it may still grow.

    `errors` and `warnings` count its lines that were recognised as some so far, a moment behind what is stored.
    """

    id: int
    name: str
    slug: str
    type: str
    state: str
    size: int
    lines: int
    received: int
    omitted: int
    errors: int
    warnings: int
    sha256: str | None
    text_sha256: str | None
    completeness: str | None
    sealed: bool
    started_at: str
    finished_at: str | None
    url: str
    links: LogLinks


class StepShape(TypedDict):
    """A step and its logs."""

    id: int
    number: int
    name: str
    slug: str
    state: str
    results: str | None
    started_at: str
    finished_at: str | None
    url: str
    logs: list[LogShape]


class BuildHeadShape(TypedDict):
    """A build without its steps, as lists have it; `project` and `builder` are slugs."""

    id: int
    number: int
    project: str
    builder: str
    external_id: str | None
    title: str
    branch: str
    revision: str
    reason: str
    origin_url: str
    properties: dict[str, Any]
    state: str
    results: str | None
    started_at: str
    finished_at: str | None
    pinned: bool
    url: str


class BuildShape(BuildHeadShape):
    """A build, its steps and their logs."""

    steps: list[StepShape]


def project_shape(project: Project) -> ProjectShape:
    """Give a project as JSON."""
    return ProjectShape(
        slug=project.slug, name=project.name, visibility=project.visibility, url=project.get_absolute_url()
    )


def builder_shape(builder: Builder) -> BuilderShape:
    """Give a builder as JSON."""
    return BuilderShape(slug=builder.slug, project=builder.project.slug, url=builder.get_absolute_url())


def build_head_shape(build: Build) -> BuildHeadShape:
    """Give a build as JSON, without its steps; builder and project had better be fetched with it."""
    return BuildHeadShape(
        id=build.pk,
        number=build.number,
        project=build.builder.project.slug,
        builder=build.builder.slug,
        external_id=build.external_id,
        title=build.title,
        branch=build.branch,
        revision=build.revision,
        reason=build.reason,
        origin_url=build.origin_url,
        properties=build.properties,
        state=build.state,
        results=build.results,
        started_at=rfc3339(build.started_at),
        finished_at=time_or_none(build.finished_at),
        pinned=build.pinned,
        url=build.get_absolute_url(),
    )


def steps_of(build: Build) -> list[Step]:
    """Fetch a build's steps with their logs, in two queries."""
    return list(build.steps.prefetch_related("logs"))


def build_shape(build: Build, steps: Sequence[Step] | None = None) -> BuildShape:
    """Give a build as JSON; its steps and logs are read afresh unless they are given (`steps_of`).

    With them, and builder and project fetched with the build, it asks the database nothing, but the chunk store for
    each open log: thousands of steps had better not keep the one thread waiting that has the database.
    """
    steps = steps_of(build) if steps is None else steps
    return BuildShape(**build_head_shape(build), steps=[step_shape(step) for step in steps])


def step_shape(step: Step) -> StepShape:
    """Give a step with its logs as JSON."""
    return StepShape(
        id=step.pk,
        number=step.number,
        name=step.name,
        slug=step.slug,
        state=step.state,
        results=step.results,
        started_at=rfc3339(step.started_at),
        finished_at=time_or_none(step.finished_at),
        url=step.get_absolute_url(),
        logs=[log_shape(log, log_end(log)) for log in step.logs.all()],
    )


def log_end(log: LogFile) -> LogEnd | None:
    """Where the chunk store says that an open log stands; None for a log whose last word is in the database.

    A log without a file is empty. Where the index cannot be read the database's figures have to do: a damaged log must
    not hide the build that it belongs to.
    """
    if log.is_finished:
        return None
    try:
        with chunk_store().reader(log.key) as reader:
            return reader.end()
    except NoSuchLog:
        return EMPTY
    except ChunkStoreError:
        logger.exception("log %s: its index cannot be read, its figures come from the database", log.pk)
        return None


def log_shape(log: LogFile, end: LogEnd | None) -> LogShape:
    """Give a log as JSON; `end` is what `log_end` says, or a fresher one."""
    shape = LogShape(
        id=log.pk,
        name=log.name,
        slug=log.slug,
        type=log.type,
        state=log.state,
        size=log.size,
        lines=log.lines,
        received=log.received,
        omitted=log.omitted,
        errors=log.errors,
        warnings=log.warnings,
        sha256=log.sha256,
        text_sha256=log.text_sha256,
        completeness=log.completeness,
        sealed=log.sealed,
        started_at=rfc3339(log.started_at),
        finished_at=time_or_none(log.finished_at),
        url=log.get_absolute_url(),
        links=log_links(log.pk),
    )
    if end is not None:
        shape |= {"size": end.size, "lines": end.lines, "received": end.received, "omitted": end.omitted}
        if end.finished and not log.is_finished:
            _close(shape, end)
    return shape


def audit_shape(entry: AuditEntry) -> AuditShape:
    """An entry of the audit log."""
    return AuditShape(
        id=entry.pk,
        at=rfc3339(entry.at),
        act=entry.act,
        actor=entry.actor,
        target=entry.target,
        project=entry.project_slug or None,
        build_number=entry.build_number,
        log_id=entry.log_id,
        reason=entry.reason,
        details=entry.details,
    )


def _close(shape: LogShape, end: LogEnd) -> None:
    """Show as finished a log whose end is written, but of which the database has not heard (storage.md: it follows)."""
    completeness = Completeness.OMITTED if end.omitted else Completeness.UNVERIFIED
    shape["state"] = LogState.FINISHED.value
    shape["completeness"] = completeness.value
    if end.last_time_us is not None:
        shape["finished_at"] = rfc3339(datetime.fromtimestamp(end.last_time_us / 1_000_000, UTC))


def log_links(log_id: int) -> LogLinks:
    """Where the contents of a log are to be had."""
    here = f"{API_PATH}/logs/{log_id}"
    return LogLinks(
        raw=f"{here}/raw",
        chunks=f"{here}/chunks",
        lines=f"{here}/lines",
        search=f"{here}/search",
        marks=f"{here}/marks",
        watch=f"/ws/logs/{log_id}/",
    )


def rfc3339(time: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, such as 2026-11-20T11:02:03.004Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_or_none(time: datetime | None) -> str | None:
    """As `rfc3339`, of a time that may not have come."""
    return None if time is None else rfc3339(time)
