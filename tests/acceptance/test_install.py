"""docs/install.md followed word for word, from an empty folder to a build on a site of two processes behind nginx.

The commands are taken from the page and typed into one shell, in their order; other folders, ports and a database that
is there already are put in the place of those that need root. Where a block is marked as not run, the test does by
hand what it stands for: it starts what the unit's ExecStart says, and an nginx of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.client import Viewer
from tests.acceptance.nginx import Front
from tests.acceptance.server import ROOT, free_port
from tests.environment import clean_environment

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(420)]

PAGE = ROOT / "docs" / "install.md"
BLOCK = re.compile(r"(?P<mark><!-- not run: [^>]+ -->\n)?```sh\n(?P<commands>.*?)```\n", re.DOTALL)
STOP_SECONDS = 15
SEALED_SECONDS = 60
UPKEEP = "systemctl enable --now buildlogs-upkeep"
NOT_RUN = ("apt-get", "sudo -u postgres", "systemctl daemon-reload", UPKEEP, "nginx -t", "git pull")
"""How the blocks that are not run begin or what they hold, so that no other one slips out of the test."""


@dataclass
class Machine:
    """The places of the page on this machine."""

    root: Path
    ports: tuple[int, int]
    front: Front
    database: str
    redis: str

    @property
    def data(self) -> Path:
        return self.root / "var"

    def translated(self, text: str) -> str:
        """The page's text with this machine's places."""
        changes = {
            "https://git.example.org/buildlogs.git": str(ROOT),
            "postgres://buildlogs:PASSWORD@127.0.0.1:5432/buildlogs": self.database,
            "redis://127.0.0.1:6379/0": self.redis,
            "http://logs.example.org": self.front.url,
            "/opt/buildlogs": str(self.root / "opt"),
            "/var/lib/buildlogs": str(self.data),
            "/etc/buildlogs.env": str(self.root / "etc" / "buildlogs.env"),
            "/etc/systemd/system/": f"{self.root}/etc/",
            "/etc/nginx/conf.d/": f"{self.root}/etc/",
            "8001": str(self.ports[0]),
            "8002": str(self.ports[1]),
        }
        written = "|".join(rf"(?<![\w]){re.escape(each)}(?!\d)" for each in changes)
        return re.sub(written, lambda found: changes[found[0]], text)  # in one go: a place may look like another


class Shell:
    """One bash into which commands are typed; it ends at the first that fails."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = clean_environment(PATH=path, HOME=str(folder), PIP_CACHE_DIR=pip_cache())
        self._bash = subprocess.Popen(
            ["bash", "-e"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, commands: str) -> str:
        """Run commands; returns what they printed."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{commands}\necho; echo END-OF-BLOCK\n")
        self._bash.stdin.flush()
        said: list[str] = []
        for line in self._bash.stdout:
            if line == "END-OF-BLOCK\n":
                return "".join(said)
            said.append(line)
        raise AssertionError(f"this block failed:\n{commands}\n{''.join(said)}")

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait(STOP_SECONDS)


def pip_cache() -> str:
    """pip's usual cache, so that nothing is fetched twice; the shell's HOME is empty."""
    return os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))


def blocks() -> list[tuple[bool, str]]:
    """The page's blocks of commands: whether they are run, and the commands."""
    return [(match["mark"] is None, match["commands"]) for match in BLOCK.finditer(PAGE.read_text())]


@pytest.fixture
def machine(tmp_path: Path, postgres_url: str, redis_url: str, nginx: str) -> Machine:
    for folder in ("opt", "etc", "var", "nginx"):
        (tmp_path / folder).mkdir()
    return Machine(tmp_path, (free_port(), free_port()), Front(nginx, tmp_path / "nginx"), postgres_url, redis_url)


@pytest.fixture
def shell(machine: Machine) -> Iterator[Shell]:
    opened = Shell(machine.root)
    yield opened
    opened.close()


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.terminate()
    for process in started:
        process.wait(STOP_SECONDS)


def start_by_unit(machine: Machine, name: str, instances: list[str]) -> list[subprocess.Popen[bytes]]:
    """Do what systemd would: check the unit, and start each instance with its environment and folder."""
    unit = machine.root / "etc" / name
    text = machine.translated(unit.read_text())
    unit.write_text(text)
    if shutil.which("systemd-analyze"):
        verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        assert unit.stem not in verified.stderr, verified.stderr
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    lines = [line for line in Path(values["EnvironmentFile"]).read_text().splitlines() if line[:1] not in ("", "#")]
    environment = clean_environment(**dict(line.split("=", 1) for line in lines))
    started = []
    for instance in instances:
        command = shlex.split(values["ExecStart"].replace("%i", instance))
        with (machine.root / f"{unit.stem}{instance}.log").open("wb") as log:
            started.append(
                subprocess.Popen(command, cwd=values["WorkingDirectory"], env=environment, stdout=log, stderr=log)
            )
    return started


def start_nginx(machine: Machine) -> subprocess.Popen[bytes]:
    """Include the file that was copied in a configuration of nginx's own, check it, and start."""
    site = machine.translated((machine.root / "etc" / "buildlogs.conf").read_text())
    machine.front.write(site.replace("listen 80;", f"listen 127.0.0.1:{machine.front.port};"))
    machine.front.check()
    return machine.front.start()


async def test_a_reader_who_follows_the_page_ends_with_a_build_on_the_site(
    machine: Machine, shell: Shell, processes: list[subprocess.Popen[bytes]]
) -> None:
    said = ""
    for is_run, commands in blocks():
        if is_run:
            if "deploy/buildlogs.env" in commands:  # the one file that the page has copied before it is looked at
                said += shell.type(machine.translated(commands))
                environment = machine.root / "etc" / "buildlogs.env"
                environment.write_text(machine.translated(environment.read_text()))
            else:
                said += shell.type(machine.translated(commands))
        elif UPKEEP in commands:
            processes += start_by_unit(machine, "buildlogs-upkeep.service", [""])
        elif "systemctl enable" in commands:
            processes += start_by_unit(machine, "buildlogs@.service", [str(port) for port in machine.ports])
        elif "nginx -t" in commands:
            processes.append(start_nginx(machine))
        else:
            assert any(words in commands for words in NOT_RUN), commands

    assert said.count('"status": "ok", "database": "ok", "layer": "ok", "data_directory": "ok"') == 3
    assert "hello\n" in said
    token = (machine.root / "my-machine.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    with httpx.Client(base_url=machine.front.url, headers=headers) as client:
        [build] = client.get("/api/v1/builds").json()["items"]
        assert (build["project"], build["builder"], build["state"], build["results"]) == (
            "demo",
            "first",
            "finished",
            "success",
        )
        [step] = client.get(f"/api/v1/builds/{build['id']}").json()["steps"]
        [log] = step["logs"]
        assert log["completeness"] == "verified"
        text = client.get(log["links"]["raw"])
        assert (b"hello\n" in text.content, b"careful\n" in text.content) == (True, True)
        assert client.get(log["links"]["raw"], headers={"Range": "bytes=0-3"}).content == text.content[:4]
        assert b"hello" in client.get(log["url"]).content
        assert client.get("/api/v1/builds", headers={"Authorization": "Bearer bl_no"}).status_code == 401
        assert client.get("/static/logviewer/css/base.css").status_code == 200
        deadline = time.monotonic() + SEALED_SECONDS
        while not client.get(f"/api/v1/logs/{log['id']}").json()["sealed"]:  # by upkeep's own process: servers do none
            assert time.monotonic() < deadline, (machine.root / "buildlogs-upkeep.log").read_text()
            await asyncio.sleep(0.2)
    viewer = await Viewer(machine.front.websocket_url, log["id"], token=token).watch()
    assert (bytes(viewer.data), viewer.close_code) == (text.content, 1000)
    for port in machine.ports:
        lines = (machine.root / f"buildlogs@{port}.log").read_text().splitlines()
        told = [json.loads(line) for line in lines]
        assert {line["logger"] for line in told} <= {"buildlogs.access"}, lines
        assert token not in "".join(lines)


def test_each_block_that_is_not_run_is_one_that_could_not_be() -> None:
    for is_run, commands in blocks():
        assert is_run != any(words in commands for words in NOT_RUN), commands


def test_upkeep_is_kept_from_all_that_a_server_is_kept_from() -> None:
    server, upkeep = [
        (ROOT / "deploy" / name).read_text().partition("NoNewPrivileges")[2]
        for name in ("buildlogs@.service", "buildlogs-upkeep.service")
    ]
    assert server == upkeep
