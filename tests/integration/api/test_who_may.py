"""Who may do what: tokens right and wrong, projects public and private, sessions and CSRF."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from logviewer.models import Token
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token
from tests.integration.api.client import ApiClient, stored

OLD = timezone.now() - timedelta(days=1)


def an_expired_token() -> str:
    return f"Bearer {make_token(expires_at=OLD)}"


def a_revoked_token() -> str:
    text = make_token()
    Token.objects.update(revoked_at=OLD)
    return f"Bearer {text}"


WRONG_TOKENS: dict[str, Callable[[], str]] = {
    "unknown": lambda: "Bearer bl_nobody-knows-this-one",
    "expired": an_expired_token,
    "revoked": a_revoked_token,
    "one of its characters changed": lambda: f"Bearer {make_token()[:-1]}~",
    "without a token": lambda: "Bearer",
    "empty": lambda: "",
    "two words": lambda: f"Bearer {make_token()} again",
    "of another scheme": lambda: "Basic YW5uOnNlY3JldA==",
    "without a scheme": make_token,
    "not ASCII": lambda: "Bearer ü€",
    "with a control character": lambda: "Bearer a\x01b",
}
PLACES: list[tuple[str, str, bytes]] = [
    ("GET", "/projects", b""),
    ("GET", "/builds?limit=nonsense", b""),
    ("GET", "/builds/999", b""),
    ("POST", "/builds", b"{"),
    ("POST", "/builds/999/finish", b"{}"),
    ("DELETE", "/builds", b""),
    ("GET", "/nothing/here", b""),
]


@pytest.mark.bad_input("a wrong token")
@pytest.mark.bad_input("an expired token")
@pytest.mark.parametrize("kind", WRONG_TOKENS)
@pytest.mark.parametrize(("method", "path", "body"), PLACES, ids=lambda value: str(value)[:30])
def test_a_wrong_token_is_refused_before_anything_else_is_looked_at(
    api: ApiClient, kind: str, method: str, path: str, body: bytes
) -> None:
    make_project("demo")
    authorization = WRONG_TOKENS[kind]()
    before = stored()
    answer = api.send(method, path, raw=body, HTTP_AUTHORIZATION=authorization)
    assert answer.problem() == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert authorization.removeprefix("Bearer ") not in answer.json["detail"] or not authorization.split()[1:]
    assert stored() == before


def test_the_scheme_may_be_written_as_one_likes(api: ApiClient) -> None:
    assert api.send("GET", "/projects", HTTP_AUTHORIZATION=f"bearer  {make_token()}").status == 200


def test_the_use_of_a_token_is_noted_but_not_at_every_request(api: ApiClient) -> None:
    reader = api.with_token(make_token())
    reader.get("/projects")
    first = Token.objects.get().last_used_at
    reader.get("/projects")
    assert Token.objects.get().last_used_at == first is not None
    Token.objects.update(last_used_at=OLD)
    reader.get("/projects")
    used = Token.objects.get().last_used_at
    assert used is not None
    assert used > OLD


# (project, token) -> what reading and what writing comes to; "own" is a token of the project, "all" one for all.
RIGHTS: dict[tuple[str, str], tuple[int, int]] = {
    ("public", "none"): (200, 401),
    ("public", "own read"): (200, 403),
    ("public", "own write"): (200, 200),
    ("public", "all read"): (200, 403),
    ("public", "all write"): (200, 200),
    ("public", "other write,read"): (200, 403),
    ("private", "none"): (404, 401),
    ("private", "own read"): (200, 403),
    ("private", "own write"): (403, 200),
    ("private", "own admin"): (403, 403),
    ("private", "own write,read"): (200, 200),
    ("private", "all read"): (200, 403),
    ("private", "all write"): (403, 200),
    ("private", "all write,read"): (200, 200),
    ("private", "other write,read"): (404, 404),
    ("private", "other read"): (404, 404),
}


@pytest.mark.bad_input("a token for another project")
@pytest.mark.parametrize(("visibility", "who"), RIGHTS)
def test_each_kind_of_token_may_what_it_may_and_no_more(api: ApiClient, visibility: str, who: str) -> None:
    project = make_project("demo", public=visibility == "public")
    step = make_step(build=make_build(builder=make_builder(project=project)))
    log = make_log(step=step)
    if who != "none":
        whose, _, scopes = who.partition(" ")
        limited_to = {"own": project, "all": None, "other": make_project("other")}[whose]
        api = api.with_token(make_token(project=limited_to, scopes=scopes.split(",")))
    may_read, may_write = RIGHTS[visibility, who]
    reads = ["/projects/demo", "/projects/demo/builders", f"/builds/{step.build_id}", f"/logs/{log.pk}"]
    assert {api.get(path).status for path in reads} == {may_read}
    before = stored()
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", f"/builds/{step.build_id}", {}),
        ("POST", f"/builds/{step.build_id}/heartbeat", {}),
        ("POST", f"/builds/{step.build_id}/steps", {"name": step.name, "number": step.number}),
        ("POST", f"/steps/{step.pk}/logs", {"name": log.name}),
        ("POST", f"/logs/{log.pk}/finish", {}),
        ("POST", f"/steps/{step.pk}/finish", {"results": "success"}),
        ("POST", f"/builds/{step.build_id}/finish", {"results": "success"}),
    ]
    assert {api.send(method, path, body).status for method, path, body in writes} == {may_write}
    if may_write != 200:
        assert stored() == before


def test_what_may_not_be_seen_cannot_be_told_from_what_is_not_there(api: ApiClient) -> None:
    build = make_build(builder=make_builder(project=make_project("hidden", public=False)))
    api = api.with_token(make_token(project=make_project("other")))
    assert api.get(f"/builds/{build.pk}").json == api.get("/builds/999").json
    assert api.post(f"/builds/{build.pk}/heartbeat").json == api.post("/builds/999/heartbeat").json


@pytest.fixture
def staff(api: ApiClient) -> ApiClient:
    """A client with the session of a member of staff, and CSRF checks as in life."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ann", is_staff=True))
    return ApiClient(client=client)


def test_staff_may_read_private_projects(staff: ApiClient) -> None:
    make_project("hidden", public=False)
    assert staff.get("/projects/hidden").status == 200
    assert [project["slug"] for project in staff.get("/projects").json["items"]] == ["hidden"]


def test_a_session_that_writes_without_the_csrf_token_is_refused_and_nothing_is_stored(staff: ApiClient) -> None:
    answer = staff.post("/builds", {"project": "demo", "builder": "linux"})
    assert answer.problem() == (403, "forbidden")
    assert "CSRF" in answer.json["detail"]
    assert not any(stored().values())


def test_staff_may_write_with_the_csrf_token(staff: ApiClient) -> None:
    token = "a" * 32
    staff.client.cookies["csrftoken"] = token
    answer = staff.post("/builds", {"project": "demo", "builder": "linux"}, HTTP_X_CSRFTOKEN=token)
    assert answer.status == 201


def test_a_bearer_token_needs_no_csrf_token_and_goes_before_the_session(staff: ApiClient) -> None:
    body = {"project": "demo", "builder": "linux"}
    assert staff.with_token(make_token()).post("/builds", body).status == 201
    assert staff.with_token(make_token(scopes=["read"])).post("/builds", body).problem() == (403, "forbidden")


def test_a_user_who_is_not_of_the_staff_reads_what_is_public_and_writes_nothing(api: ApiClient) -> None:
    api.client.force_login(User.objects.create_user("bob"))
    public = make_build()
    private = make_build(builder=make_builder(project=make_project("hidden", public=False)))
    before = stored()
    assert api.get(f"/builds/{public.pk}").status == 200
    assert api.get(f"/builds/{private.pk}").problem() == (404, "not-found")
    assert api.patch(f"/builds/{public.pk}", {"title": "x"}).problem() == (403, "forbidden")
    assert api.patch(f"/builds/{private.pk}", {"title": "x"}).problem() == (404, "not-found")
    assert api.post("/builds", {"project": "demo", "builder": "linux"}).problem() == (403, "forbidden")
    assert stored() == before


def test_staff_that_was_locked_out_is_nobody(staff: ApiClient) -> None:
    make_project("hidden", public=False)
    User.objects.update(is_active=False)
    assert staff.get("/projects/hidden").problem() == (404, "not-found")
