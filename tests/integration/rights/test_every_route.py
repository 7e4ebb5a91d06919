"""Every address and every socket of the server, asked for by every kind of caller, on a public and a private project.

The addresses come from the URL resolver, the doors' routing and the OpenAPI document: one that is new and has no line
in `routes` fails here, and so does a line whose address has gone.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User

from buildlogs.asgi import application
from logviewer.models import Member, Project
from logviewer.models.token import Token
from tests.factories import (
    make_build,
    make_builder,
    make_delivery,
    make_log,
    make_project,
    make_step,
    make_token,
    make_webhook,
)
from tests.integration.rights.callers import CALLERS, Caller
from tests.integration.rights.routes import (
    CALLS,
    NOT_FOUND,
    SOCKETS,
    STAFF_ONLY,
    Call,
    Kind,
    calls_of_the_api,
    paths_of_django,
    paths_of_doors,
    paths_of_sockets,
)

YES = 200  # and all below 400
WAIT_SECONDS = 10
RIGHT_OF = {Kind.READ: "read", Kind.READ_PAGE: "read", Kind.WRITE: "write", Kind.ADMIN: "admin", Kind.CREATE: "write"}


def test_every_address_has_a_line() -> None:
    listed = {line.partition(" ")[2].partition("?")[0] for line in CALLS}
    there = {path for path in paths_of_django() + paths_of_doors() if not path.startswith(STAFF_ONLY)}
    assert there - NOT_FOUND == listed


def test_every_method_of_the_api_has_a_line() -> None:
    listed = {line.partition("?")[0] for line in CALLS if "/api/v1/" in line}
    assert calls_of_the_api() == listed - {"GET /api/v1/openapi.json", "GET /api/v1/docs"}


def test_every_socket_has_a_line() -> None:
    assert set(paths_of_sockets()) == set(SOCKETS)


def make_world(visibility: str) -> tuple[Project, dict[str, Any]]:
    """A project with one of everything, and what stands for it in addresses."""
    project = make_project("hushed", public=visibility == "public")
    build = make_build(builder=make_builder("linux", project=project), external_id="same", title="a title for members")
    step = make_step(build=build, name="compile")
    log = make_log(step=step, name="stdio")
    member = Member.objects.create(project=project, user=User.objects.create_user("spare"))
    webhook = make_webhook(project=project)
    make_token(project=project)
    names = {
        "project": "hushed",
        "slug": "hushed",
        "builder": "linux",
        "number": build.number,
        "step": step.slug,
        "log": log.slug,
        "build_id": build.pk,
        "step_id": step.pk,
        "log_id": log.pk,
        "member_id": member.pk,
        "token_id": Token.objects.get().pk,
        "html_log_id": make_log(step=step, name="report", type="html").pk,
        "webhook_id": webhook.pk,
        "delivery_id": make_delivery(webhook=webhook).pk,
    }
    return project, names


def expected(call: Call, caller: Caller, visibility: str) -> set[int]:
    """What http-api.md says that this caller is answered."""
    kind, public = call.kind, visibility == "public"
    if kind is Kind.OPEN:
        return {YES}
    if kind is Kind.OWN:
        return {YES} if caller.session else {302}
    if not caller.is_good:
        return {401}
    if kind in (Kind.OPEN_API, Kind.LIST):
        return {YES}
    if kind is Kind.METRICS:
        return {YES} if caller in FOR_ALL else {403} if not caller.session and caller.is_known else {401}
    if kind not in (Kind.READ, Kind.READ_PAGE) and not caller.is_known:
        return {401}
    if kind is Kind.AUDIT:
        return {YES} if caller.staff or caller in ADMINS_OF_SOMETHING else {403}
    if RIGHT_OF[kind] in caller.rights or (public and RIGHT_OF[kind] == "read"):
        return {YES}
    if kind is Kind.READ_PAGE:
        return {404}
    return {403} if public or caller.knows or kind is Kind.CREATE else {404}


ADMINS_OF_SOMETHING = [
    CALLERS[name] for name in ("project admin", "admin of another", "token admin", "token of another", "token for all")
]
FOR_ALL = [CALLERS["token for all"], CALLERS["token for all, read"]]


def status_of(answer: httpx.Response, call: Call) -> int:
    """As it is; whatever went well is YES, but for a page that sends one elsewhere to sign in.

    So is 409: it is the state of things that is in the way then, and whoever may not is never told of that.
    """
    to_sign_in = answer.status_code == 302 and "/login/" in answer.headers["Location"]
    return YES if (answer.status_code < 400 and not to_sign_in) or answer.status_code == 409 else answer.status_code


async def ask(client: httpx.AsyncClient, line: str, call: Call, names: dict[str, Any]) -> httpx.Response:
    method, _, path = line.partition(" ")
    names = {**names, "log_id": names[call.log]}
    body = call.body if isinstance(call.body, str) else "" if call.body is None else json.dumps(call.body)
    headers = {"content-type": call.content_type} if body else {}
    return await client.request(method, path.format_map(names), content=body, headers=headers)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize("who", CALLERS)
async def test_everybody_may_what_they_may_and_no_more(who: str, visibility: str) -> None:
    caller = CALLERS[who]
    project, names = await sync_to_async(make_world)(visibility)
    headers = await sync_to_async(caller.headers)(project)
    wrong = [fault async for fault in faults_of_sockets(caller, visibility, headers, names)]
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as client:
        for line, call in CALLS.items():
            answer = await ask(client, line, call, names)
            found, wanted = status_of(answer, call), expected(call, caller, visibility)
            if found not in wanted:
                wrong.append(f"{line}: {found}, not {wanted}: {answer.text[:200]}")
            reads = "read" in caller.rights or visibility == "public"
            if call.kind is Kind.LIST and found == YES and (("hushed" in answer.text) != reads):
                wrong.append(f"{line}: {'does not show' if reads else 'shows'} the project")
            if found == 404 and "a title for members" in answer.text:
                wrong.append(f"{line}: a 404 that tells the title")
    assert not wrong, "\n".join(wrong)


async def faults_of_sockets(caller: Caller, visibility: str, headers: dict[str, str], names: dict[str, Any]) -> Any:
    raw = [(b"host", b"testserver"), *((name.encode(), value.encode()) for name, value in headers.items())]
    for path, kind in SOCKETS.items():
        socket = WebsocketCommunicator(application, path.format_map(names), headers=raw)
        accepted, _ = await socket.connect()
        assert accepted
        if kind is Kind.WRITE:  # one that is admitted hears nothing until it sends; this is no log's frame
            header = json.dumps({"log": "none"}).encode()
            await socket.send_to(bytes_data=struct.pack(">I", len(header)) + header)
        said = await socket.receive_json_from(timeout=WAIT_SECONDS)
        found = said.get("status", 4200) - 4000
        found = YES if kind is Kind.WRITE and found == 400 else found
        wanted = _expected_of_socket(kind, caller, visibility)
        if found != wanted:
            yield f"{path}: {found}, not {wanted}: {said}"
        await socket.disconnect()


def _expected_of_socket(kind: Kind, caller: Caller, visibility: str) -> int:
    if kind is Kind.READ:
        return expected(Call(kind), caller, visibility).pop()
    if not caller.is_good or not caller.is_known:
        return 401
    return YES if caller.writes_somewhere else 403


def admin_paths() -> Iterator[str]:
    """Every address of the admin, filled in with something, but for the two that lead to our own pages."""
    for path in dict.fromkeys(paths_of_django()):
        if path.startswith(STAFF_ONLY) and path not in ("/admin/login/", "/admin/password_change/"):
            yield re.sub(r"\{\w+\}", "1", path.replace("{app_label}", "logviewer"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["anonymous", "stranger", "project admin", "staff", "superuser", "token for all"])
async def test_the_admin_is_for_the_staff_alone(who: str) -> None:
    caller = CALLERS[who]
    project, _ = await sync_to_async(make_world)("private")
    headers = await sync_to_async(caller.headers)(project)
    transport = httpx.ASGITransport(app=application)
    wrong = []
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as client:
        paths = [path for path in admin_paths() if path != "/admin/logout/"]  # which ends the session that asks
        for path in paths:
            answer = await client.get(path)
            is_sent_away = answer.status_code == 302 and "/login/" in answer.headers["Location"]
            if is_sent_away == caller.staff:
                wrong.append(f"{path}: {answer.status_code} {answer.headers.get('Location', '')}")
    assert len(paths) > 20
    assert not wrong, "\n".join(wrong)


async def test_no_socket_is_open_at_another_address() -> None:
    socket = WebsocketCommunicator(application, "/ws/else/", headers=[(b"host", b"testserver")])
    await socket.connect()
    assert (await asyncio.wait_for(socket.receive_json_from(), WAIT_SECONDS))["status"] == 4404
    await socket.disconnect()
