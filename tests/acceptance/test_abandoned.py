"""Writers that go silent, and come back, before a real server: what its clients are shown."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.intake import intake
from tests.acceptance.server import Server, running_server
from tests.acceptance.watched_noun import NounViewer, watching

ABANDON_AFTER_SECONDS = 3
HEARTBEAT_SECONDS = 0.5
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives writers up after seconds."""
    environment = {"BUILDLOGS_ABANDON_AFTER": str(ABANDON_AFTER_SECONDS)}
    with running_server(tmp_path_factory.mktemp("impatient"), environment=environment) as server:
        yield server


@pytest.fixture(scope="module")
def key(impatient: Server) -> str:
    return impatient.token()


def has_state(state: str) -> Any:
    return lambda message: message["type"] == "snapshot" and message["state"] == state


async def seen_to_be_abandoned(viewer: NounViewer) -> dict[str, Any]:
    """The build as it is shown when its writer was given up."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await viewer.until(has_state("abandoned"))


async def keep_alive(writer: Writer, build_id: int) -> None:
    """Be a writer that has nothing to say, for ever."""
    while True:
        answer = await asyncio.to_thread(writer.http.post, f"/builds/{build_id}/heartbeat")
        assert (answer.status_code, answer.json()["state"]) == (200, "running")
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def test_a_silent_build_is_shown_as_abandoned_and_goes_on_where_it_was(impatient: Server, key: str) -> None:
    writer = Writer(impatient.url, key)
    log = writer.new_log(project="silent")
    quiet = writer.post("/builds", {"project": "quiet", "builder": "linux"})
    alive = asyncio.ensure_future(keep_alive(Writer(impatient.url, key), quiet["id"]))
    writer.chunks(log["id"], entry(0, b"one\n"), 0)
    async with (
        watching(impatient.websocket_url, f"/ws/builds/{log['build']}/", key) as of_build,
        watching(impatient.websocket_url, "/ws/projects/silent/", key) as of_project,
    ):
        assert (await of_build.event())["state"] == "running"
        await of_project.event()
        shown = await seen_to_be_abandoned(of_build)
        step = shown["steps"][0]
        assert (step["state"], step["logs"][0]["state"], step["logs"][0]["completeness"]) == (
            "abandoned", "abandoned", None,
        )  # fmt: skip
        event = await of_project.event()
        assert (event["type"], event["build"]["state"], event["build"]["results"]) == (
            "buildFinished", "abandoned", None,
        )  # fmt: skip
        abandoned = await asyncio.to_thread(writer.http.get, "/builds", params={"state": "abandoned"})
        assert [build["id"] for build in abandoned.json()["items"]] == [log["build"]]
        assert not alive.done()
        page = await asyncio.to_thread(writer.http.get, f"{impatient.url}/p/silent/linux/1/")
        assert "is-abandoned" in page.text

        answer = await asyncio.to_thread(writer.chunks, log["id"], entry(0, b"two\n"), 4)
        assert (answer.status_code, answer.json()) == (200, {"received": 8})
        async with asyncio.timeout(PATIENCE_SECONDS):
            shown = await of_build.until(has_state("running"))
        assert shown["steps"][0]["logs"][0]["state"] == "open"
        event = await of_project.event()
        assert (event["type"], event["build"]["state"]) == ("buildStarted", "running")
    alive.cancel()
    sha256 = hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert writer.finish(log["id"], received=8, sha256=sha256).json()["completeness"] == "verified"


async def test_a_viewer_sees_an_abandoned_log_go_on_over_the_writers_socket_and_end(
    impatient: Server, key: str
) -> None:
    writer = Writer(impatient.url, key)
    log = writer.new_log(project="watched")
    writer.chunks(log["id"], entry(0, b"one\n"), 0)
    async with (
        watching(impatient.websocket_url, f"/ws/builds/{log['build']}/", key) as of_build,
        intake(impatient.websocket_url, key) as socket,
    ):
        await seen_to_be_abandoned(of_build)
        viewer = Viewer(impatient.websocket_url, log["id"], token=key)
        await viewer.open()
        watched = asyncio.ensure_future(viewer.drain())
        await socket.send(log["id"], 4, entry(0, b"two\n"))
        await socket.received(log["id"], 8)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await of_build.until(has_state("running"))
        await asyncio.to_thread(writer.finish, log["id"])
        await asyncio.wait_for(watched, PATIENCE_SECONDS)
    assert viewer.data == b"one\ntwo\n"
    assert (viewer.messages[0]["state"], viewer.messages[-1]["state"]) == ("abandoned", "finished")


@pytest.fixture
def unattended(data_dir: Path) -> Iterator[Server]:
    """A server that leaves upkeep to cron."""
    with running_server(data_dir, environment={"BUILDLOGS_UPKEEP_IN_SERVER": "0"}) as server:
        yield server


def upkeep_after(server: Server, *changes: str) -> list[str]:
    """Make each change in the server's world, and run upkeep after it; returns what each run reported."""
    code = "".join(f"{change}; call_command('upkeep', '--no-progress'); " for change in changes)
    imports = (
        "from datetime import timedelta; from django.core.management import call_command; "
        "from django.utils import timezone; from logviewer.models import *; "
        "long_ago = timezone.now() - timedelta(hours=30); "
    )
    return server.manage("shell", "--verbosity=0", "--command", imports + code).splitlines()


def test_a_server_that_was_down_abandons_nobody_and_cron_does_the_rest(unattended: Server) -> None:
    writer = Writer(unattended.url, unattended.token())
    log = writer.new_log()
    writer.chunks(log["id"], entry(0, b"one\n"), 0)
    unattended.kill()
    (while_down,) = upkeep_after(
        unattended,
        "Build.objects.update(heartbeat_at=long_ago); ListeningTime.objects.update(since=long_ago, until=long_ago)",
    )
    assert "given up" not in while_down  # nobody could have been heard
    unattended.start()
    after_start, given_up, ended = upkeep_after(
        unattended,
        "Build.objects.update(heartbeat_at=long_ago)",
        "ListeningTime.objects.update(since=long_ago)",
        "Build.objects.update(abandoned_at=long_ago)",
    )
    assert "given up" not in after_start  # it has only just begun to listen
    assert "1 silent builds given up, 0 finished" in given_up
    assert "0 silent builds given up, 1 finished" in ended
    assert "1 logs sealed" in ended
    build = writer.http.get(f"/builds/{log['build']}").json()
    shown = build["steps"][0]["logs"][0]
    assert (build["state"], build["results"]) == ("finished", "exception")
    assert (shown["state"], shown["completeness"], shown["sealed"]) == ("finished", "abandoned", True)
    assert writer.http.get(f"/logs/{log['id']}/raw").text == "one\n"
    late = writer.chunks(log["id"], entry(0, b"two\n"), 4)
    assert (late.status_code, late.json()["type"], late.headers["Upload-Offset"]) == (409, "finished", "4")
