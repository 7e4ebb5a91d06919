"""Builds and projects watched through two server processes while both are written to, and announcements get lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.acceptance.client import Writer
from tests.acceptance.server import Server
from tests.acceptance.test_several_processes import two_servers  # noqa: F401  # a fixture
from tests.acceptance.watched_noun import NounViewer, watching

WRITERS = 4
BUILDS_EACH = 3
STEPS = 3
PATIENCE_SECONDS = 30

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.parametrize("two_servers", ["daphne"], indirect=True),
]


class Picture:
    """What a client knows of builds and steps, by id, from a snapshot and the events after it."""

    def __init__(self) -> None:
        self.builds: dict[int, dict[str, Any]] = {}
        self.steps: dict[int, dict[str, Any]] = {}

    def take(self, message: dict[str, Any]) -> None:
        steps = message.get("steps", [message["step"]] if isinstance(message.get("step"), dict) else [])
        self.steps |= {step["id"]: step for step in steps}
        builds = message.get("builds", [message["build"]] if "build" in message else [])
        self.builds |= {build["id"]: build for build in builds}


class Watcher:
    """A viewer that takes what comes into its picture."""

    def __init__(self, server: Server, path: str, token: str) -> None:
        self.path = path
        self.picture = Picture()
        self.viewer: NounViewer | None = None
        self.task = asyncio.ensure_future(self._watch(server, token))

    async def _watch(self, server: Server, token: str) -> None:
        async with watching(server.websocket_url, self.path, token) as self.viewer:
            while True:
                self.picture.take(await self.viewer.next())

    async def until(self, version: int) -> None:
        """Wait until it was brought to that version, and end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.viewer is None or not self.viewer.versions or self.viewer.versions[-1] < version:
                assert not self.task.done(), self.task.exception()
                await asyncio.sleep(0.02)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def write_builds(writers: list[Writer], shared_build: int, number: int) -> None:
    """Create and finish builds and steps, each call through the next process."""
    for build_number in range(BUILDS_EACH):
        process = writers[(number + build_number) % 2]
        build = process.post("/builds", {"project": "many", "builder": f"builder-{number}"})
        for step_number in range(STEPS):
            name = f"{number}-{build_number}-{step_number}"
            step = writers[step_number % 2].post(f"/builds/{shared_build}/steps", {"name": name})
            writers[(step_number + 1) % 2].post(f"/steps/{step['id']}/finish", {"results": "success"})
        writers[(number + build_number + 1) % 2].post(f"/builds/{build['id']}/finish", {"results": "success"})


async def test_versions_follow_each_other_and_all_viewers_end_with_the_same_picture(
    two_servers: tuple[Server, Server],  # noqa: F811  # the fixture
) -> None:
    token = two_servers[0].token()
    writers = [Writer(server.url, token) for server in two_servers]
    shared = writers[0].post("/builds", {"project": "many", "builder": "shared"})["id"]
    of_build, of_project = f"/ws/builds/{shared}/", "/ws/projects/many/"
    watchers = [Watcher(server, path, token) for server in two_servers for path in (of_build, of_project)]
    await asyncio.gather(*(asyncio.to_thread(write_builds, writers, shared, number) for number in range(WRITERS)))
    # 1 for the start, then each step's start and end; of the project 1, the shared build, and each build twice.
    last_versions = {of_build: 1 + 2 * WRITERS * BUILDS_EACH * STEPS, of_project: 2 + 2 * WRITERS * BUILDS_EACH}
    for path, version in last_versions.items():
        async with watching(two_servers[0].websocket_url, path, token) as late:
            assert (await late.event())["version"] == version
    for watcher in watchers:
        await watcher.until(last_versions[watcher.path])
    lost = [watcher.viewer.snapshots - 1 for watcher in watchers if watcher.viewer]
    print(f"snapshots in place of lost events: {lost}")

    build = writers[0].http.get(f"/builds/{shared}").json()
    listed = writers[0].http.get("/builds", params={"project": "many"}).json()["items"]
    for watcher in watchers:
        if watcher.path == of_build:
            assert watcher.picture.steps == {step["id"]: step for step in build["steps"]}
        else:
            assert watcher.picture.builds == {each["id"]: each for each in listed}
