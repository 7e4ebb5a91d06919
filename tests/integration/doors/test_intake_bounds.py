"""What a writer's socket holds is bounded: logs it remembers, frames it has taken; and all of it goes with it."""

from __future__ import annotations

import asyncio
import fcntl
import gc
from collections.abc import Callable

import pytest
from django.conf import settings

from logviewer.doors import intake_socket
from logviewer.doors.intake_socket import Intake
from logviewer.live.presence import presence
from logviewer.models import LogFile
from tests.factories import make_log, make_step, make_token
from tests.integration.doors.test_intake_rights import WAIT_SECONDS, Writer, connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def logs() -> list[LogFile]:
    step = make_step()
    return [make_log(step=step, name=f"log-{number}") for number in range(6)]


@pytest.fixture
def token() -> str:
    return make_token()


async def writer_with(token: str) -> Writer:
    return await connected((b"authorization", b"Bearer " + token.encode()))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_log_that_was_idle_for_longest_is_forgotten_and_looked_up_again(
    logs: list[LogFile], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_socket, "MAX_IDLE_LOGS", 2)
    before = len(presence._listeners)
    writer = await writer_with(token)
    for offset in range(3):
        for log in logs:
            answer = await writer.answer(log, offset, b"x")
            assert (answer["type"], answer["log"], answer["offset"]) == ("received", log.pk, offset + 1)
    assert len(presence._listeners) - before == 2
    await writer.communicator.disconnect()
    await until(lambda: len(presence._listeners) == before)


async def test_beyond_so_many_frames_without_an_answer_nothing_is_read(
    logs: list[LogFile], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_socket, "MAX_WAITING_FRAMES", 4)
    writer = await writer_with(token)
    (index,) = settings.LOGS_DIR.glob(f"**/*-{logs[0].pk}.idx")
    with index.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for offset in range(20):
            await writer.send(logs[0], offset, b"x")
        waiting = writer.communicator.input_queue
        await until(lambda: waiting.qsize() == 16)
        assert await writer.communicator.receive_nothing(0.2)
        assert waiting.qsize() == 16
    while (await writer.told())["offset"] != 20:
        pass
    await writer.communicator.disconnect()


async def test_nothing_of_a_socket_is_left_behind(logs: list[LogFile], token: str) -> None:
    for _ in range(3):
        writer = await writer_with(token)
        for log in logs:
            await writer.send(log, 0, b"x")
        await writer.communicator.disconnect()  # with answers under way
    del writer

    def none_is_left() -> bool:
        gc.collect()
        return not any(isinstance(thing, Intake) for thing in gc.get_objects())

    await until(none_is_left)
    assert presence._writers == 0
