"""Rights are looked at again while a socket is open (websocket.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from logviewer.doors import follow, socket
from logviewer.doors.routing import http_doors, websockets
from logviewer.models import LogFile, Member, Project, Token
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 5


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Client:
    """The session of a member of staff in a browser; rights are looked at ten times a second."""
    monkeypatch.setattr(socket, "RIGHTS_INTERVAL_SECONDS", 0.1)
    client = Client()
    client.force_login(User.objects.create_user("eva", is_staff=True))
    return client


@pytest.fixture
def private_log() -> LogFile:
    return make_log(step=make_step(build=make_build(builder=make_builder(project=make_project(public=False)))))


def headers_of(session: Client) -> list[tuple[bytes, bytes]]:
    """Those that the session's browser sends."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session.cookies[settings.SESSION_COOKIE_NAME].value}"
    return [(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"cookie", cookie.encode())]


@pytest.fixture
async def viewer(session: Client, private_log: LogFile) -> AsyncIterator[WebsocketCommunicator]:
    """The session's socket on the private log, admitted."""
    communicator = WebsocketCommunicator(websockets, f"/ws/logs/{private_log.pk}/", headers=headers_of(session))
    accepted, _ = await communicator.connect()
    assert accepted
    assert (await communicator.receive_json_from())["type"] == "hello"
    assert (await communicator.receive_json_from())["type"] == "live"
    yield communicator
    await communicator.disconnect()


async def told(viewer: WebsocketCommunicator) -> dict[str, Any]:
    return dict(await viewer.receive_json_from(timeout=WAIT_SECONDS))


async def test_whoever_is_locked_out_is_shown_the_door(viewer: WebsocketCommunicator) -> None:
    await User.objects.aupdate(is_active=False)
    assert (await told(viewer))["status"] == 4404


async def test_whoever_is_no_member_of_staff_any_more_is_shown_the_door(viewer: WebsocketCommunicator) -> None:
    await User.objects.aupdate(is_staff=False)
    assert (await told(viewer))["status"] == 4404


async def test_whoever_logs_out_is_shown_the_door(viewer: WebsocketCommunicator, session: Client) -> None:
    await asyncio.to_thread(session.logout)
    assert (await told(viewer))["status"] == 4404


async def test_whoever_still_may_sees_nothing_of_it(viewer: WebsocketCommunicator) -> None:
    assert await viewer.receive_nothing(timeout=0.5)


@pytest.mark.parametrize("noun", ["build", "project"])
async def test_that_holds_for_whoever_watches_builds_and_projects(
    session: Client, private_log: LogFile, noun: str
) -> None:
    build = private_log.step.build
    path = f"/ws/builds/{build.pk}/" if noun == "build" else f"/ws/projects/{build.builder.project.slug}/"
    communicator = WebsocketCommunicator(websockets, path, headers=headers_of(session))
    accepted, _ = await communicator.connect()
    assert accepted
    assert (await told(communicator))["type"] == "snapshot"
    await User.objects.aupdate(is_staff=False)
    assert (await told(communicator))["status"] == 4404
    await communicator.disconnect()


@pytest.fixture
def member(session: Client, private_log: LogFile) -> Member:
    """The session's user is of the staff no more, but a viewer of the project."""
    user = User.objects.get()
    user.is_staff = False
    user.save()
    return Member.objects.create(project=private_log.step.build.builder.project, user=user)


async def test_a_member_who_is_none_any_more_is_shown_the_door(member: Member, viewer: WebsocketCommunicator) -> None:
    assert await viewer.receive_nothing(timeout=0.3)
    await Member.objects.all().adelete()
    assert (await told(viewer))["status"] == 4404


async def test_so_is_whoever_leaves_the_group_that_was_one(member: Member, viewer: WebsocketCommunicator) -> None:
    group = await Group.objects.acreate(name="builders")
    await User.groups.through.objects.acreate(user=member.user, group=group)
    await Member.objects.all().aupdate(user=None, group=group)
    assert await viewer.receive_nothing(timeout=0.3)
    await User.groups.through.objects.all().adelete()
    assert (await told(viewer))["status"] == 4404


async def test_a_project_that_becomes_private_shows_strangers_the_door(
    session: Client, private_log: LogFile, member: Member
) -> None:
    await Project.objects.aupdate(visibility="public")
    await Member.objects.all().adelete()
    path = f"/ws/logs/{private_log.pk}/"
    communicator = WebsocketCommunicator(websockets, path, headers=headers_of(session))
    await communicator.connect()
    assert [(await told(communicator))["type"] for _ in range(2)] == ["hello", "live"]
    await Project.objects.aupdate(visibility="private")
    assert (await told(communicator))["status"] == 4404
    await communicator.disconnect()


@pytest.mark.parametrize("who", ["session", "token"])
async def test_whoever_follows_a_download_is_cut_off_as_well(
    who: str, session: Client, private_log: LogFile, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RIGHTS_INTERVAL_SECONDS", 0.1)
    if who == "session":
        headers = [(name.decode(), value.decode()) for name, value in headers_of(session)]
    else:
        token = await sync_to_async(make_token)(project=member.project)
        headers = [("host", "localhost"), ("authorization", f"Bearer {token}")]
    transport = httpx.ASGITransport(app=URLRouter(http_doors))  # type: ignore[arg-type]  # an ASGI application
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        following = asyncio.ensure_future(client.get(f"/api/v1/logs/{private_log.pk}/raw?follow=1"))
        done, _ = await asyncio.wait({following}, timeout=0.4)
        assert not done  # whoever may sees nothing of it
        await Member.objects.all().adelete()
        await Token.objects.aupdate(revoked_at=timezone.now())
        with pytest.raises(ConnectionAbortedError):
            await asyncio.wait_for(following, WAIT_SECONDS)
