"""POST /steps/{id}/logs."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from logviewer.chunkstore import StorageFull
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from tests.factories import make_build, make_log, make_step, make_token
from tests.integration.api.client import ApiClient, stored


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


def test_a_log_has_exactly_the_members_of_the_contract(writer: ApiClient) -> None:
    step = make_step()
    answer = writer.post(f"/steps/{step.pk}/logs", {"name": "stdio"})
    assert answer.status == 201
    assert list(answer.json) == [
        *("id", "name", "slug", "type", "state", "size", "lines", "received", "omitted"),
        *("errors", "warnings", "sha256", "text_sha256"),
        *("completeness", "sealed", "started_at", "finished_at", "url", "links"),
    ]
    expected = {"type": "stdio", "state": "open", "size": 0, "lines": 0, "received": 0, "completeness": None}
    assert answer.json | expected == answer.json


def test_the_links_of_a_log_are_path_absolute_and_name_its_id(writer: ApiClient) -> None:
    log = writer.post(f"/steps/{make_step().pk}/logs", {"name": "stdio"}).json
    assert log["links"] == {
        "raw": f"/api/v1/logs/{log['id']}/raw",
        "chunks": f"/api/v1/logs/{log['id']}/chunks",
        "lines": f"/api/v1/logs/{log['id']}/lines",
        "search": f"/api/v1/logs/{log['id']}/search",
        "marks": f"/api/v1/logs/{log['id']}/marks",
        "watch": f"/ws/logs/{log['id']}/",
    }
    assert log["url"] == LogFile.objects.get(pk=log["id"]).get_absolute_url()


def test_a_log_has_its_files_under_a_readable_key_that_ends_in_its_id(writer: ApiClient) -> None:
    step = make_step(build=make_build(number=42), name="compile", number=3)
    log_id = writer.post(f"/steps/{step.pk}/logs", {"name": "stdio"}).json["id"]
    key = LogFile.objects.get(pk=log_id).key
    assert key == f"demo/linux/42/3-compile/stdio-{log_id}"
    assert (settings.LOGS_DIR / f"{key}.log").read_bytes() == b""


@pytest.mark.parametrize("log_type", ["stdio", "text", "html"])
def test_a_log_is_of_the_type_that_was_asked_for(writer: ApiClient, log_type: str) -> None:
    answer = writer.post(f"/steps/{make_step().pk}/logs", {"name": "report", "type": log_type})
    assert answer.json["type"] == log_type


def test_the_same_name_gives_the_same_log_again(writer: ApiClient) -> None:
    step = make_step()
    first = writer.post(f"/steps/{step.pk}/logs", {"name": "stdio"})
    before = stored()
    again = writer.post(f"/steps/{step.pk}/logs", {"name": "stdio"})
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert stored() == before


def test_slugs_are_unique_in_the_step(writer: ApiClient) -> None:
    step = make_step()
    made = [writer.post(f"/steps/{step.pk}/logs", {"name": name}).json["slug"] for name in ("a b", "A B", "…", "/")]
    assert made == ["a-b", "a-b-2", "log", "log-2"]


def test_a_finished_build_takes_no_more_logs_but_finds_those_it_has(writer: ApiClient) -> None:
    step = make_step(build=make_build(state="finished", results="success"), state="finished", results="success")
    log = make_log(step=step)
    before = stored()
    assert writer.post(f"/steps/{step.pk}/logs", {"name": "late"}).problem() == (409, "finished")
    assert writer.post(f"/steps/{step.pk}/logs", {"name": log.name}).json["id"] == log.pk
    assert stored() == before


def test_a_finished_step_takes_the_logs_that_it_made_as_long_as_its_build_runs(writer: ApiClient) -> None:
    step = make_step(state="finished", results="success")
    late = writer.post(f"/steps/{step.pk}/logs", {"name": "coverage.txt", "type": "text"})
    assert (late.status, late.json["state"]) == (201, "open")
    step.refresh_from_db()
    assert (step.state, step.results) == ("finished", "success")


def test_where_there_is_no_room_for_the_file_there_is_no_log(
    writer: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = make_step()
    before = stored()

    def full(key: str) -> None:
        raise StorageFull(settings.LOGS_DIR, "No space left on device")

    monkeypatch.setattr(chunk_store(), "create", full)
    answer = writer.post(f"/steps/{step.pk}/logs", {"name": "stdio"})
    assert answer.problem() == (507, "storage-full")
    assert answer.headers["Retry-After"].isdecimal()
    assert str(settings.LOGS_DIR) not in answer.json["detail"]
    assert stored() == before


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": ["stdio"]}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"name": "x", "type": "pdf"}, "type"),
        ({"name": "x", "type": None}, "type"),
        ({"name": "x", "type": 1}, "type"),
        ({"name": "x", "state": "finished"}, "state"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_value_is_refused_and_nothing_is_stored(writer: ApiClient, body: dict[str, Any], field: str) -> None:
    step = make_step()
    before = stored()
    answer = writer.post(f"/steps/{step.pk}/logs", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
def test_an_unknown_step_is_not_found(writer: ApiClient) -> None:
    assert writer.post("/steps/999/logs", {"name": "x"}).problem() == (404, "not-found")
