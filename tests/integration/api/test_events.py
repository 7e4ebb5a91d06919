"""Each thing that happens to a build raises its version by one, and is announced once it is stored."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.models import Build
from tests.factories import make_token
from tests.integration.api.client import ApiClient

Event = tuple[int, int, str, int]


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What was announced, in order: (build, version, event, subject)."""
    events: list[Event] = []
    monkeypatch.setattr("logviewer.live.announce.build_changed", lambda *event: events.append(event))
    return events


@pytest.mark.django_db(transaction=True)
def test_versions_follow_each_other_without_a_hole(announced: list[Event]) -> None:
    writer = ApiClient(make_token())
    build = writer.post("/builds", {"project": "demo", "builder": "linux", "external_id": "1"}).json["id"]
    step = writer.post(f"/builds/{build}/steps", {"name": "compile", "number": 1}).json["id"]
    log = writer.post(f"/steps/{step}/logs", {"name": "stdio"}).json["id"]
    writer.post(f"/logs/{log}/finish", {})
    writer.post(f"/steps/{step}/finish", {"results": "success"})
    second = writer.post(f"/builds/{build}/steps", {"name": "test"}).json["id"]
    writer.post(f"/builds/{build}/finish", {"results": "failure"})
    assert announced == [
        (build, 1, "buildStarted", build),
        (build, 2, "stepStarted", step),
        (build, 3, "logStarted", log),
        (build, 4, "logFinished", log),
        (build, 5, "stepFinished", step),
        (build, 6, "stepStarted", second),
        (build, 7, "stepFinished", second),
        (build, 8, "buildFinished", build),
    ]
    assert Build.objects.get(pk=build).version == 8


@pytest.mark.django_db(transaction=True)
def test_what_changes_nothing_is_not_announced(announced: list[Event]) -> None:
    writer = ApiClient(make_token())
    body = {"project": "demo", "builder": "linux", "external_id": "1"}
    build = writer.post("/builds", body).json["id"]
    step = writer.post(f"/builds/{build}/steps", {"name": "compile", "number": 1}).json["id"]
    log = writer.post(f"/steps/{step}/logs", {"name": "stdio"}).json["id"]
    for call, repeated in (
        (f"/logs/{log}/finish", {}),
        (f"/steps/{step}/finish", {"results": "success"}),
        (f"/builds/{build}/finish", {"results": "success"}),
    ):
        writer.post(call, repeated)
    announced.clear()
    again: list[tuple[str, dict[str, Any]]] = [
        ("/builds", body),
        (f"/builds/{build}/steps", {"name": "compile", "number": 1}),
        (f"/steps/{step}/logs", {"name": "stdio"}),
        (f"/logs/{log}/finish", {}),
        (f"/steps/{step}/finish", {"results": "success"}),
        (f"/builds/{build}/finish", {"results": "success"}),
        (f"/builds/{build}/heartbeat", {}),
    ]
    assert [writer.post(path, sent).status for path, sent in again] == [200] * len(again)
    assert announced == []


@pytest.mark.django_db(transaction=True)
def test_an_announcement_that_fails_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*event: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("logviewer.live.announce.build_changed", fail)
    assert ApiClient(make_token()).post("/builds", {"project": "demo", "builder": "linux"}).status == 201
