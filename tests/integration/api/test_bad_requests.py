"""What holds for every address below /api/: errors are problem documents, whatever is wrong."""

from __future__ import annotations

from typing import NoReturn

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.test import AsyncClient, override_settings

from logviewer.api import builds
from tests.factories import make_build, make_log, make_step, make_token
from tests.integration.api.client import ApiClient, stored

MALFORMED: dict[str, bytes] = {
    "cut off": b'{"project": "demo", "builder"',
    "not JSON": b"project=demo&builder=linux",
    "two values": b'{"project": "demo", "builder": "linux"} {}',
    "not UTF-8": b'{"project": "demo", "builder": "linux", "title": "\xff"}',
    "UTF-16": '{"project": "demo", "builder": "linux"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"project": "demo", "builder": "linux"}',
    "NaN": b'{"project": "demo", "builder": "linux", "properties": {"a": NaN}}',
    "a member named twice": b'{"project": "demo", "builder": "linux", "builder": "x"}',
    "a raw newline in a string": b'{"project": "demo", "builder": "linux", "title": "a\nb"}',
    "nested without end": b'{"project":' + b"[" * 100_000,
    "a number of 5000 digits": b'{"project": "demo", "builder": "linux", "number": ' + b"9" * 5000 + b"}",
    "a list": b'[{"project": "demo", "builder": "linux"}]',
    "a string": b'"demo"',
    "null": b"null",
    "empty": b"",
    "one NUL": b"\0",
}


@pytest.mark.bad_input("malformed JSON")
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_body_that_is_not_a_json_object_is_refused_and_nothing_is_stored(api: ApiClient, kind: str) -> None:
    answer = api.with_token(make_token()).post("/builds", raw=MALFORMED[kind])
    assert answer.problem() == (400, "invalid")
    assert answer.errors == ["body"]
    assert not any(stored().values())


@pytest.mark.bad_input("malformed JSON")
@pytest.mark.parametrize("kind", ["cut off", "a list", "null", "NaN"])
def test_that_holds_for_every_call_that_takes_a_body(api: ApiClient, kind: str) -> None:
    log = make_log()
    writer = api.with_token(make_token())
    build, step = log.step.build_id, log.step_id
    before = stored()
    for method, path in [
        ("PATCH", f"/builds/{build}"),
        ("POST", f"/builds/{build}/finish"),
        ("POST", f"/builds/{build}/heartbeat"),
        ("POST", f"/builds/{build}/steps"),
        ("POST", f"/steps/{step}/finish"),
        ("POST", f"/steps/{step}/logs"),
        ("POST", f"/logs/{log.pk}/finish"),
        ("POST", f"/logs/{log.pk}/redact"),
    ]:
        answer = writer.send(method, path, raw=MALFORMED[kind])
        assert (answer.problem(), answer.errors) == ((400, "invalid"), ["body"]), path
    assert stored() == before


@pytest.mark.bad_input("a JSON body over Django's limit")
def test_a_body_beyond_djangos_limit_is_too_large(api: ApiClient) -> None:
    body = b'{"title": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    assert api.with_token(make_token()).post("/builds", raw=body).problem() == (413, "too-large")
    assert not any(stored().values())


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/builds", "/api/v1/builds/", "/api/v1/builds/1/nothing"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_address_without_anything_is_not_found(api: ApiClient, path: str, method: str) -> None:
    assert api.send(method, path).problem() == (404, "not-found")


@override_settings(DEBUG=True)
def test_that_holds_while_debugging_too(api: ApiClient) -> None:
    assert api.get("/nothing").problem() == (404, "not-found")


@pytest.mark.bad_input("a method that an address does not take")
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/builds", {"GET", "POST"}),
        ("PUT", "/builds/1", {"GET", "PATCH", "DELETE"}),
        ("GET", "/builds/1/finish", {"POST"}),
        ("POST", "/projects", {"GET"}),
        ("OPTIONS", "/logs/1", {"GET", "DELETE"}),
        ("BREW", "/logs/1/finish", {"POST"}),
    ],
)
def test_a_method_that_an_address_does_not_take_is_refused(
    api: ApiClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = api.send(method, path)
    assert answer.problem() == (405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_is_get_without_the_body(api: ApiClient) -> None:
    build = make_build()
    got, head = api.client.get(f"/api/v1/builds/{build.pk}"), api.client.head(f"/api/v1/builds/{build.pk}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(got.content)
    missing = api.client.head("/api/v1/builds/999")
    assert (missing.status_code, missing.content) == (404, b"")


@pytest.mark.bad_input("a host that is not allowed")
def test_a_host_that_is_not_ours_is_a_problem_as_well(api: ApiClient) -> None:
    assert api.send("GET", "/projects", HTTP_HOST="evil.example").problem() == (400, "invalid")


def test_a_fault_of_the_server_shows_nothing_of_itself(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(build: object) -> NoReturn:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(builds, "build_shape", fail)
    answer = api.get(f"/builds/{make_build().pk}")
    assert answer.problem() == (500, "internal")
    assert "secret" not in answer.response.content.decode()
    assert "the secret reason" in caplog.text


def test_a_write_that_fails_at_its_end_has_stored_nothing(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    step = make_step()
    before = stored()

    def fail(*arguments: object) -> NoReturn:
        raise RuntimeError

    monkeypatch.setattr("logviewer.intake.logs.record_event", fail)
    answer = api.with_token(make_token()).post(f"/steps/{step.pk}/logs", {"name": "stdio"})
    assert answer.problem() == (500, "internal")
    assert stored() == before


def test_every_problem_forbids_guessing_its_type_and_keeping_it(api: ApiClient) -> None:
    for answer in (api.get("/nothing"), api.get("/builds/999"), api.send("GET", "/projects", HTTP_AUTHORIZATION="x")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert api.get("/builds/999").headers["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
async def test_all_of_it_holds_under_asgi() -> None:
    client = AsyncClient()
    missing = await client.get("/api/v1/nothing")
    refused = await client.get("/api/v1/projects", headers={"Authorization": "Bearer wrong"})
    listed = await client.get("/api/v1/projects")
    assert [answer.status_code for answer in (missing, refused, listed)] == [404, 401, 200]
    assert missing["Content-Type"] == refused["Content-Type"] == "application/problem+json"
    await sync_to_async(connections.close_all)()  # those of the thread that the views ran in
