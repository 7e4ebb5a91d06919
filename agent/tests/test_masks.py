"""Secrets on their way through the agent: `--mask` and names that look like secrets."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from conftest import Agent
from contract_server import ContractServer, Problem, Request

SECRET = "pass phrase/with+signs-42"


def everything_sent(server: ContractServer) -> str:
    named = [server.builds, server.steps, [log.name for log in server.logs]]
    return json.dumps(named) + "".join(bytes(log.payload).decode() for log in server.logs)


def test_a_named_variable_is_masked_in_the_log_and_not_on_the_terminal(agent: Agent, server: ContractServer) -> None:
    printing = 'echo "is $MINE."; printf %s "$MINE" >&2; printf %s "$MINE" | base64'
    command = ["run", "--builder", "b", "--mask", "MINE", "--", "sh", "-c", printing]
    done = agent.run(*command, env={"MINE": SECRET})
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert done.stdout.decode() == f"is {SECRET}.\n{encoded}\n"
    assert done.stderr.decode() == SECRET
    log = server.logs[0]
    assert log.channel(0) == b"is ***.\n***\n"
    assert log.channel(1) == b"***"
    assert "sha256" in log.finish
    assert "unverified" not in log.finish


def test_a_secret_that_is_printed_in_pieces_is_masked(agent: Agent, server: ContractServer) -> None:
    printing = "printf 'a-to'; sleep 0.3; printf 'ken-of-'; sleep 0.3; echo mine; printf 'a-token'"
    agent.run_one("sh", "-c", printing, env={"MY_TOKEN": "a-token-of-mine"})
    assert server.logs[0].channel(0) == b"***\na-token"


def test_nothing_of_a_secret_reaches_the_spool(agent: Agent, server: ContractServer) -> None:
    def away(request: Request) -> None:
        raise Problem(503)

    server.faults = away
    printing = 'for i in 1 2 3; do printf %s "$DB_PASSWORD"; sleep 0.05; done'
    env = {"DB_PASSWORD": "correct-horse", "BUILDLOGS_PATIENCE": "0"}
    agent.run("run", "--builder", "b", "--title", "correct-horse", "--", "sh", "-c", printing, "correct-horse", env=env)
    files = [path for path in agent.spool.rglob("*") if path.is_file()]
    assert any(path.suffix == ".chunks" for path in files)
    assert not any(b"correct-horse" in path.read_bytes() for path in files)


def test_what_describes_the_build_is_masked_too(agent: Agent, server: ContractServer) -> None:
    options = ["--title", f"built with {SECRET}", "--url", f"http://x/?t={SECRET}", "--name", f"with {SECRET}"]
    agent.run("run", "--builder", "b", *options, "--env-values", "--", "echo", SECRET, env={"THE_SECRET": SECRET})
    assert SECRET not in everything_sent(server)
    assert server.builds[0]["title"] == "built with ***"
    assert server.steps[0]["name"] == "with ***"
    header = server.logs[0].channel(2).decode()
    assert header.startswith("echo '***'\n")
    assert " argv: ['echo', '***']\n" in header
    assert "\n  THE_SECRET=***\n" in header
    assert "\n  BUILDLOGS_PROJECT=demo\n" in header


def test_short_values_are_not_masked_and_it_is_said(agent: Agent, server: ContractServer) -> None:
    done = agent.run(
        "run", "--builder", "b", "--mask", "PIN", "--env-values", "--", "echo", "1234", env={"PIN": "1234"}
    )
    assert b"buildlogs: the value of PIN is shorter than 6 characters and is not masked\n" in done.stderr
    assert server.logs[0].channel(0) == b"1234\n"
    assert b"\n  PIN=***\n" in server.logs[0].channel(2)


@pytest.mark.parametrize("steps_own", [False, True], ids=["of-the-build", "of-the-step"])
def test_default_masks_can_be_left_out(agent: Agent, server: ContractServer, steps_own: bool) -> None:
    own, builds = (["--no-default-masks"], "") if steps_own else ([], "--no-default-masks")
    script = f"buildlogs step {' '.join(own)} one -- echo value-of-token my-own-value"
    command = ["build", "--builder", "b", "--mask", "MINE", *builds.split(), "--", "sh", "-c", script]
    agent.run(*command, env={"A_TOKEN": "value-of-token", "MINE": "my-own-value"})
    assert server.logs[0].channel(0) == b"value-of-token ***\n"


def test_the_agents_own_token_is_masked_wherever_it_comes_from(agent: Agent) -> None:
    settings = Path(agent.environment["XDG_CONFIG_HOME"]) / "buildlogs" / "config.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[buildlogs]\ntoken = bl_from-the-file\n")
    with ContractServer(token="bl_from-the-file") as server:
        command = ["run", "--builder", "b", "--no-default-masks", "--", "cat", str(settings)]
        agent.run(*command, env={"BUILDLOGS_SERVER": server.url})
        assert server.logs[0].channel(0) == b"[buildlogs]\ntoken = ***\n"


def test_each_channel_is_masked_by_itself(agent: Agent, server: ContractServer) -> None:
    printing = "printf 'a-to'; printf 'a-token-' >&2; sleep 0.2; printf 'of-mine' >&2; sleep 0.1; echo ken-of-mine"
    agent.run_one("sh", "-c", printing, env={"MY_TOKEN": "a-token-of-mine"})
    assert (server.logs[0].channel(0), server.logs[0].channel(1)) == (b"***\n", b"***")
