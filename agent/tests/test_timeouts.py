"""`--timeout` and `--idle-timeout`: the whole process group ends, and everybody is told why."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from conftest import Agent
from contract_server import ContractServer

GRACELESS = "import buildlogs_agent.watchdog as w; w.KILL_GRACE_SECONDS = 0.5"


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, "still alive"
        time.sleep(0.02)


def test_a_command_that_takes_too_long_is_terminated_with_its_group(agent: Agent, server: ContractServer) -> None:
    script = "sleep 60 & echo $!; sleep 60"
    done = agent.run("run", "--builder", "b", "--timeout", "0.5", "--", "sh", "-c", script)
    assert done.returncode == 124
    wait_until_gone(int(done.stdout))
    header = server.logs[0].channel(2).decode()
    assert f"command timed out: 0.5 seconds elapsed running ['sh', '-c', {script!r}], attempting to kill\n" in header
    assert "\nprocess killed by signal 15\n" in header
    assert b"command timed out: 0.5 seconds elapsed" in done.stderr
    assert [server.steps[0]["results"], server.builds[0]["results"]] == ["failure", "failure"]
    assert "unverified" not in server.logs[0].finish


def test_a_silent_command_is_terminated_and_a_talking_one_is_not(agent: Agent, server: ContractServer) -> None:
    talking = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.25; done"
    done = agent.run("run", "--builder", "b", "--idle-timeout", "1.5s", "--", "sh", "-c", talking + "; sleep 60")
    assert done.returncode == 124
    assert server.logs[0].channel(0) == b"1\n2\n3\n4\n5\n6\n7\n8\n"
    assert b"command timed out: 1.5 seconds without output running" in server.logs[0].channel(2)


def test_what_ignores_termination_is_killed_although_the_command_itself_has_gone(
    agent: Agent, server: ContractServer
) -> None:
    script = "(trap '' TERM; echo $$ > /dev/null; exec sleep 60) >/dev/null 2>&1 & echo $!; sleep 60"
    done = agent.run_on_a_machine_where(
        GRACELESS, "run", "--builder", "b", "--timeout", "0.5", "--", "sh", "-c", script
    )
    assert done.returncode == 124
    wait_until_gone(int(done.stdout))
    assert b"still running 0.5 seconds after SIGTERM, killing it\n" in server.logs[0].channel(2)


def test_a_command_that_ignores_termination_is_killed(agent: Agent, server: ContractServer) -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done"
    done = agent.run_on_a_machine_where(
        GRACELESS, "run", "--builder", "b", "--timeout", "0.5", "--", "sh", "-c", stubborn
    )
    assert done.returncode == 124
    assert b"process killed by signal 9\n" in server.logs[0].channel(2)


def test_one_that_says_success_when_it_is_terminated_has_not_succeeded(agent: Agent, server: ContractServer) -> None:
    polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    assert agent.run("run", "--builder", "b", "--timeout", "0.5", "--", "sh", "-c", polite).returncode == 124
    assert server.steps[0]["results"] == "failure"


def test_a_grandchild_in_a_session_of_its_own_that_holds_the_pipe_does_not_hang_it(
    agent: Agent, server: ContractServer
) -> None:
    script = f"{sys.executable} -c 'import os, time; os.setsid(); time.sleep(60)' & echo $!; sleep 60"
    done = agent.run("run", "--builder", "b", "--timeout", "1", "--", "sh", "-c", script)
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 124
    assert b"still holds its output" in server.logs[0].channel(2)


def test_a_command_that_is_in_time_is_left_alone(agent: Agent, server: ContractServer) -> None:
    options = ["--timeout", "1h", "--idle-timeout", "10m"]
    done = agent.run("run", "--builder", "b", *options, "--", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"")
    assert b"timed out" not in server.logs[0].channel(2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_group_of_a_command_that_has_a_timeout(
    agent: Agent, server: ContractServer, number: signal.Signals
) -> None:
    script = f"import signal, sys; signal.signal({int(number)}, lambda *_: sys.exit(9)); print('ready', flush=True)"
    command = ["run", "--builder", "b", "--timeout", "60", "--", sys.executable, "-c", f"{script}\nsignal.pause()"]
    with agent.start(*command) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(20) == 9
    assert server.steps[0]["results"] == "cancelled"


def test_a_build_can_time_out_too(agent: Agent, server: ContractServer) -> None:
    script = "buildlogs step long -- sleep 60; echo not reached"
    done = agent.run("build", "--builder", "b", "--timeout", "2", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (124, b"")
    assert server.builds[0]["results"] == "failure"
    server.wait_for(lambda: server.steps[0]["results"] == "cancelled")


def test_silence_does_not_count_while_nobody_takes_the_output(agent: Agent, server: ContractServer) -> None:
    command = ["run", "--builder", "b", "--idle-timeout", "1", "--", "seq", "300000"]
    with agent.start(*command) as process:
        server.wait_for(lambda: server.logs and server.logs[0].received > 0)
        with pytest.raises(Exception, match="timed out"):
            process.wait(2.5)
        assert len(process.stdout.read().splitlines()) == 300_000
        assert process.wait(20) == 0
