"""Whoever writes says every minute that it lives; here more often."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import Agent
from contract_server import ContractServer, Problem, Request

OFTEN = "import buildlogs_agent.heartbeat as h; h.HEARTBEAT_SECONDS = 0.05"
BEAT = ("POST", "/api/v1/builds/1/heartbeat")
VERBS = {"build": ["build", "--builder", "b"], "run": ["run", "--builder", "b"], "step": ["step", "x"]}
UNTIL_THERE = "n=0; until [ -e {} ] || [ $((n+=1)) -gt 1000 ]; do sleep 0.02; done"
"""A command that is silent, and ends when a file is there, or after 20 s."""


@pytest.mark.parametrize(("verb", "status"), [("build", 200), ("run", 404), ("step", 200), ("step", 405)])
def test_a_silent_writer_says_that_it_lives(
    agent: Agent, server: ContractServer, tmp_path: Path, verb: str, status: int
) -> None:
    heard = tmp_path / "heard"
    if verb == "step":
        server.builds.append({"id": 1, "external_id": "e", "results": None})

    def answer(request: Request) -> None:
        if (request.method, request.path) != BEAT:
            return
        if server.requests.count(BEAT) >= 2:
            heard.touch()
        if status != 200:
            raise Problem(status)

    server.faults = answer
    command = [*VERBS[verb], "--", "sh", "-c", UNTIL_THERE.format(heard)]
    done = agent.run_on_a_machine_where(OFTEN, *command, env={"BUILDLOGS_BUILD": "1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert heard.exists()


def test_a_step_leaves_it_to_the_build_around_it(agent: Agent, server: ContractServer) -> None:
    inner = f'{sys.executable} -c "{OFTEN}; from buildlogs_agent.__main__ import main; '
    inner += "raise SystemExit(main(['step', 'x', '--', 'sleep', '1']))\""
    agent.run("build", "--builder", "b", "--", "sh", "-c", inner)
    assert server.steps[0]["results"] == "success"
    assert BEAT not in server.requests
