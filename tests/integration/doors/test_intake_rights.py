"""A writer's socket and who may: rights are looked at again while it is open, those to each log too; and how much."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from logviewer.chunkstore import encode_entry
from logviewer.doors import socket
from logviewer.doors.rates import BURST_SECONDS, Application, Limits, limit_rates
from logviewer.doors.routing import websockets
from logviewer.models import LogFile, Member, Project, Role, Token
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 10


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are looked at ten times a second."""
    monkeypatch.setattr(socket, "RIGHTS_INTERVAL_SECONDS", 0.1)


@pytest.fixture
def log() -> LogFile:
    project = make_project(public=False)
    return make_log(step=make_step(build=make_build(builder=make_builder(project=project))))


class Writer:
    """A writer's socket in this process."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator

    async def send(self, log: LogFile, offset: int, data: bytes) -> None:
        header = json.dumps({"log": log.pk, "offset": offset}).encode()
        stream = encode_entry(0, data)
        await self.communicator.send_to(bytes_data=struct.pack(">I", len(header)) + header + stream)

    async def told(self) -> dict[str, Any]:
        return dict(await self.communicator.receive_json_from(timeout=WAIT_SECONDS))

    async def answer(self, log: LogFile, offset: int, data: bytes) -> dict[str, Any]:
        await self.send(log, offset, data)
        return await self.told()


async def connected(*headers: tuple[bytes, bytes], application: Application = websockets) -> Writer:
    communicator = WebsocketCommunicator(application, "/ws/intake/", headers=[(b"host", b"localhost"), *headers])
    accepted, _ = await communicator.connect()
    assert accepted
    return Writer(communicator)


@pytest.fixture
def token(log: LogFile) -> str:
    return make_token(project=log.step.build.builder.project)


@pytest.fixture
async def writer(token: str) -> AsyncIterator[Writer]:
    writer = await connected((b"authorization", b"Bearer " + token.encode()))
    yield writer
    await writer.communicator.disconnect()


async def test_a_token_that_is_revoked_ends_the_socket(writer: Writer, log: LogFile) -> None:
    assert (await writer.answer(log, 0, b"one\n"))["offset"] == 4
    await Token.objects.aupdate(revoked_at=timezone.now())
    assert (await writer.told())["status"] == 4401
    assert (await writer.communicator.receive_output(WAIT_SECONDS))["code"] == 4401


async def test_a_log_that_was_deleted_is_refused_from_then_on(writer: Writer, log: LogFile) -> None:
    assert (await writer.answer(log, 0, b"one\n"))["offset"] == 4
    await LogFile.objects.filter(pk=log.pk).adelete()
    offset = 4
    answer: dict[str, Any] = {"type": "received"}
    while answer["type"] == "received":  # until rights are looked at the next time
        answer = await writer.answer(log, offset, b"two\n")
        offset += 4
    assert (answer["problem"], answer["status"]) == ("not-found", 404)


async def test_a_log_that_moves_to_another_project_is_refused_from_then_on(writer: Writer, log: LogFile) -> None:
    other = await Project.objects.acreate(slug="other")
    assert (await writer.answer(log, 0, b"x"))["offset"] == 1
    builder = log.step.build.builder
    builder.project = other
    await builder.asave()
    offset = 1
    while (answer := await writer.answer(log, offset, b"x"))["type"] == "received":
        offset += 1
    assert answer["problem"] == "not-found"


async def test_staff_may_write_from_a_page_of_this_site_and_not_from_another(log: LogFile) -> None:
    client = Client()
    user = await User.objects.acreate(username="eva", is_staff=True)
    await client.aforce_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()
    writer = await connected((b"cookie", cookie), (b"origin", b"http://localhost"))
    assert (await writer.answer(log, 0, b"by hand\n"))["offset"] == 8
    await User.objects.aupdate(is_staff=False)
    assert (await writer.told())["status"] == 4403
    await writer.communicator.disconnect()
    for origin in ((b"origin", b"http://elsewhere.example"), None):
        headers = [(b"host", b"localhost"), (b"cookie", cookie), *([origin] if origin else [])]
        refused = WebsocketCommunicator(websockets, "/ws/intake/", headers=headers)
        assert not (await refused.connect())[0]


async def test_who_sends_more_than_it_may_is_read_no_faster(log: LogFile, token: str) -> None:
    rate = 50_000
    application = limit_rates(websockets, Limits(requests_per_second=0, bytes_per_second=rate))
    writer = await connected((b"authorization", b"Bearer " + token.encode()), application=application)
    piece = b"x" * (rate - 100)  # and its framing
    now = asyncio.get_running_loop().time
    began = now()
    for number in range(BURST_SECONDS + 2):
        assert (await writer.answer(log, number * len(piece), piece))["offset"] == (number + 1) * len(piece)
    assert now() - began > 1  # what goes beyond the burst has to wait
    await writer.communicator.disconnect()


async def test_a_writer_who_becomes_a_viewer_is_refused(log: LogFile) -> None:
    client = Client()
    user = await User.objects.acreate(username="ann")
    await Member.objects.acreate(project=log.step.build.builder.project, user=user, role=Role.WRITER)
    await client.aforce_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()
    writer = await connected((b"cookie", cookie), (b"origin", b"http://localhost"))
    assert (await writer.answer(log, 0, b"by hand\n"))["offset"] == 8
    await Member.objects.all().aupdate(role=Role.VIEWER)
    assert (await writer.told())["status"] == 4403
    await writer.communicator.disconnect()
