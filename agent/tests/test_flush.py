"""`buildlogs flush`: what is still spooled, of all builds, and nothing that others are at."""

from __future__ import annotations

import os
import signal

import pytest
from conftest import Agent
from contract_server import ContractServer, Problem, Request

HASTY = {"BUILDLOGS_PATIENCE": "0.1"}


def test_what_runs_and_steps_left_is_delivered(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    server.stop()
    agent.run("run", "--builder", "b", "--", "sh", "-c", "echo one; exit 3", env=HASTY)
    agent.run("step", "lone", "--", "echo", "two", env={**HASTY, "BUILDLOGS_BUILD": "1"})
    away = agent.run("flush", env=HASTY)
    assert away.returncode == 1
    assert b"2 logs and the results of 1 builds are left" in away.stderr
    server.start()
    flushed = agent.run("flush")
    assert flushed.returncode == 0, flushed.stderr
    assert sorted(log.channel(0) for log in server.logs) == [b"one\n", b"two\n"]
    assert server.builds[1]["results"] == "failure"
    assert sorted(step["results"] for step in server.steps) == ["failure", "success"]
    assert agent.spooled() == []
    again = agent.run("flush")
    assert (again.returncode, again.stdout) == (0, b"")
    assert b"nothing is left" in again.stderr


def test_what_a_killed_agent_left_is_delivered_as_far_as_it_came(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "sh", "-c", "echo said; exec sleep 60") as process:
        assert process.stdout.readline() == b"said\n"
        server.wait_for(lambda: server.logs and server.logs[0].channel(0))
        process.kill()
    assert agent.run("flush").returncode == 0
    log = server.logs[0]
    assert log.channel(0) == b"said\n"
    assert b"the agent was killed before the end" in log.channel(2)
    assert log.finish["received"] == log.received
    assert server.steps[0]["results"] == "exception"


def test_logs_that_a_living_agent_sends_are_left_to_it(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "sh", "-c", "echo on; sleep 60") as process:
        assert process.stdout.readline() == b"on\n"
        flushed = agent.run("flush")
        assert flushed.returncode == 0
        assert b"1 logs are left to the agents that are sending them" in flushed.stderr
        assert server.steps[0]["results"] is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert server.steps[0]["results"] == "cancelled"


def test_two_at_once_deliver_everything_once(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    server.stop()
    for number in range(3):
        agent.run("step", "s", "--", "echo", str(number), env={"BUILDLOGS_BUILD": "1", "BUILDLOGS_PATIENCE": "0"})
    server.start()
    both = [agent.start("flush") for _ in range(2)]
    for process in both:
        with process:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
    assert sorted(log.channel(0) for log in server.logs) == [b"0\n", b"1\n", b"2\n"]
    assert agent.spooled() == []


def test_what_the_server_refuses_and_what_is_for_another_stays(agent: Agent, server: ContractServer) -> None:
    server.stop()
    agent.run("run", "--builder", "b", "--", "echo", "one", env=HASTY)
    elsewhere = agent.run("flush", "--server", "http://127.0.0.1:1", env=HASTY)
    assert elsewhere.returncode == 1
    assert f"buildlogs --server {server.url} flush".encode() in elsewhere.stderr

    def refuse(request: Request) -> None:
        raise Problem(401, "unauthorized")

    server.start()
    server.faults = refuse
    assert agent.run("flush").returncode == 1
    assert len(agent.spooled()) == 1
    server.faults = lambda request: None
    assert agent.run("flush").returncode == 0
    assert server.builds[0]["results"] == "success"


@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_build_of_another_server_is_neither_made_nor_finished(
    agent: Agent, server: ContractServer, verb: str
) -> None:
    server.stop()
    agent.run(verb, "--builder", "b", "--", "sh", "-c", "exit 3", env=HASTY)
    with ContractServer() as other:
        flushed = agent.run("flush", "--server", other.url)
        assert flushed.returncode == 1
        assert f"buildlogs --server {server.url} flush".encode() in flushed.stderr
        assert other.requests == []
    server.start()
    assert agent.run("flush").returncode == 0
    assert [build["results"] for build in server.builds] == ["failure"]


def test_a_spool_that_cannot_be_read_is_said_to_be_left(agent: Agent) -> None:
    (agent.spool / "builds").mkdir(parents=True)
    broken = agent.spool / "logs" / "broken"
    broken.mkdir(parents=True)
    (broken / "state.json").write_text("{")
    flushed = agent.run("flush")
    assert flushed.returncode == 1
    assert os.fsencode(broken) in flushed.stderr
