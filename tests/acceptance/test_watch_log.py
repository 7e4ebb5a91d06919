"""The viewer's socket, point by point (websocket.md)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server, running_server

MIB = 1024 * 1024
WAIT_SECONDS = 10
MANY_SOCKETS = 100


@pytest.fixture
def log(writer: Writer) -> dict[str, Any]:
    return writer.new_log()


async def opened(server: Server, token: str, log: dict[str, Any], **options: Any) -> Viewer:
    return await Viewer(server.websocket_url, log["id"], token=token, **options).open()


async def next_message(viewer: Viewer, kind: str) -> dict[str, Any]:
    """Take messages until one of that type."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            message = await viewer.step()
            if message is not None and message["type"] == kind:
                return message


async def closed(viewer: Viewer) -> int | None:
    async with asyncio.timeout(WAIT_SECONDS):
        return (await viewer.drain()).close_code


async def silence(viewer: Viewer, seconds: float = 0.3) -> None:
    """Nothing but `size` comes for a while."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await viewer.step()
                assert message is not None, "a frame came"
                assert message["type"] == "size"
    except TimeoutError:
        pass


async def until_silent(viewer: Viewer, seconds: float = 0.3) -> None:
    """Take what comes, until nothing has for a while."""
    try:
        while True:
            async with asyncio.timeout(seconds):
                await viewer.step()
    except TimeoutError:
        pass


async def append(writer: Writer, log: dict[str, Any], data: bytes) -> None:
    for start in range(0, len(data), MIB):
        piece = data[start : start + MIB]
        answer = await asyncio.to_thread(writer.chunks, log["id"], entry(0, piece))
        assert answer.status_code == 200, answer.text


async def test_hello_says_where_the_stream_starts_and_how_the_log_stands(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"one\ntwo\nthr")
    viewer = await opened(server, token, log, start="5", window=70_000)
    hello = await next_message(viewer, "hello")
    assert hello == {
        "type": "hello", "log": log["id"], "state": "open", "offset": 5, "line": 2, "size": 11, "lines": 3,
        "window": 70_000,
    }  # fmt: skip
    assert viewer.socket is not None
    assert viewer.socket.subprotocol == "buildlogs.v1"
    await next_message(viewer, "live")
    assert bytes(viewer.data) == b"wo\nthr"
    await viewer.stop()


async def test_live_is_said_once_and_output_follows_as_it_is_written(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    viewer = await opened(server, token, log)
    await next_message(viewer, "live")
    for number in range(3):
        await append(writer, log, b"line %d\n" % number)
        assert await viewer.step() is None
    assert bytes(viewer.data) == b"line 0\nline 1\nline 2\n"
    await viewer.stop()


async def test_no_more_than_the_window_is_in_flight(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"x" * 300_000)
    viewer = await opened(server, token, log, window=65_536)
    await next_message(viewer, "hello")
    while len(viewer.data) < 65_536:
        await viewer.step()
    await silence(viewer)
    assert len(viewer.data) == 65_536
    await viewer.ack()
    while len(viewer.data) < 131_072:
        await viewer.step()
    await silence(viewer)
    assert len(viewer.data) == 131_072
    await viewer.stop()


async def test_a_paused_viewer_gets_sizes_and_catches_up_from_the_store(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    viewer = await opened(server, token, log)
    await next_message(viewer, "live")
    assert viewer.socket is not None
    await viewer.socket.send('{"type":"pause"}')
    await append(writer, log, b"a\n" * 1000)
    size = await next_message(viewer, "size")
    while size["size"] < 2000:
        size = await next_message(viewer, "size")
    assert (size["size"], size["lines"]) == (2000, 1000)
    assert not viewer.data
    await viewer.socket.send('{"type":"resume"}')
    while len(viewer.data) < 2000:
        await viewer.step()
    await viewer.stop()


async def test_stop_ends_the_stream_with_1000(server: Server, token: str, log: dict[str, Any]) -> None:
    viewer = await opened(server, token, log)
    await next_message(viewer, "live")
    assert viewer.socket is not None
    await viewer.socket.send('{"type":"stop"}')
    assert await closed(viewer) == 1000


async def test_pause_and_stop_count_however_early_they_come(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"x" * 300_000)
    viewer = await opened(server, token, log, window=65_536)
    assert viewer.socket is not None
    await viewer.socket.send('{"type":"pause"}')
    await next_message(viewer, "hello")
    await until_silent(viewer)  # what was under way before the pause had come: a window at the most
    assert len(viewer.data) <= 65_536
    await viewer.ack()  # room again, but the pause holds
    await silence(viewer)
    await viewer.socket.send('{"type":"resume"}')
    while len(viewer.data) < 300_000:
        await viewer.step()
        await viewer.ack()
    await viewer.stop()

    hasty = await opened(server, token, log, window=65_536)
    assert hasty.socket is not None
    await hasty.socket.send('{"type":"stop"}')
    assert await closed(hasty) == 1000


async def test_a_finished_log_closes_only_after_everything_was_acknowledged(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"z" * 1000)
    writer.finish(log["id"])
    viewer = await opened(server, token, log)
    last = await next_message(viewer, "logFinished")
    assert (last["state"], last["size"]) == ("finished", 1000)
    await silence(viewer)
    await viewer.ack()
    assert await closed(viewer) == 1000


async def test_without_a_window_the_server_closes_by_itself(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"z" * 3_000_000)
    writer.finish(log["id"])
    viewer = await opened(server, token, log, window=0)
    assert await closed(viewer) == 1000
    assert len(viewer.data) == 3_000_000


@pytest.mark.bad_input("a start beyond the end")
async def test_a_start_beyond_the_end_means_reload(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    await append(writer, log, b"short")
    viewer = await opened(server, token, log, start="6")
    assert await closed(viewer) == 1012
    assert [message["type"] for message in viewer.messages] == ["reload"]


@pytest.mark.bad_input("a socket's query that makes no sense")
@pytest.mark.parametrize(
    "query",
    ["from=-1", "from=x", "from=tail:", "from=tail:-3", "from=head:3", "from=99999999999999999999", "from=1&from=2",
     "window=1", "window=65535", "window=4194305", "window=lots", "window=-1"],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_4400(server: Server, token: str, log: dict[str, Any], query: str) -> None:
    await refused(server, f"/ws/logs/{log['id']}/?{query}", 4400, token)


@pytest.mark.bad_input("a message that makes no sense")
@pytest.mark.parametrize(
    "message",
    ["hello", "[]", "{}", '{"type":"shout"}', '{"type":"ack"}', '{"type":"ack","offset":"1"}',
     '{"type":"ack","offset":1}', '{"type":"ack","offset":-1}', '{"type":"ack","offset":true}',
     '{"type":"pause","why":"tired"}', "[" * 100_000, b"\x00\x01"],
)  # fmt: skip
async def test_a_message_that_makes_no_sense_is_4400(
    server: Server, token: str, log: dict[str, Any], message: str | bytes
) -> None:
    viewer = await opened(server, token, log)
    await next_message(viewer, "hello")
    assert viewer.socket is not None
    await viewer.socket.send(message)
    error = await next_message(viewer, "error")
    assert error["status"] == 4400
    assert error["detail"]
    assert await closed(viewer) == 4400


async def refused(
    server: Server, path: str, status: int, token: str | None = None, headers: dict[str, str] | None = None
) -> None:
    """The socket is accepted, says why it ends, and closes with that code."""
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {token}"
    async with connect(server.websocket_url + path, additional_headers=sent) as socket:
        error = json.loads(await asyncio.wait_for(socket.recv(), WAIT_SECONDS))
        assert (error["type"], error["status"]) == ("error", status)
        with pytest.raises(ConnectionClosed) as raised:
            await asyncio.wait_for(socket.recv(), WAIT_SECONDS)
        assert raised.value.rcvd is not None
        assert raised.value.rcvd.code == status


@pytest.mark.bad_input("a wrong token")
async def test_a_wrong_token_is_4401(server: Server, log: dict[str, Any]) -> None:
    await refused(server, f"/ws/logs/{log['id']}/", 4401, "bl_wrong")


@pytest.mark.bad_input("more sockets opened than one caller may")
async def test_one_socket_too_many_is_told_to_try_later(data_dir: Path) -> None:
    with running_server(data_dir, environment={"BUILDLOGS_MAX_REQUESTS_PER_SECOND": "1"}) as server:
        for _ in range(MANY_SOCKETS):
            async with connect(f"{server.websocket_url}/ws/logs/1/") as socket:
                error = json.loads(await asyncio.wait_for(socket.recv(), WAIT_SECONDS))
                with pytest.raises(ConnectionClosed) as raised:
                    await asyncio.wait_for(socket.recv(), WAIT_SECONDS)
            if error["status"] != 4404:
                break
        assert (error["type"], error["status"]) == ("error", 1013)
        assert "go on in 1 s" in error["detail"]
        assert raised.value.rcvd is not None
        assert raised.value.rcvd.code == 1013


@pytest.mark.bad_input("a token for another project")
async def test_a_private_log_is_4404_to_others(server: Server, log: dict[str, Any]) -> None:
    await refused(server, f"/ws/logs/{log['id']}/", 4404)
    await refused(server, f"/ws/logs/{log['id']}/", 4404, server.token("--project", "another"))


@pytest.mark.bad_input("a token without the scope")
async def test_a_token_without_read_is_4403(server: Server, log: dict[str, Any]) -> None:
    await refused(server, f"/ws/logs/{log['id']}/", 4403, server.token("--scopes", "write"))


@pytest.mark.bad_input("an unknown id")
async def test_unknown_logs_and_addresses_are_4404(server: Server, token: str) -> None:
    await refused(server, "/ws/logs/999999/", 4404, token)
    await refused(server, "/ws/logs/9999999999999999999/", 4404, token)
    await refused(server, "/ws/nothing/", 4404, token)


@pytest.mark.bad_input("an origin that is not allowed")
async def test_an_origin_that_is_not_allowed_is_403_before_the_upgrade(server: Server, log: dict[str, Any]) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Cookie": "sessionid=abc"}):
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"{server.websocket_url}/ws/logs/{log['id']}/", additional_headers=headers)
        assert raised.value.response.status_code == 403


async def test_an_origin_of_this_host_is_allowed(server: Server, log: dict[str, Any]) -> None:
    await refused(server, f"/ws/logs/{log['id']}/", 4404, headers={"Origin": server.url})


async def test_a_bearer_client_is_not_asked_for_its_origin(server: Server, token: str, log: dict[str, Any]) -> None:
    viewer = await opened(server, token, log, headers={"Origin": "https://evil.example"})
    await next_message(viewer, "live")
    await viewer.stop()


@pytest.mark.bad_input("a subprotocol that is not spoken")
async def test_another_subprotocol_is_4400(server: Server, token: str, log: dict[str, Any]) -> None:
    async with connect(
        f"{server.websocket_url}/ws/logs/{log['id']}/",
        subprotocols=["buildlogs.v9"],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {token}"},
    ) as socket:
        error = json.loads(await asyncio.wait_for(socket.recv(), WAIT_SECONDS))
        assert error["status"] == 4400
