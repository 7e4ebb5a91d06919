"""/ws/intake/: a writer's socket (websocket.md, "Writing"), over Daphne and uvicorn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.intake import PATIENCE_SECONDS, IntakeSocket, frame, intake
from tests.acceptance.server import Server, running_server
from tests.acceptance.test_locked import locked_log

MIB = 1024 * 1024
MAX_FRAME_BYTES = MIB + 64 * 1024


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of all tests, or one of the other kind."""
    if request.param == "daphne":
        yield request.getfixturevalue("server")
        return
    with running_server(tmp_path_factory.mktemp(request.param), kind=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def any_token(any_server: Server) -> str:
    return any_server.token()


@pytest.fixture
def any_writer(any_server: Server, any_token: str) -> Writer:
    return Writer(any_server.url, any_token)


@pytest.fixture
def log(writer: Writer) -> dict[str, Any]:
    return writer.new_log()


def text_of(writer: Writer, log: dict[str, Any]) -> bytes:
    return writer.http.get(f"/logs/{log['id']}/raw").content


# What is stored.


async def test_a_frame_is_stored_and_acknowledged(any_server: Server, any_writer: Writer, any_token: str) -> None:
    log = any_writer.new_log()
    async with intake(any_server.websocket_url, any_token) as socket:
        assert socket.connection.subprotocol == "buildlogs.v1"
        await socket.send(log["id"], 0, entry(0, b"hello\n"))
        assert await socket.next() == {"type": "received", "log": log["id"], "offset": 6, "flush_ms": 250}
        assert text_of(any_writer, log) == b"hello\n"
        await socket.send(log["id"], 6, entry(1, b"world\n"))
        await socket.received(log["id"], 12)
    assert text_of(any_writer, log) == b"hello\nworld\n"
    assert any_writer.finish(log["id"], received=12).status_code == 200


async def test_frames_of_many_logs_are_each_stored_in_their_order(
    any_server: Server, any_writer: Writer, any_token: str
) -> None:
    """Sent without waiting, in any mixture, as small frames and large ones, over two sockets."""
    chance = random.Random(7)
    build = any_writer.post("/builds", {"project": "demo", "builder": "many"})
    step = any_writer.post(f"/builds/{build['id']}/steps", {"name": "all"})
    logs = [any_writer.post(f"/steps/{step['id']}/logs", {"name": f"log {number}"}) for number in range(12)]
    sent = {log["id"]: b"" for log in logs}
    async with intake(any_server.websocket_url, any_token) as one, intake(any_server.websocket_url, any_token) as two:
        for _ in range(400):
            number = chance.randrange(len(logs))
            log_id = logs[number]["id"]
            data = chance.randbytes(chance.choice([10, 200, 3000])) + b"\n"
            await (one, two)[number % 2].send(log_id, len(sent[log_id]), entry(0, data))
            sent[log_id] += data
        for number, log in enumerate(logs):
            socket = (one, two)[number % 2]
            last = {message["log"]: message["offset"] for message in socket.messages}
            if last.get(log["id"]) != len(sent[log["id"]]):
                await socket.received(log["id"], len(sent[log["id"]]))
    for log in logs:
        assert text_of(any_writer, log) == sent[log["id"]]


async def test_what_was_sent_before_is_stored_once_and_an_empty_frame_asks_how_far_the_log_is(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        await socket.send(log["id"], 0, entry(0, b"one\n") + entry(1, b"two\n"))
        await socket.received(log["id"], 8)
    async with intake(server.websocket_url, token) as socket:
        await socket.send(log["id"], 0)
        await socket.received(log["id"], 8)
        await socket.send(log["id"], 0, entry(0, b"one\n"))
        await socket.received(log["id"], 8)
        await socket.send(log["id"], 4, entry(1, b"two\n") + entry(0, b"three\n"))
        await socket.received(log["id"], 14)
        await socket.send(log["id"], 99)
        error = await socket.error()
        assert (error["problem"], error["offset"], error["at"]) == ("offset-gap", 14, 99)
    assert text_of(writer, log) == b"one\ntwo\nthree\n"


async def test_two_sockets_that_write_one_log_take_turns(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    """As after a reconnect, when the server still stores what the first one sent."""
    pieces = [b"line %d\n" % number for number in range(200)]
    async with intake(server.websocket_url, token) as one, intake(server.websocket_url, token) as two:
        for socket in (one, two):
            offset = 0
            for piece in pieces:
                await socket.send(log["id"], offset, entry(0, piece))
                offset += len(piece)
        whole = b"".join(pieces)
        while not (one.messages and two.messages and one.messages[-1] == two.messages[-1]):
            await one.send(log["id"], 0)
            await two.send(log["id"], 0)
            await asyncio.gather(one.next(), two.next())
            if {one.messages[-1].get("offset"), two.messages[-1].get("offset")} == {len(whole)}:
                break
    assert text_of(writer, log) == whole


async def test_what_the_writer_lost_is_said_in_the_log(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        await socket.send(log["id"], 0, entry(0, b"late\n"), skip=1000)
        await socket.received(log["id"], 1005)
    assert text_of(writer, log) == b"\n1000 bytes of output were lost by the build machine here\nlate\n"


async def test_a_writer_that_vanishes_has_what_it_sent_stored(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    data = b"x" * 99 + b"\n"
    with locked_log(server, log["id"]):
        async with intake(server.websocket_url, token) as socket:
            await socket.send(log["id"], 0, entry(0, data * 1000))
            await socket.send(log["id"], 100_000, entry(0, data * 1000))
            await (await socket.connection.ping())  # it was taken before this was
            socket.connection.transport.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while text_of(writer, log) != data * 2000:
            await asyncio.sleep(0.05)


# How often, and how much.


async def test_small_frames_are_acknowledged_together(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        for number in range(1000):
            await socket.send(log["id"], 5 * number, entry(0, b"line\n"))
        await socket.received(log["id"], 5000)
        assert len(socket.messages) < 500
        offsets = [message["offset"] for message in socket.messages]
        assert offsets == sorted(set(offsets))


async def test_a_writer_that_keeps_to_its_window_is_never_held_up(
    any_server: Server, any_writer: Writer, any_token: str
) -> None:
    """4 MiB in flight, frames of 1 MiB: each is acknowledged when it is stored, not with the next twentieth second."""
    log = any_writer.new_log()
    data = (b"x" * 99 + b"\n") * 10_000
    async with intake(any_server.websocket_url, any_token) as socket:
        sent = received = 0
        while received < 30 * len(data):
            while sent < 30 * len(data) and sent + len(data) - received <= 4 * MIB:
                await socket.send(log["id"], sent, entry(0, data))
                sent += len(data)
            received = (await socket.next())["offset"]
    assert len(socket.messages) >= 10
    assert httpx.get(f"{any_server.url}/api/v1/logs/{log['id']}", headers=any_writer.http.headers).json()[
        "size"
    ] == 30 * len(data)


@pytest.mark.bad_input("more than a writer may have unacknowledged")
async def test_more_than_4_mib_unacknowledged_is_4400(any_server: Server, any_writer: Writer, any_token: str) -> None:
    log = any_writer.new_log()
    with locked_log(any_server, log["id"]):
        async with intake(any_server.websocket_url, any_token) as socket:
            try:
                for number in range(6):
                    await socket.send(log["id"], number * MIB, entry(0, b"x" * (MIB - 100)))
            except ConnectionClosed:
                pass
            assert await socket.closed() == 4400
    assert text_of(any_writer, log) == b""


async def test_4_mib_of_one_log_may_wait_for_its_lock(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    other = writer.new_log()
    data = (b"x" * 1023 + b"\n") * 1000
    async with intake(server.websocket_url, token) as socket:
        with locked_log(server, log["id"]):
            for number in range(4):
                await socket.send(log["id"], number * len(data), entry(0, data))
            await socket.send(other["id"], 0, entry(0, b"meanwhile\n"))
            assert (await socket.next())["log"] == other["id"]
        await socket.received(log["id"], 4 * len(data))
    assert text_of(writer, log) == 4 * data


# What is refused.


@pytest.mark.bad_input("a hole in offsets")
async def test_after_a_gap_every_frame_in_flight_is_refused_and_the_socket_stays(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        await socket.send(log["id"], 0, entry(0, b"12345"))
        for offset in (6, 7, 8):
            await socket.send(log["id"], offset, entry(0, b"x"))
        errors = [await socket.error() for _ in range(3)]
        assert [(error["problem"], error["offset"], error["at"]) for error in errors] == [
            ("offset-gap", 5, 6),
            ("offset-gap", 5, 7),
            ("offset-gap", 5, 8),
        ]
        await socket.send(log["id"], 5, entry(0, b"6789"))
        await socket.received(log["id"], 9)
    assert text_of(writer, log) == b"123456789"


@pytest.mark.bad_input("a chunk stream in a frame that is none")
@pytest.mark.bad_input("known bytes that differ")
@pytest.mark.bad_input("a log that is finished")
async def test_errors_have_the_meaning_that_they_have_over_http(
    any_server: Server, any_writer: Writer, any_token: str
) -> None:
    log, finished = any_writer.new_log(), any_writer.new_log()
    assert any_writer.chunks(log["id"], entry(0, b"12345")).status_code == 200
    assert any_writer.finish(finished["id"]).status_code == 200
    cases = [
        (log["id"], 5, b"9:0hello!,", "malformed-chunks", 400, None),
        (log["id"], 5, entry(0, b"fine") + b"1:9,", "malformed-chunks", 400, None),
        (log["id"], 0, entry(0, b"1234x"), "overlap-differs", 409, 5),
        (log["id"], 0, entry(1, b"12345"), "overlap-differs", 409, 5),
        (finished["id"], 0, entry(0, b"late"), "finished", 409, 0),
    ]
    async with intake(any_server.websocket_url, any_token) as socket:
        for log_id, offset, stream, problem, status, received in cases:
            await socket.send(log_id, offset, stream)
            error = await socket.error()
            assert (error["log"], error["problem"], error["status"]) == (log_id, problem, status)
            assert error.get("offset") == received
            assert error["detail"]
        await socket.send(log["id"], 5, entry(0, b"6"))
        await socket.received(log["id"], 6)
    assert text_of(any_writer, log) == b"123456"
    assert text_of(any_writer, finished) == b""


@pytest.mark.bad_input("an unknown id")
@pytest.mark.bad_input("a token for another project")
async def test_a_log_that_is_not_the_writers_is_refused_and_its_own_goes_on(
    server: Server, writer: Writer, token: str
) -> None:
    mine, foreign = writer.new_log(project="mine"), writer.new_log(project="theirs")
    async with intake(server.websocket_url, server.token("--project", "mine", "--scopes", "write")) as socket:
        await socket.send(foreign["id"], 0, entry(0, b"x"))
        await socket.send(mine["id"], 0, entry(0, b"mine\n"))
        await socket.send(424242, 0, entry(0, b"x"))
        await socket.send(2**63 - 1, 0, entry(0, b"x"))
        answers = {message["log"]: message for message in [await socket.next() for _ in range(4)]}
        assert answers[mine["id"]]["type"] == "received"
        for log_id in (foreign["id"], 424242, 2**63 - 1):
            assert (answers[log_id]["problem"], answers[log_id]["status"]) == ("not-found", 404)
        await socket.send(mine["id"], 5, entry(0, b"more\n"))
        await socket.received(mine["id"], 10)
    assert text_of(writer, foreign) == b""


@pytest.mark.bad_input("a message of a writer that is no frame")
@pytest.mark.parametrize(
    "message",
    [
        pytest.param('{"log":1,"offset":0}', id="text"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0", id="no length"),
        pytest.param(b"\0\0\0\x09{}", id="a header beyond the frame"),
        pytest.param(b"\xff\xff\xff\xff{}", id="a header of 4 GiB"),
        pytest.param(b"\0\0\0\x02[]" + entry(0, b"x"), id="no object"),
        pytest.param(frame("1", 0, entry(0, b"x")), id="a log as a text"),
        pytest.param(frame(1, -1, entry(0, b"x")), id="a negative offset"),
    ],
)
async def test_what_is_no_frame_is_4400(server: Server, token: str, message: str | bytes) -> None:
    async with intake(server.websocket_url, token) as socket:
        await socket.connection.send(message)
        assert (await socket.error())["status"] == 4400
        assert await socket.closed() == 4400


@pytest.mark.bad_input("a frame over 1 MiB and its framing")
async def test_a_frame_over_the_limit_ends_the_socket_and_one_at_the_limit_is_stored(
    any_server: Server, any_writer: Writer, any_token: str
) -> None:
    log = any_writer.new_log()
    async with intake(any_server.websocket_url, any_token) as socket:
        await socket.send(log["id"], 0, entry(0, b"x" * MIB))
        await socket.received(log["id"], MIB)
        await socket.connection.send(frame(log["id"], MIB, b"x" * MAX_FRAME_BYTES))
        assert await socket.closed() == (4400 if any_server.kind == "uvicorn" else 1009)
    assert text_of(any_writer, log) == b"x" * MIB


@pytest.mark.bad_input("a wrong token")
@pytest.mark.bad_input("a token without the scope")
async def test_who_may_not_write_anything_is_told_so(server: Server, token: str) -> None:
    cases = [(None, 4401), ("bl_wrong", 4401), (server.token("--scopes", "read"), 4403)]
    for wrong, code in cases:
        async with intake(server.websocket_url, wrong) as socket:
            assert (await socket.error())["status"] == code
            assert await socket.closed() == code


async def test_another_subprotocol_is_4400_and_none_is_fine(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token, subprotocols=["chat"]) as socket:
        assert await socket.closed() == 4400
    async with intake(server.websocket_url, token, subprotocols=None) as socket:
        await socket.send(log["id"], 0, entry(0, b"x"))
        await socket.received(log["id"], 1)


@pytest.mark.bad_input("a log that another writer holds")
async def test_a_log_that_stays_locked_is_refused_in_time_and_holds_up_no_other(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    other = writer.new_log()
    async with intake(server.websocket_url, token) as socket:
        with locked_log(server, log["id"]):
            for offset in range(3):
                await socket.send(log["id"], offset, entry(0, b"x"))
            await socket.send(other["id"], 0, entry(0, b"x"))
            assert (await socket.next())["log"] == other["id"]
            errors = [await socket.error() for _ in range(3)]
            assert [(error["problem"], error["at"]) for error in errors] == [("locked", offset) for offset in range(3)]
            assert errors[0]["retry_after"] >= 1
        await socket.send(log["id"], 0, entry(0, b"x"))
        await socket.received(log["id"], 1)


# Who watches.


async def next_flush_ms(socket: IntakeSocket, log_id: int) -> int:
    message = await socket.next()
    assert (message["type"], message["log"]) == ("received", log_id)
    return int(message["flush_ms"])


async def test_a_writer_is_told_at_once_that_somebody_watches(
    any_server: Server, any_writer: Writer, any_token: str
) -> None:
    log = any_writer.new_log()
    async with intake(any_server.websocket_url, any_token) as socket:
        await socket.send(log["id"], 0, entry(0, b"x"))
        assert await next_flush_ms(socket, log["id"]) == 250
        viewer = await Viewer(any_server.websocket_url, log["id"], token=any_token).open()
        assert await next_flush_ms(socket, log["id"]) == 20
        assert socket.messages[-1]["offset"] == 1
        await viewer.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            flush_ms = 20
            while flush_ms != 250:
                await socket.send(log["id"], 0)
                flush_ms = await next_flush_ms(socket, log["id"])
