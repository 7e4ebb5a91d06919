"""Makers of nouns for tests, straight into the database: what a test does not care about has a default."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import count
from typing import Any

from logviewer.live.store import chunk_store
from logviewer.models import Build, Builder, Delivery, LogFile, Project, Step, Token, Visibility, Webhook
from logviewer.models.logfile import storage_key

_numbers = count(1)


def make_project(slug: str = "demo", *, public: bool = True, **fields: Any) -> Project:
    """The project of that slug, public unless it is to be private."""
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
    defaults = {"name": slug, "visibility": visibility, **fields}
    project, _ = Project.objects.get_or_create(slug=slug, defaults=defaults)
    return project


def make_builder(slug: str = "linux", *, project: Project | None = None) -> Builder:
    """The builder of that slug in the project."""
    builder, _ = Builder.objects.get_or_create(slug=slug, project=project or make_project())
    return builder


def make_build(*, builder: Builder | None = None, number: int | None = None, **fields: Any) -> Build:
    """A running build with the builder's next number."""
    builder = builder or make_builder()
    number = builder.next_number if number is None else number
    builder.next_number = max(builder.next_number, number + 1)
    builder.save()
    return Build.objects.create(builder=builder, number=number, **fields)


def make_step(*, build: Build | None = None, name: str = "compile", **fields: Any) -> Step:
    """A running step with the build's next number; its slug is its name, which must be fit for one."""
    build = build or make_build()
    fields.setdefault("number", build.steps.count() + 1)
    fields.setdefault("slug", name)
    return Step.objects.create(build=build, name=name, **fields)


def make_log(*, step: Step | None = None, name: str = "stdio", file: bool = True, **fields: Any) -> LogFile:
    """An open log, with its empty file in the chunk store unless `file` is false; its slug is its name."""
    fields.setdefault("slug", name)
    log = LogFile.objects.create(step=step or make_step(), name=name, **fields)
    log.storage_key = storage_key(log)
    log.save()
    if file:
        chunk_store().create(log.key)
    return log


def make_token(
    *,
    project: Project | None = None,
    scopes: Iterable[str] = ("write", "read"),
    expires_at: datetime | None = None,
) -> str:
    """The text of a new token: for all projects unless one is given."""
    _, text = Token.issue(f"token {next(_numbers)}", project=project, scopes=list(scopes), expires_at=expires_at)
    return text


def bearer(token: str) -> dict[str, str]:
    """The header with which the test client sends a token: `client.get(path, **bearer(token))`."""
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def make_webhook(
    url: str = "https://receiver.example/hook",
    *,
    project: Project | None = None,
    events: Iterable[str] = ("buildFinished",),
    **fields: Any,
) -> Webhook:
    """An active webhook of the project."""
    return Webhook.objects.create(project=project or make_project(), url=url, events=list(events), **fields)


def make_delivery(*, webhook: Webhook | None = None, **fields: Any) -> Delivery:
    """A delivery that is due."""
    fields.setdefault("payload", "{}")
    fields.setdefault("event", "buildFinished")
    return Delivery.objects.create(webhook=webhook or make_webhook(), subject_id=1, **fields)
