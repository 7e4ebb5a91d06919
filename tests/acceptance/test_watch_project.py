"""/ws/projects/{slug}/: a snapshot with the newest builds, then which begin and end, in order."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from logviewer.doors.watch_project import SNAPSHOT_BUILDS
from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_watch_log import refused
from tests.acceptance.watched_noun import watching


@pytest.fixture
def project(writer: Writer) -> str:
    """A private project that no other test knows, with one finished build."""
    slug = f"watched-{secrets.token_hex(4)}"
    build = writer.post("/builds", {"project": slug, "builder": "linux"})
    writer.post(f"/builds/{build['id']}/finish", {"results": "warnings"})
    return slug


def in_thread(writer: Writer, path: str, body: dict[str, Any]) -> Any:
    return asyncio.to_thread(writer.post, path, body)


async def test_builds_are_seen_to_begin_and_end(server: Server, writer: Writer, token: str, project: str) -> None:
    async with watching(server.websocket_url, f"/ws/projects/{project}/", token) as viewer:
        snapshot = await viewer.event()
        shown = {name: value for name, value in snapshot.items() if name not in ("type", "version", "builds")}
        assert (snapshot["type"], shown) == ("snapshot", writer.http.get(f"/projects/{project}").json())
        assert snapshot["builds"] == writer.http.get("/builds", params={"project": project}).json()["items"]
        build = await in_thread(writer, "/builds", {"project": project, "builder": "linux", "title": "second"})
        step = await in_thread(writer, f"/builds/{build['id']}/steps", {"name": "compile"})
        log = await in_thread(writer, f"/steps/{step['id']}/logs", {"name": "stdio"})
        await asyncio.to_thread(writer.chunks, log["id"], entry(0, b"steps and output are no news here\n"))
        await in_thread(writer, f"/logs/{log['id']}/finish", {})
        await in_thread(writer, f"/builds/{build['id']}/finish", {"results": "failure"})
        began, ended = await viewer.event(), await viewer.event()
        assert (began["type"], began["build"]["title"], began["build"]["number"]) == ("buildStarted", "second", 2)
        assert (ended["type"], ended["build"]["state"], ended["build"]["results"]) == (
            "buildFinished", "finished", "failure",
        )  # fmt: skip
        assert viewer.versions == [snapshot["version"] + number for number in range(3)]


async def test_a_snapshot_has_the_newest_builds_and_no_more(
    server: Server, writer: Writer, token: str, project: str
) -> None:
    for _ in range(SNAPSHOT_BUILDS):
        writer.post("/builds", {"project": project, "builder": "linux"})
    async with watching(server.websocket_url, f"/ws/projects/{project}/", token) as viewer:
        builds = (await viewer.event())["builds"]
        assert [build["number"] for build in builds] == list(range(SNAPSHOT_BUILDS + 1, 1, -1))


async def test_a_client_may_ask_for_a_snapshot(server: Server, token: str, project: str) -> None:
    async with watching(server.websocket_url, f"/ws/projects/{project}/", token) as viewer:
        first = await viewer.event()
        await viewer.ask({"type": "snapshot"})
        assert await viewer.event() == first


async def test_an_event_that_was_never_announced_is_noticed(server: Server, token: str, project: str) -> None:
    async with watching(server.websocket_url, f"/ws/projects/{project}/", token) as viewer:
        version = (await viewer.event())["version"]
        create = f"from logviewer.intake.builds import *; create_build(NewBuild('{project}', 'elsewhere'))"
        await asyncio.to_thread(server.manage, "shell", "--verbosity=0", "--command", create)
        event = await viewer.event()
        assert (event["type"], event["version"]) == ("snapshot", version + 1)
        assert event["builds"][0]["builder"] == "elsewhere"


@pytest.mark.bad_input("a message that makes no sense")
async def test_anything_else_is_4400(server: Server, token: str, project: str) -> None:
    async with watching(server.websocket_url, f"/ws/projects/{project}/", token) as viewer:
        await viewer.event()
        await viewer.ask({"type": "snapshot", "builds": 10_000})
        await viewer.connection.wait_closed()
        assert viewer.connection.close_code == 4400


@pytest.mark.bad_input("a token for another project")
async def test_who_may_not_see_the_project_is_told_4404(server: Server, token: str, project: str) -> None:
    await refused(server, f"/ws/projects/{project}/", 4404)
    await refused(server, "/ws/projects/no-such-project/", 4404, token)
    await refused(server, "/ws/projects/UPPER%00case/", 4404, token)
    await refused(server, f"/ws/projects/{project}/", 4401, "bl_wrong")
    other = server.token("--project", "another-project")
    await refused(server, f"/ws/projects/{project}/", 4404, other)


async def test_what_is_deleted_meanwhile_is_4410(server: Server, writer: Writer, token: str, project: str) -> None:
    build = writer.post("/builds", {"project": project, "builder": "linux"})
    async with (
        watching(server.websocket_url, f"/ws/projects/{project}/", token) as of_project,
        watching(server.websocket_url, f"/ws/builds/{build['id']}/", token) as of_build,
    ):
        await of_project.event()
        await of_build.event()
        delete = f"from logviewer.models import Project; Project.objects.get(slug='{project}').delete()"
        await asyncio.to_thread(server.manage, "shell", "--verbosity=0", "--command", delete)
        for viewer in (of_project, of_build):
            await asyncio.wait_for(viewer.connection.wait_closed(), 20)
            assert viewer.connection.close_code == 4410
