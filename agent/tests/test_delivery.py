"""The server is away, dies, forgets, refuses: the command runs as ever, and nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from buildlogs_agent.spool import UNIT_OVERHEAD_BYTES
from buildlogs_agent.wire import MAX_BODY_BYTES, MAX_UNIT_PAYLOAD_BYTES
from conftest import PATIENCE_SECONDS, Agent
from contract_server import ContractServer, Hangup, Problem, Request

TALKING = """
import sys, time
for number in range(int(sys.argv[1])):
    print(f"line {number} " + "x" * int(sys.argv[2]), file=sys.stderr if number % 3 else sys.stdout, flush=True)
    time.sleep(float(sys.argv[3]))
"""


def talk(lines: int, width: int = 20, pause: float = 0.005) -> list[str]:
    return [sys.executable, "-c", TALKING, str(lines), str(width), str(pause)]


def spoken(channel: int, lines: int, width: int = 20) -> bytes:
    numbers = [number for number in range(lines) if bool(number % 3) == bool(channel)]
    return b"".join(b"line %d %s\n" % (number, b"x" * width) for number in numbers)


def assert_whole(server: ContractServer, lines: int, width: int = 20) -> None:
    log = server.logs[0]
    assert len(server.logs) == len(server.steps) == len(server.builds) == 1
    assert log.channel(0) == spoken(0, lines, width)
    assert log.channel(1) == spoken(1, lines, width)
    assert "sha256" in log.finish
    assert "unverified" not in log.finish
    assert server.steps[0]["results"] == server.builds[0]["results"] == "success"


def first_time(path_end: str, fault: Exception) -> Callable[[Request], None]:
    """A fault for the first request whose path ends so."""
    left = [fault]

    def strike(request: Request) -> None:
        if request.path.endswith(path_end) and left:
            raise left.pop()

    return strike


def every(path_end: str, fault: Exception) -> Callable[[Request], None]:
    def strike(request: Request) -> None:
        if request.path.endswith(path_end):
            raise fault

    return strike


@pytest.fixture
def away(agent: Agent, server: ContractServer) -> ContractServer:
    """The agent's server, not running; it may be started on its port."""
    server.stop()
    return server


def test_a_server_away_at_the_start_gets_everything_when_it_is_back(agent: Agent, away: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", *talk(40)) as process:
        assert process.stdout.readline() == b"line 0 xxxxxxxxxxxxxxxxxxxx\n"
        assert away.requests == []
        away.start()
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert_whole(away, 40)
    assert b"does not answer" in stderr
    assert agent.spooled() == []


def test_a_server_back_only_after_the_command_has_ended_gets_everything(agent: Agent, away: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", *talk(5)) as process:
        process.stdout.read()  # its end is the command's
        away.start()
        assert process.wait(20) == 0
    assert_whole(away, 5)


def test_a_server_that_dies_in_the_middle_and_comes_back(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", *talk(150)) as process:
        server.wait_for(lambda: server.logs and server.logs[0].received > 2000)
        server.stop()
        before = server.logs[0].received
        while process.stdout.readline() != b"line 90 xxxxxxxxxxxxxxxxxxxx\n":
            assert server.logs[0].received == before
        server.start()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert_whole(server, 150)


def test_steps_of_a_build_begun_without_a_server_attach_to_it_later(agent: Agent, away: ContractServer) -> None:
    script = 'echo "$BUILDLOGS_BUILD"; buildlogs step one -- echo 1; buildlogs step two -- echo 2; read line'
    arguments = ["build", "--builder", "b", "--", "sh", "-c", script]
    with agent.start(*arguments, stdin=subprocess.PIPE, env={"BUILDLOGS_PATIENCE": "0"}) as process:
        assert process.stdout.readline().startswith(b"pending:")
        assert [process.stdout.readline(), process.stdout.readline()] == [b"1\n", b"2\n"]
        while len(agent.spooled()) < 2 or not all(
            json.loads((path / "state.json").read_text())["results"] for path in agent.spooled()
        ):
            assert process.poll() is None
        away.start()
        away.wait_for(lambda: away.builds)
        process.communicate(b"\n", timeout=20)
    assert process.returncode == 0
    assert len(away.builds) == 1
    assert [
        (step["name"], step["number"], step["results"]) for step in sorted(away.steps, key=lambda s: s["number"])
    ] == [
        ("one", 1, "success"),
        ("two", 2, "success"),
    ]
    assert sorted(log.channel(0) for log in away.logs) == [b"1\n", b"2\n"]
    assert all("sha256" in log.finish for log in away.logs)
    assert away.builds[0]["results"] == "success"
    assert agent.spooled() == []


@pytest.mark.parametrize(
    "path_end", ["/builds", "/builds/1/steps", "/steps/1/logs", "/chunks", "/logs/1/finish", "/steps/1/finish"]
)
def test_an_answer_lost_after_the_deed_doubles_nothing(agent: Agent, server: ContractServer, path_end: str) -> None:
    server.after = first_time(path_end, Hangup())
    assert agent.run_one(*talk(10)).returncode == 0
    assert_whole(server, 10)


@pytest.mark.parametrize(
    "fault",
    [
        Hangup(),
        Problem(503),
        Problem(502),
        Problem(507, "storage-full"),
        Problem(429, "rate-limited", {"Retry-After": "0"}),
        Problem(409, "locked"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path_end", ["/builds/1/steps", "/chunks", "/logs/1/finish"])
def test_what_may_be_tried_again_is(agent: Agent, server: ContractServer, path_end: str, fault: Exception) -> None:
    server.faults = first_time(path_end, fault)
    assert agent.run_one(*talk(4)).returncode == 0
    assert_whole(server, 4)


def test_a_pause_that_the_server_asks_for_is_kept(agent: Agent, server: ContractServer) -> None:
    server.faults = first_time("/chunks", Problem(429, "rate-limited", {"Retry-After": "1"}))
    with agent.start("run", "--builder", "b", "--", *talk(3)) as process:
        process.communicate(timeout=20)
    log = server.logs[0]
    assert log.arrivals[0] * 1e6 - log.entries[0][1] >= 1_000_000
    assert_whole(server, 3)


def test_a_server_that_forgot_acknowledged_bytes_gets_them_again(agent: Agent, server: ContractServer) -> None:
    forgotten = []

    def forget(request: Request) -> None:
        if request.path.endswith("/chunks") and server.logs[0].received > 1500 and not forgotten:
            log = server.logs[0]
            kept = log.received - 777  # in the middle of a unit
            forgotten.append(777)
            log.received, log.payload = kept, log.payload[:kept]
            length = 0
            for index, (channel, time_us, data) in enumerate(log.entries):
                length += len(data)
                if length > kept:
                    log.entries[index:] = [(channel, time_us, data[: len(data) - (length - kept)])]
                    break

    server.faults = forget
    assert agent.run_one(*talk(60)).returncode == 0
    assert forgotten
    assert b"".join(data for _, _, data in server.logs[0].entries) == bytes(server.logs[0].payload)
    assert_whole(server, 60)


def test_bytes_forgotten_just_before_the_finish_are_sent_again(agent: Agent, server: ContractServer) -> None:
    forgotten = []

    def forget(request: Request) -> None:
        if request.path.endswith("/logs/1/finish") and not forgotten:
            log = server.logs[0]
            forgotten.append(log.entries.pop())
            log.received -= len(forgotten[0][2])
            del log.payload[log.received :]

    server.faults = forget
    logged = agent.run_one(*talk(3))
    assert_whole(server, 3)
    assert b"unverified" not in logged.stderr


def test_a_log_that_differs_is_finished_as_unverified_and_said_so(agent: Agent, server: ContractServer) -> None:
    def spoil(request: Request) -> None:
        if request.path.endswith("/logs/1/finish"):
            server.logs[0].payload[0] = ord("#")

    server.faults = spoil
    logged = agent.run_one(*talk(3))
    assert logged.returncode == 0
    assert server.logs[0].finish["unverified"] is True
    assert b"unverified" in logged.stderr
    assert server.steps[0]["results"] == "success"


@pytest.mark.parametrize("path_end", ["/builds", "/builds/1/steps", "/steps/1/logs", "/chunks", "/logs/1/finish"])
@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_told_once_and_the_command_runs_on(
    agent: Agent, server: ContractServer, path_end: str, status: int
) -> None:
    server.faults = every(path_end, Problem(status, "no"))
    logged = agent.run_one("sh", "-c", "echo out; exit 6")
    assert (logged.returncode, logged.stdout) == (6, b"out\n")
    assert logged.stderr.count(b"refused") == 1
    assert len([path for _, path in server.requests if path.endswith(path_end)]) == 1
    if path_end in ("/chunks", "/logs/1/finish"):
        assert server.steps[0]["results"] == "failure"
        assert len(agent.spooled()) == 1


@pytest.mark.parametrize("problem", ["finished", "overlap-differs"])
def test_a_log_that_takes_no_more_is_told_once(agent: Agent, server: ContractServer, problem: str) -> None:
    server.faults = every("/chunks", Problem(409, problem))
    logged = agent.run_one(*talk(30))
    assert logged.returncode == 0
    assert logged.stderr.count(b"refused") == 1
    assert len([path for _, path in server.requests if path.endswith("/chunks")]) == 1


def test_a_refused_build_is_told_by_the_build_and_not_by_each_step(agent: Agent, server: ContractServer) -> None:
    server.faults = every("/builds", Problem(401, "unauthorized"))
    built = agent.run(
        "build", "--builder", "b", "--", "sh", "-c", "buildlogs step a -- echo 1; buildlogs step b -- echo 2"
    )
    assert (built.returncode, built.stdout) == (0, b"1\n2\n")
    assert built.stderr.count(b"refused") == 1


def test_a_spool_beyond_its_limit_tells_the_server_what_is_missing(agent: Agent, away: ContractServer) -> None:
    command = [sys.executable, "-c", "for n in range(2000): print(f'{n:06d}' + 'x' * 993)"]
    with agent.start("run", "--builder", "b", "--", *command, env={"BUILDLOGS_SPOOL_BYTES": "200000"}) as process:
        stdout = process.stdout.read()
        away.start()
        stderr = process.stderr.read()
    assert process.returncode == 0
    assert len(stdout) == 2_000_000
    log = away.logs[0]
    missing = sum(length for _, length in log.skipped)
    assert len(log.channel(0)) + missing == 2_000_000
    assert 1_700_000 < missing < 2_000_000
    assert stdout.startswith(log.channel(0))
    assert f"{missing} bytes of output are missing".encode() in stderr
    assert log.finish == {"received": log.received}
    assert b"program finished with exit code 0" in log.channel(2)


def test_a_slow_server_gets_a_long_log_through_a_small_spool_as_it_acknowledges(
    agent: Agent, server: ContractServer
) -> None:
    assert agent.run_one(*talk(300, 3000, 0.002), env={"BUILDLOGS_SPOOL_BYTES": "300000"}).returncode == 0
    assert_whole(server, 300, 3000)


def test_patience_ends_and_the_spool_stays(agent: Agent, away: ContractServer) -> None:
    done = agent.run("run", "--builder", "b", "--", "sh", "-c", "echo out; exit 3", env={"BUILDLOGS_PATIENCE": "0.3"})
    assert (done.returncode, done.stdout) == (3, b"out\n")
    (left,) = agent.spooled()
    assert str(left).encode() in done.stderr
    assert json.loads((left / "state.json").read_text())["results"] == "failure"
    assert b"out\n" in b"".join(path.read_bytes() for path in left.glob("*.chunks"))


def test_a_signal_ends_the_wait_for_the_server(agent: Agent, away: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "true") as process:
        process.stdout.read()
        while b"is away" not in process.stderr.readline():
            assert process.poll() is None
        while process.poll() is None:  # the first may come while the agent still counts it as the command's
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        stderr = process.stderr.read()
    assert process.returncode in (0, 128 + signal.SIGTERM)
    assert len(agent.spooled()) == 1
    assert b"kept in" in stderr


@contextlib.contextmanager
def chunks_held_back(server: ContractServer) -> Iterator[None]:
    """The server answers no chunks until the end of the block, however long that takes."""
    released: list[bool] = []

    def wait(request: Request) -> None:
        if request.path.endswith("/chunks"):
            server.changed.wait_for(lambda: released)

    server.faults = wait
    try:
        yield
    finally:
        with server.changed:
            released.append(True)
            server.changed.notify_all()


def test_a_fast_command_is_not_slowed_by_a_slow_server(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "seq", "500000") as process:
        with chunks_held_back(server):
            assert process.stdout.read().endswith(b"500000\n")  # all of it, while the server has taken nothing
            assert sum(log.received for log in server.logs) == 0
        assert process.wait(PATIENCE_SECONDS) == 0
    assert server.logs[0].channel(0) == b"".join(b"%d\n" % number for number in range(1, 500_001))


def test_slow_output_is_sent_in_batches(agent: Agent, server: ContractServer) -> None:
    assert agent.run_one(*talk(100, 20, 0.005)).returncode == 0
    log = server.logs[0]
    # By the stamps of the agent's own clock: on a loaded machine the command takes longer, and is granted more bodies.
    # Beyond one in 50 ms there are the first, the last, and one between the last output and its end.
    seconds = (log.entries[-1][1] - log.entries[0][1]) / 1e6
    assert len(log.bodies) <= seconds / 0.05 + 3


def test_output_that_has_gathered_is_sent_in_the_biggest_bodies(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "seq", "1500000") as process:
        with chunks_held_back(server):
            process.stdout.read()  # its end: all output is in the spool, and the first body has got no answer
        assert process.wait(PATIENCE_SECONDS) == 0
    biggest = MAX_BODY_BYTES - MAX_UNIT_PAYLOAD_BYTES - UNIT_OVERHEAD_BYTES  # one unit more would not go in
    bodies = server.logs[0].bodies
    assert max(bodies) <= MAX_BODY_BYTES
    assert len([size for size in bodies if size > biggest]) >= 8
    # The first, the rest, and the header at the end; a set, for the first is repeated where a machine stood still.
    assert len({size for size in bodies if size <= biggest}) <= 3


def test_every_request_names_the_agent_and_no_spool_file_is_for_others(agent: Agent, server: ContractServer) -> None:
    modes: list[int] = []

    def look(request: Request) -> None:
        assert request.headers["user-agent"].startswith("buildlogs-agent/")
        modes.extend(path.stat().st_mode & 0o077 for path in Path(agent.spool).rglob("*") if path.is_file())

    server.faults = look
    assert agent.run_one("true").returncode == 0
    assert modes
    assert not any(modes)
