"""`buildlogs pipe`, and pipes whose reader goes away."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE_SECONDS, Agent
from contract_server import ContractServer

IMPATIENT = "import buildlogs_agent.output as o; o.READERLESS_SECONDS = 0.3"


def write_without_end(descriptor: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        os.write(descriptor, b"more\n")
        time.sleep(0.01)


@pytest.fixture
def build(server: ContractServer) -> dict[str, str]:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    return {"BUILDLOGS_BUILD": "1"}


def shell(agent: Agent, script: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    environment = {**agent.environment, **env}
    command = ["bash", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False)


def test_a_pipe_is_a_step_and_passes_through_unchanged(
    agent: Agent, server: ContractServer, build: dict[str, str]
) -> None:
    done = shell(agent, "seq 100000 | buildlogs pipe compile", build)
    text = b"".join(b"%d\n" % number for number in range(1, 100_001))
    assert (done.returncode, done.stdout, done.stderr) == (0, text, b"")
    assert server.logs[0].channel(0) == text
    assert [server.steps[0]["name"], server.steps[0]["results"]] == ["compile", "success"]
    header = server.logs[0].channel(2).decode()
    assert header.startswith("standard input of buildlogs pipe compile\n in dir ")
    assert "\nend of input\nelapsedTime=" in header
    assert "sha256" in server.logs[0].finish


def test_a_pipe_says_what_it_is_told_and_masks(agent: Agent, server: ContractServer, build: dict[str, str]) -> None:
    shell(agent, "echo $A_TOKEN | buildlogs pipe --results warnings x", {**build, "A_TOKEN": "value-of-token"})
    assert server.steps[0]["results"] == "warnings"
    assert server.logs[0].channel(0) == b"***\n"


def test_a_file_is_as_good_as_a_pipe(
    agent: Agent, server: ContractServer, build: dict[str, str], tmp_path: object
) -> None:
    done = shell(agent, f"echo text > {tmp_path}/f; buildlogs pipe x < {tmp_path}/f; buildlogs pipe y <&-", build)
    assert (done.returncode, done.stdout) == (0, b"text\n")
    assert [log.channel(0) for log in server.logs] == [b"text\n", b""]


def test_the_writer_is_not_stopped_by_a_server_that_is_away(agent: Agent, server: ContractServer) -> None:
    server.stop()
    env = {"BUILDLOGS_BUILD": "1", "BUILDLOGS_PATIENCE": "0.1"}
    done = shell(agent, "set -o pipefail; seq 300000 | buildlogs pipe x | tail -1", env)
    assert (done.returncode, done.stdout) == (0, b"300000\n")
    assert len(agent.spooled()) == 1


def test_a_pipe_without_a_spool_is_cat(agent: Agent) -> None:
    (agent.spool / "builds").mkdir(parents=True)
    (agent.spool / "logs").write_text("in the way")
    env = {"BUILDLOGS_BUILD": "1", "TMPDIR": "/proc"}
    done = agent.run_on_a_machine_where("import tempfile; tempfile.tempdir = '/proc'", "pipe", "x", env=env)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"without a log" in done.stderr


def test_a_writer_without_end_is_ended_when_the_reader_goes(agent: Agent, server: ContractServer) -> None:
    done = shell(agent, "buildlogs run --builder b -- yes | head -1; echo ${PIPESTATUS[0]}", {})
    assert done.stdout == b"y\n141\n"
    assert b"nobody reads the output" in server.logs[0].channel(2)
    assert b"process killed by signal 13\n" in server.logs[0].channel(2)
    assert server.logs[0].received > 16 * 1024 * 1024
    assert server.logs[0].finish is not None


def test_a_pipe_between_a_writer_without_end_and_a_reader_that_goes_ends_both(
    agent: Agent, server: ContractServer, build: dict[str, str]
) -> None:
    done = shell(agent, "yes | buildlogs pipe x | head -1; echo ${PIPESTATUS[@]}", build)
    assert done.stdout == b"y\n141 141 0\n"
    assert server.logs[0].finish is not None


def test_a_slow_writer_is_told_as_well_that_the_reader_has_gone(agent: Agent, server: ContractServer) -> None:
    agent.bin.joinpath("buildlogs").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c '{IMPATIENT}\n"
        'import sys; from buildlogs_agent.__main__ import main; sys.exit(main())\' "$@"\n'
    )
    ticking = "while :; do echo tick; sleep 0.05; done"
    done = shell(agent, f"buildlogs run --builder b -- bash -c '{ticking}' | head -1; echo ${{PIPESTATUS[0]}}", {})
    assert done.stdout == b"tick\n141\n"
    assert len(server.logs[0].channel(0).splitlines()) > 1


def test_a_signal_ends_a_pipe_whose_writer_lives_on(
    agent: Agent, server: ContractServer, build: dict[str, str]
) -> None:
    with agent.start("pipe", "x", env=build, stdin=subprocess.PIPE) as process:
        process.stdin.write(b"text\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"text\n"
        process.terminate()
        assert process.wait(20) == 143
        with pytest.raises(BrokenPipeError):
            write_without_end(process.stdin.fileno())
    assert server.steps[0]["results"] == "cancelled"
    assert server.logs[0].channel(0) == b"text\n"
