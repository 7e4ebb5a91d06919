"""/ws/builds/{id}/: a snapshot, then what changes, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from logviewer.doors.watch_build import MAX_WATCHED_LOGS
from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_watch_log import refused
from tests.acceptance.watched_noun import watching as noun_watching

WAIT_SECONDS = 10


@asynccontextmanager
async def watching(server: Server, token: str, build_id: int) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(f"{server.websocket_url}/ws/builds/{build_id}/", additional_headers=headers) as socket:
        yield socket


async def next_message(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(socket.recv(), WAIT_SECONDS)))


async def next_event(socket: ClientConnection) -> dict[str, Any]:
    """The next message but `progress`, which comes between others at its own times."""
    while (message := await next_message(socket))["type"] == "progress":
        pass
    return message


async def test_a_whole_build_is_seen_in_order(server: Server, writer: Writer, token: str) -> None:
    build = writer.post("/builds", {"project": "demo", "builder": "watched"})
    async with watching(server, token, build["id"]) as socket:
        snapshot = await next_event(socket)
        assert snapshot["type"] == "snapshot"
        assert {name: snapshot[name] for name in ("id", "state", "steps")} == {
            "id": build["id"], "state": "running", "steps": [],
        }  # fmt: skip
        version = snapshot["version"]

        def in_thread(path: str, body: dict[str, Any]) -> Any:
            return asyncio.to_thread(writer.post, path, body)

        step = await in_thread(f"/builds/{build['id']}/steps", {"name": "compile"})
        log = await in_thread(f"/steps/{step['id']}/logs", {"name": "stdio"})
        await asyncio.to_thread(writer.chunks, log["id"], entry(0, b"one\ntwo\n"))
        messages = [await next_message(socket)]
        while messages[-1]["type"] != "progress":
            messages.append(await next_message(socket))
        assert messages[-1]["logs"] == [{"id": log["id"], "size": 8, "lines": 2}]
        await in_thread(f"/logs/{log['id']}/finish", {})
        await in_thread(f"/steps/{step['id']}/finish", {"results": "success"})
        await in_thread(f"/builds/{build['id']}/finish", {"results": "success"})
        while messages[-1]["type"] != "buildFinished":
            messages.append(await next_message(socket))
        events = [message for message in messages if message["type"] != "progress"]
        assert [event["type"] for event in events] == [
            "stepStarted", "logStarted", "logFinished", "stepFinished", "buildFinished",
        ]  # fmt: skip
        assert [event["version"] for event in events] == [version + number for number in range(1, 6)]
        assert events[0]["step"]["name"] == "compile"
        assert events[2]["log"]["state"] == "finished"
        assert events[3]["step"]["results"] == "success"
        assert events[4]["build"]["results"] == "success"


async def test_a_client_may_ask_for_a_snapshot(server: Server, writer: Writer, token: str) -> None:
    build = writer.post("/builds", {"project": "demo", "builder": "watched"})
    async with watching(server, token, build["id"]) as socket:
        first = await next_event(socket)
        await socket.send('{"type":"snapshot"}')
        assert await next_event(socket) == first


async def test_an_event_that_was_never_announced_is_noticed(server: Server, writer: Writer, token: str) -> None:
    """Another process without a layer in common: its change is seen by the version, as a snapshot."""
    build = writer.post("/builds", {"project": "demo", "builder": "watched"})
    async with watching(server, token, build["id"]) as socket:
        version = (await next_event(socket))["version"]
        await asyncio.to_thread(
            server.manage,
            "shell",
            "--verbosity=0",
            "--command",
            f"from logviewer.intake.steps import create_step; create_step({build['id']}, 'elsewhere')",
        )
        event = await next_event(socket)
        assert (event["type"], event["version"]) == ("snapshot", version + 1)
        assert [step["name"] for step in event["steps"]] == ["elsewhere"]


@pytest.mark.bad_input("a message that makes no sense")
async def test_anything_else_is_4400(server: Server, writer: Writer, token: str) -> None:
    build = writer.post("/builds", {"project": "demo", "builder": "watched"})
    async with watching(server, token, build["id"]) as socket:
        await next_event(socket)
        await socket.send('{"type":"pause"}')
        error = await next_event(socket)
        assert (error["type"], error["status"]) == ("error", 4400)


@pytest.mark.bad_input("an unknown id")
async def test_who_may_not_see_the_build_is_told_4404(server: Server, writer: Writer, token: str) -> None:
    build = writer.post("/builds", {"project": "demo", "builder": "watched"})
    await refused(server, f"/ws/builds/{build['id']}/", 4404)
    await refused(server, "/ws/builds/424242/", 4404, token)
    await refused(server, f"/ws/builds/{build['id']}/", 4401, "bl_wrong")


# Rows at once: through the API they would take a minute. Only what is open has files.
MANY = """
from logviewer.live.store import chunk_store
from logviewer.models import Build, LogFile, Step
build = Build.objects.get(pk={build})
steps = Step.objects.bulk_create(
    Step(build=build, number=number, name=f"step {{number}}", slug=f"step-{{number}}",
         state="running" if number > {steps} - {open_logs} else "finished")
    for number in range(1, {steps} + 1)
)
logs = LogFile.objects.bulk_create(
    LogFile(step=step, name="stdio", slug="stdio", storage_key=f"demo/large/{{step.number}}",
            state="open" if step.state == "running" else "finished",
            form="plain" if step.state == "running" else "sealed")
    for step in steps
)
for log in logs[-{open_logs}:]:
    chunk_store().create(log.key)
"""
STEPS = 2000
OPEN_LOGS = MAX_WATCHED_LOGS + 60


def descriptors_of(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


async def test_a_build_of_two_thousand_steps_is_watched_with_few_descriptors(
    own_server: Server,
) -> None:
    writer = Writer(own_server.url, token := own_server.token())
    build = writer.post("/builds", {"project": "demo", "builder": "large"})["id"]
    code = MANY.format(build=build, steps=STEPS, open_logs=OPEN_LOGS)
    await asyncio.to_thread(own_server.manage, "shell", "--verbosity=0", "--command", code)
    descriptors = descriptors_of(own_server)
    async with noun_watching(own_server.websocket_url, f"/ws/builds/{build}/", token) as viewer:
        snapshot = await viewer.event()
        shown = await asyncio.to_thread(writer.http.get, f"/builds/{build}")
        assert snapshot["steps"] == shown.json()["steps"]
        open_logs = [step["logs"][0]["id"] for step in snapshot["steps"] if step["state"] == "running"]
        assert len(open_logs) == OPEN_LOGS
        for log_id in open_logs:
            await asyncio.to_thread(writer.chunks, log_id, entry(0, b"one\n"))
        while len(viewer.progress) < OPEN_LOGS:
            await viewer.next()
        assert set(viewer.progress.values()) == {(4, 1)}
        appenders = 2 * OPEN_LOGS  # the store keeps the files of logs open that are written
        assert descriptors_of(own_server) - descriptors <= 2 * MAX_WATCHED_LOGS + appenders + 20
