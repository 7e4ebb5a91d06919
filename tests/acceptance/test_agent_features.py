"""What the agent offers, against the real server: masks, terminals, timeouts, pipes, files, leftovers, heartbeats."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.server import ROOT, SEALS_NOTHING, Server, running_server

SECONDS = 120
SECRET = "a secret/with+signs"
OFTEN = "import buildlogs_agent.heartbeat as h; h.HEARTBEAT_SECONDS = 0.1"


class Machine:
    """A build machine with an agent; `buildlogs` is on its PATH."""

    def __init__(self, server: Server, token: str, directory: Path) -> None:
        self.http = httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"})
        command = directory / "buildlogs"
        command.write_text(
            f"#!{sys.executable}\n{OFTEN}\nfrom buildlogs_agent.__main__ import main\nraise SystemExit(main())\n"
        )
        command.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BUILDLOGS_")},
            "PATH": f"{directory}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "agent"),
            "BUILDLOGS_SERVER": server.url,
            "BUILDLOGS_TOKEN": token,
            "BUILDLOGS_PROJECT": "features",
            "BUILDLOGS_SPOOL": str(directory / "spool"),
            "DEPLOY_TOKEN": SECRET,
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["buildlogs", *arguments],
            env={**self.environment, **environment},
            executable=f"{self.environment['PATH'].split(':')[0]}/buildlogs",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def last_build(self, builder: str) -> dict[str, Any]:
        build = self.http.get("/builds", params={"project": "features", "builder": builder}).json()["items"][0]
        return dict(self.http.get(f"/builds/{build['id']}").json())

    def raw(self, log: dict[str, Any]) -> str:
        return self.http.get(f"/logs/{log['id']}/raw", headers={"Accept-Encoding": "identity"}).text


@pytest.fixture(scope="module")
def agents_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, which is away for a while."""
    with running_server(tmp_path_factory.mktemp("agents"), environment=SEALS_NOTHING) as server:
        yield server


@pytest.fixture(scope="module")
def write_token(agents_server: Server) -> str:
    return agents_server.token()


@pytest.fixture
def machine(agents_server: Server, write_token: str, tmp_path: Path) -> Machine:
    return Machine(agents_server, write_token, tmp_path)


def test_a_build_of_all_kinds_of_steps_and_logs_arrives_without_its_secrets(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(f"<p>{SECRET}</p>\n")
    script = f"""
        buildlogs step "compile $DEPLOY_TOKEN" -- \\
            sh -c 'echo "token: $DEPLOY_TOKEN"; printf %s "$DEPLOY_TOKEN" | base64'
        buildlogs step --pty --env-values test -- sh -c 'test -t 1 && echo "on a terminal" && exit 4'
        (echo piped; echo "$DEPLOY_TOKEN") | buildlogs pipe --results warnings package >/dev/null
        buildlogs log --type html test {tmp_path}/report.html
        echo "$DEPLOY_TOKEN" | buildlogs log --name notes package -
        exit 5
    """
    done = machine.run("build", "--builder", "all", "--title", f"with {SECRET}", "--", "sh", "-c", script)
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout == f"token: {SECRET}\n{encoded}\non a terminal\n"

    build = machine.last_build("all")
    assert (build["title"], build["results"]) == ("with ***", "failure")
    steps = [(step["name"], step["results"], [log["name"] for log in step["logs"]]) for step in build["steps"]]
    assert steps == [
        ("compile ***", "success", ["stdio"]),
        ("test", "failure", ["stdio", "report.html"]),
        ("package", "warnings", ["stdio", "notes"]),
    ]
    logs = {(step["name"], log["name"]): log for step in build["steps"] for log in step["logs"]}
    assert {log["completeness"] for log in logs.values()} == {"verified"}
    texts = {name: machine.raw(log) for name, log in logs.items()}
    assert not any(SECRET in text or encoded in text for text in texts.values())
    assert "\ntoken: ***\n***\nprogram finished with exit code 0\n" in texts["compile ***", "stdio"]
    assert "\n  DEPLOY_TOKEN=***\n" in texts["test", "stdio"]
    assert "\non a terminal\r\n" in texts["test", "stdio"]
    assert "\npiped\n***\nend of input\n" in texts["package", "stdio"]
    assert (texts["test", "report.html"], texts["package", "notes"]) == ("<p>***</p>\n", "***\n")
    assert (logs["test", "report.html"]["type"], logs["package", "notes"]["type"]) == ("html", "text")


def test_a_command_that_hangs_is_ended_and_its_log_says_so(machine: Machine) -> None:
    script = "echo begun; sleep 60 & sleep 60"
    done = machine.run("run", "--builder", "hanging", "--idle-timeout", "0.5", "--", "sh", "-c", script)
    assert done.returncode == 124
    step = machine.last_build("hanging")["steps"][0]
    assert step["results"] == "failure"
    text = machine.raw(step["logs"][0])
    assert "\nbegun\ncommand timed out: 0.5 seconds without output running ['sh', '-c'" in text
    assert "\nprocess killed by signal 15\n" in text


def test_heartbeats_come_while_a_command_is_silent(machine: Machine, agents_server: Server) -> None:
    assert machine.run("run", "--builder", "silent", "--", "sleep", "1").stderr == ""
    build = machine.last_build("silent")["id"]
    beats = [line for line in agents_server.log_path.read_text().splitlines() if f"/builds/{build}/heartbeat" in line]
    assert len(beats) >= 2
    assert all(" 200 " in line for line in beats), beats


def test_what_was_left_while_the_server_was_away_is_flushed(machine: Machine, agents_server: Server) -> None:
    agents_server.stop()
    script = "buildlogs step first -- echo one; echo two | buildlogs log --name notes first -"
    done = machine.run("build", "--builder", "away", "--", "sh", "-c", script, BUILDLOGS_PATIENCE="0.1")
    assert (done.returncode, done.stdout) == (0, "one\n")
    assert machine.run("flush", BUILDLOGS_PATIENCE="0.1").returncode == 1
    agents_server.start()
    flushed = machine.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    build = machine.last_build("away")
    assert build["results"] == "success"
    logs = {log["name"]: log for log in build["steps"][0]["logs"]}
    assert set(logs) == {"stdio", "notes"}
    assert {log["completeness"] for log in logs.values()} == {"verified"}
    assert machine.raw(logs["notes"]) == "two\n"
    assert machine.run("flush").returncode == 0


@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_log_for_which_the_server_had_no_place_is_flushed_and_then_its_build_ends(
    machine: Machine, agents_server: Server, verb: str
) -> None:
    logs, unmounted = agents_server.data_dir / "logs", agents_server.data_dir / "unmounted"
    logs.mkdir(exist_ok=True)
    logs.rename(unmounted)
    logs.touch()  # the database works, and no log can be made
    command = ["sh", "-c", "echo out; exit 3"]
    if verb == "build":
        command = ["buildlogs", "step", "one", "--", *command]
    try:
        done = machine.run(verb, "--builder", f"full-{verb}", "--", *command, BUILDLOGS_PATIENCE="0.3")
    finally:
        logs.unlink()
        unmounted.rename(logs)
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert machine.last_build(f"full-{verb}")["results"] is None
    flushed = machine.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    build = machine.last_build(f"full-{verb}")
    (step,) = build["steps"]
    (log,) = step["logs"]
    assert (build["results"], step["results"], log["completeness"]) == ("failure", "failure", "verified")
    assert "out\n" in machine.raw(log)
