"""A finished build takes no new log: it is not finished before each of its logs is there, however long that takes."""

from __future__ import annotations

import fcntl
from typing import Callable

import pytest
from conftest import Agent
from contract_server import ContractServer, Hangup, Problem, Request

HASTY = {"BUILDLOGS_PATIENCE": "0.3"}
SAY = ["sh", "-c", "echo out; exit 3"]
VERBS = {
    "run": ["run", "--builder", "b", "--", *SAY],
    "build": ["build", "--builder", "b", "--", "sh", "-c", "buildlogs step one -- sh -c 'echo out; exit 3'"],
    "build, log": ["build", "--builder", "b", "--", "sh", "-c", "echo out | buildlogs log --name stdio one -; exit 3"],
    "build, pipe": ["build", "--builder", "b", "--", "sh", "-c", "echo out | buildlogs pipe one; exit 3"],
}


def until(condition: str) -> str:
    """A line of shell that waits for that, or 20 s."""
    return f"n=0; until {condition} || [ $((n+=1)) -gt 1000 ]; do sleep 0.02; done"


def requested(server: ContractServer, path_end: str) -> int:
    return len([path for _, path in server.requests if path.endswith(path_end)])


def failing(
    server: ContractServer, path_end: str, fault: Exception, pending: bool = False
) -> Callable[[Request], None]:
    """What ends in `path_end` fails; with `pending` also the first attempt to create the build."""

    def strike(request: Request) -> None:
        if request.path.endswith(path_end) or (pending and requested(server, "/builds") == 1):
            raise fault

    return strike


def assert_delivered(agent: Agent, server: ContractServer) -> None:
    (log,) = server.logs
    assert log.channel(0) == b"out\n"
    assert log.finish is not None
    assert log.finish["received"] == log.received
    assert "sha256" in log.finish
    assert "unverified" not in log.finish
    assert len(server.builds) == len(server.steps) == 1
    assert server.builds[0]["results"] == "failure"
    assert agent.spooled() == []
    assert list((agent.spool / "builds").iterdir()) == []


@pytest.mark.parametrize("pending", [False, True], ids=["id", "pending"])
@pytest.mark.parametrize(
    ("path_end", "fault"),
    [("/steps", Problem(503)), ("/logs", Problem(507, "storage-full")), ("/logs", Hangup()), ("/chunks", Problem(507))],
    ids=["step", "log", "no answer", "output"],
)
@pytest.mark.parametrize("verb", VERBS)
def test_a_build_whose_log_was_given_up_is_finished_by_flush_with_its_results(
    agent: Agent, server: ContractServer, verb: str, path_end: str, fault: Exception, pending: bool
) -> None:
    server.faults = failing(server, path_end, fault, pending)
    done = agent.run(*VERBS[verb], env=HASTY)
    assert done.returncode == 3
    assert b"kept in" in done.stderr
    assert server.builds[0]["results"] is None
    again = agent.run("flush", env=HASTY)
    assert again.returncode == 1
    assert b"1 logs and the results of 1 builds are left" in again.stderr
    assert server.builds[0]["results"] is None
    server.faults = lambda request: None
    flushed = agent.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    assert_delivered(agent, server)
    assert server.steps[0]["results"] == ("success" if verb in ("build, log", "build, pipe") else "failure")


def test_a_log_that_a_fault_of_the_agents_own_kept_back_is_delivered_by_flush(
    agent: Agent, server: ContractServer
) -> None:
    fault = "from buildlogs_agent.api import Api\ndef create_log(*args): raise KeyError('oops')\n"
    done = agent.run_on_a_machine_where(fault + "Api.create_log = create_log", *VERBS["run"])
    assert (done.returncode, server.builds[0]["results"]) == (3, None)
    assert agent.run("flush").returncode == 0
    assert_delivered(agent, server)


def test_a_build_waits_for_the_log_of_a_step_that_runs_on(agent: Agent, server: ContractServer) -> None:
    steps_end, running = agent.bin / "end", agent.bin / "running"

    def full_at_first(request: Request) -> None:
        if request.path.endswith("/logs") and requested(server, "/logs") < 5:
            raise Problem(507, "storage-full")
        if request.path.endswith("/builds/1/finish"):
            steps_end.touch()

    server.faults = full_at_first
    step = f"touch {running}; {until(f'[ -e {steps_end} ]')}; echo out; exit 4"
    script = f"buildlogs step one -- sh -c '{step}' & {until(f'[ -e {running} ]')}; exit 3"
    done = agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert agent.run("flush").returncode == 0
    assert_delivered(agent, server)


def test_a_build_waits_for_no_log_that_the_server_refused_to_a_step_that_runs_on(
    agent: Agent, server: ContractServer
) -> None:
    steps_end = agent.bin / "end"

    def refuse(request: Request) -> None:
        if request.path.endswith("/logs"):
            raise Problem(403, "forbidden")
        if request.path.endswith("/builds/1/finish"):
            steps_end.touch()

    server.faults = refuse
    refused = until(f"grep -qs forbidden {agent.spool}/logs/*/state.json")
    script = f"buildlogs step one -- sh -c '{until(f'[ -e {steps_end} ]')}' & {refused}; exit 3"
    done = agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert done.returncode == 3
    assert server.builds[0]["results"] == "failure"


@pytest.mark.parametrize("verb", ["run", "build"])
def test_flush_finishes_no_build_whose_log_another_is_at(agent: Agent, server: ContractServer, verb: str) -> None:
    server.stop()
    assert agent.run(*VERBS[verb], env=HASTY).returncode == 3
    server.start()
    (left,) = agent.spooled()
    with (left / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        flushed = agent.run("flush")
        assert flushed.returncode == 1
        assert b"0 logs and the results of 1 builds are left" in flushed.stderr
        assert b"1 logs are left to the agents that are sending them" in flushed.stderr
        assert requested(server, "/finish") == 0
    assert agent.run("flush").returncode == 0
    assert_delivered(agent, server)


@pytest.mark.parametrize("pending", [False, True], ids=["id", "pending"])
@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_log_that_was_refused_may_be_delivered_later(
    agent: Agent, server: ContractServer, verb: str, pending: bool
) -> None:
    def refuse(request: Request) -> None:
        if pending and requested(server, "/builds") == 1:
            raise Problem(503)
        if request.path.endswith("/chunks"):
            raise Problem(403, "forbidden")

    server.faults = refuse
    done = agent.run(*VERBS[verb])
    assert (done.returncode, server.builds[0]["results"]) == (3, "failure")
    server.faults = lambda request: None
    flushed = agent.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    assert_delivered(agent, server)
