"""`buildlogs log`: files as logs of steps that others began."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import Agent
from contract_server import ContractServer, Problem, Request


def logs_of(server: ContractServer, step: int) -> dict[str, bytes]:
    return {log.name: log.channel(0) for log in server.logs if log.step == step}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "coverage.txt"
    path.write_bytes(b"line\n" * 1000)
    return path


def test_a_file_joins_the_step_that_has_run(agent: Agent, server: ContractServer, file: Path) -> None:
    script = f"buildlogs step compile -- echo out; buildlogs log compile {file}; buildlogs step other -- true"
    done = agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"")
    assert [step["name"] for step in server.steps] == ["compile", "other"]
    assert logs_of(server, 1) == {"stdio": b"out\n", "coverage.txt": file.read_bytes()}
    log = server.logs[1]
    assert (log.type, log.channel(2)) == ("text", b"")
    assert "sha256" in log.finish
    assert server.steps[0]["results"] == "success"


def test_a_file_joins_a_step_that_is_running_and_leaves_its_end_to_it(
    agent: Agent, server: ContractServer, file: Path
) -> None:
    script = f"buildlogs step compile -- sh -c 'buildlogs log --name report --type html compile {file}; exit 4'"
    assert agent.run("build", "--builder", "b", "--", "sh", "-c", script).returncode == 4
    assert [(step["name"], step["results"]) for step in server.steps] == [("compile", "failure")]
    assert sorted((log.name, log.type) for log in server.logs) == [("report", "html"), ("stdio", "stdio")]


def test_the_last_step_of_that_name_is_meant(agent: Agent, server: ContractServer, file: Path) -> None:
    script = f"buildlogs step test -- true; buildlogs step test -- true; buildlogs log test {file}"
    agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert set(logs_of(server, 2)) == {"stdio", "coverage.txt"}


def test_a_step_of_another_machine_is_asked_of_the_server(agent: Agent, server: ContractServer, file: Path) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    for number in (1, 2):
        server.steps.append({"id": number, "build": 1, "name": "mine", "number": number, "results": None})
    assert agent.run("log", "mine", str(file), env={"BUILDLOGS_BUILD": "1"}).returncode == 0
    assert set(logs_of(server, 2)) == {"coverage.txt"}
    assert server.steps[1]["results"] is None


def test_a_step_that_nobody_has_is_made_and_finished(agent: Agent, server: ContractServer, file: Path) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})

    def write_only(request: Request) -> None:
        if request.method == "GET":
            raise Problem(403, "forbidden")

    server.faults = write_only
    agent.run("log", "report", str(file), env={"BUILDLOGS_BUILD": "1"})
    assert [(step["name"], step["results"]) for step in server.steps] == [("report", "success")]
    assert set(logs_of(server, 1)) == {"coverage.txt"}


def test_with_the_server_away_file_and_step_find_each_other_later(
    agent: Agent, server: ContractServer, file: Path
) -> None:
    server.stop()
    script = f"buildlogs log compile {file}; buildlogs step compile -- sh -c 'echo out; exit 3'"
    script += f"; buildlogs log --name second compile {file}"
    built = agent.run("build", "--builder", "b", "--", "sh", "-c", script, env={"BUILDLOGS_PATIENCE": "0.1"})
    assert built.returncode == 0
    assert len(agent.spooled()) == 3
    server.start()
    flushed = agent.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    assert [(step["name"], step["results"]) for step in server.steps] == [("compile", "failure")]
    assert set(logs_of(server, 1)) == {"stdio", "coverage.txt", "second"}
    assert server.builds[0]["results"] == "success"


def test_standard_input_can_be_a_file(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    with agent.start("log", "x", "-", "--name", "n", env={"BUILDLOGS_BUILD": "1"}, stdin=subprocess.PIPE) as process:
        assert process.communicate(b"text", timeout=30) == (b"", b"")
    assert logs_of(server, 1) == {"n": b"text"}


def test_a_file_is_masked(agent: Agent, server: ContractServer, tmp_path: Path) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    path = tmp_path / "big"
    path.write_bytes(b"x" * (1024 * 1024 - 5) + b"value-of-token" + b"y")
    agent.run("log", "x", str(path), env={"BUILDLOGS_BUILD": "1", "A_TOKEN": "value-of-token"})
    assert logs_of(server, 1) == {"big": b"x" * (1024 * 1024 - 5) + b"***y"}


def test_a_big_file_needs_no_more_spool_than_the_server_is_behind(
    agent: Agent, server: ContractServer, tmp_path: Path
) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 4096 * 24)
    few = "import buildlogs_agent.files as f; f.MAX_AHEAD_BYTES = 2 * 1024 * 1024"
    env = {"BUILDLOGS_BUILD": "1", "BUILDLOGS_SPOOL_BYTES": str(8 * 1024 * 1024)}
    done = agent.run_on_a_machine_where(few, "log", "x", str(path), env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert server.logs[0].skipped == []
    assert bytes(server.logs[0].payload) == path.read_bytes()


@pytest.mark.parametrize("arguments", [["x", "/no/such/file"], ["x", "/"], ["x", "-"], ["x"]])
def test_what_cannot_be_read_is_a_mistake_and_sends_nothing(
    agent: Agent, server: ContractServer, arguments: list[str]
) -> None:
    wrong = agent.run("log", *arguments, env={"BUILDLOGS_BUILD": "1"})
    assert wrong.returncode == 125
    assert wrong.stderr.startswith(b"buildlogs: ")
    assert server.requests == []


def test_an_interrupted_file_is_left_for_flush(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    reading, writing = os.pipe()
    with agent.start("log", "x", "-", "--name", "n", env={"BUILDLOGS_BUILD": "1"}, stdin=reading) as process:
        os.write(writing, b"as far as it came\n")
        server.wait_for(lambda: server.logs and server.logs[0].received)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
    os.close(reading)
    os.close(writing)
    assert agent.run("flush").returncode == 0
    assert logs_of(server, 1) == {"n": b"as far as it came\n"}
    assert server.logs[0].finish is not None
