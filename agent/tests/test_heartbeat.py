"""Whoever writes says every minute that it lives; here more often."""

from __future__ import annotations

import sys

import pytest
from conftest import Agent
from contract_server import ContractServer, Problem, Request

OFTEN = "import buildlogs_agent.heartbeat as h; h.HEARTBEAT_SECONDS = 0.05"
BEAT = ("POST", "/api/v1/builds/1/heartbeat")
VERBS = {
    "build": ["build", "--builder", "b", "--", "sleep", "0.5"],
    "run": ["run", "--builder", "b", "--", "sleep", "0.5"],
    "step": ["step", "x", "--", "sleep", "0.5"],
}


@pytest.mark.parametrize(("verb", "status"), [("build", 200), ("run", 404), ("step", 200), ("step", 405)])
def test_a_silent_writer_says_that_it_lives(agent: Agent, server: ContractServer, verb: str, status: int) -> None:
    if verb == "step":
        server.builds.append({"id": 1, "external_id": "e", "results": None})

    def answer(request: Request) -> None:
        if request.path.endswith("/heartbeat") and status != 200:
            raise Problem(status)

    server.faults = answer
    done = agent.run_on_a_machine_where(OFTEN, *VERBS[verb], env={"BUILDLOGS_BUILD": "1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert server.requests.count(BEAT) >= 2


def test_a_step_leaves_it_to_the_build_around_it(agent: Agent, server: ContractServer) -> None:
    inner = f'{sys.executable} -c "{OFTEN}; from buildlogs_agent.__main__ import main; '
    inner += "raise SystemExit(main(['step', 'x', '--', 'sleep', '1']))\""
    agent.run("build", "--builder", "b", "--", "sh", "-c", inner)
    assert server.steps[0]["results"] == "success"
    assert BEAT not in server.requests
