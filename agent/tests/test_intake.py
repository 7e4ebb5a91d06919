"""Output over `/ws/intake/`: whatever happens to the socket, the log is whole, and the command is not slowed."""

from __future__ import annotations

import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable

import pytest
from buildlogs_agent.websocket import WebSocket
from conftest import PATIENCE_SECONDS, Agent
from contract_server import ContractServer
from contract_socket import Bye, Connection, Cut, Frame, Refusal, SocketDoor
from test_delivery import assert_whole, talk
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

RUN = ("run", "--builder", "b", "--")
NUMBERS = 400_000
PATIENT = """
import buildlogs_agent.connection as connection, buildlogs_agent.intake as intake, buildlogs_agent.stream as stream
intake.CONNECT_SECONDS = intake.GRACE_SECONDS = 30
"""
"""The agent waits for its socket, so that a test of that does not depend on the machine."""

IMPATIENT = f"""
{PATIENT}
intake.CONNECT_SECONDS = connection.STILL_SECONDS = connection.SILENT_SECONDS = 0.5
intake.SOON_SECONDS = 0.05
intake.AWAY_SECONDS = intake.BUSY_SECONDS = intake.BLOCKED_SECONDS = 0.2
connection.PING_AFTER_SECONDS = 0.2
stream.ANSWER_SECONDS = 1.0
"""
"""The agent with its waits cut short, so that a test need not wait for them."""


@pytest.fixture
def door(server: ContractServer) -> Iterator[SocketDoor]:
    """The server's `/ws/intake/`."""
    server.door = SocketDoor()
    yield server.door
    assert server.door.breaches == []


def numbers(count: int = NUMBERS) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, count + 1))


def run(agent: Agent, *command: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return agent.run_on_a_machine_where(PATIENT, *RUN, *command, env=env)


def run_impatient(agent: Agent, *command: str) -> subprocess.CompletedProcess[bytes]:
    return agent.run_on_a_machine_where(IMPATIENT, *RUN, *command)


def start(agent: Agent, *command: str, patch: str = PATIENT) -> subprocess.Popen[bytes]:
    script = f"{patch}\nfrom buildlogs_agent.__main__ import main\nraise SystemExit(main())"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script, *RUN, *command], env=agent.environment, **pipes)


def first_frames(count: int, mishap: Exception) -> Callable[[Connection, Frame], None]:
    """The mishap for the first frames that hold output."""
    left = [mishap] * count

    def strike(connection: Connection, frame: Frame) -> None:
        if left and frame.body:
            raise left.pop()

    return strike


def assert_counted(server: ContractServer) -> None:
    """All of `seq`, verified, and nothing twice."""
    (log,) = server.logs
    assert log.channel(0) == numbers()
    assert b"".join(data for _, _, data in log.entries) == bytes(log.payload)
    assert "sha256" in log.finish
    assert "unverified" not in log.finish


def test_output_of_a_step_goes_over_one_socket(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    assert run(agent, *talk(60)).returncode == 0
    assert_whole(server, 60)
    assert door.handshakes == 1
    assert door.connections[0].frames > 1


def test_the_first_line_goes_at_once(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    door.flush_ms = 1000
    with start(agent, "sh", "-c", "echo first; read line") as process:
        server.wait_for(lambda: server.logs and b"first\n" in server.logs[0].payload)  # the command waits for that
        process.communicate(b"\n", timeout=PATIENCE_SECONDS)
    assert process.returncode == 0


def test_output_is_gathered_for_as_long_as_the_server_says(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    door.flush_ms = 250
    assert run(agent, *talk(150, 20, 0.005)).returncode == 0
    log = server.logs[0]
    seconds = (log.entries[-1][1] - log.entries[0][1]) / 1e6
    # Besides: the first two, before the server said so, and the last two, the command's end and the agent's
    assert len(log.bodies) <= seconds / 0.25 + 4


def test_fast_output_goes_in_big_frames_and_within_the_window(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    door.ack_seconds = 0.2
    done = run(agent, "seq", str(NUMBERS))
    assert done.stdout == numbers()
    assert_counted(server)
    assert max(server.logs[0].bodies) > 400_000
    assert 500_000 < door.peak_unacknowledged <= 4 * 1024 * 1024


@pytest.mark.parametrize("seed", range(6))
def test_connections_that_die_anywhere_lose_and_double_nothing(
    agent: Agent, server: ContractServer, door: SocketDoor, seed: int
) -> None:
    chance, fast = random.Random(seed), seed % 2
    door.ack_seconds = chance.choice([0.0, 0.05])

    def shorten(connection: Connection) -> None:
        if len(door.connections) <= 8:
            connection.bytes_left = chance.randrange(chance.choice([100, 5_000, 20_000, 1_500_000 if fast else 20_000]))

    door.opened = shorten
    if fast:
        assert run_impatient(agent, "seq", str(NUMBERS)).returncode == 0
        assert_counted(server)
    else:
        assert run_impatient(agent, *talk(120, 500)).returncode == 0
        assert_whole(server, 120, 500)
    assert door.connections[0].bytes_left <= 0


def test_acknowledgements_that_are_lost_are_asked_for(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    chance = random.Random(7)
    door.acks = lambda connection, offset: len(door.connections) > 3 or chance.random() < 0.3
    assert run_impatient(agent, *talk(100)).returncode == 0
    assert_whole(server, 100)


def test_a_server_that_is_killed_and_comes_back_gets_the_rest(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    with start(agent, *talk(150)) as process:
        server.wait_for(lambda: server.logs and server.logs[0].received > 2000)
        server.stop()
        while process.stdout.readline() != b"line 90 xxxxxxxxxxxxxxxxxxxx\n":
            assert process.poll() is None
        server.start()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert_whole(server, 150)


def say_nothing(handler: BaseHTTPRequestHandler) -> bool:
    handler.connection.settimeout(PATIENCE_SECONDS)
    while handler.rfile.read(1):
        continue
    return False


def answer(status: int) -> Callable[[BaseHTTPRequestHandler], bool]:
    def refuse(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_error(status)
        return False

    return refuse


def babble(handler: BaseHTTPRequestHandler) -> bool:
    handler.wfile.write(b"\x00\x01 what is this?\r\n\r\n")
    handler.close_connection = True
    return False


@pytest.mark.parametrize(
    "handshake",
    [say_nothing, babble, answer(200), answer(403), answer(426), answer(502)],
    ids=["silence", "babble", "200", "403", "426", "502"],
)
def test_where_upgrades_are_refused_http_does(
    agent: Agent, server: ContractServer, door: SocketDoor, handshake: Callable[[BaseHTTPRequestHandler], bool]
) -> None:
    door.handshake = handshake
    assert run_impatient(agent, *talk(60)).returncode == 0
    assert_whole(server, 60)
    assert server.logs[0].posts > 0
    assert not door.connections


def test_a_socket_that_was_refused_is_tried_again_and_used(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    def refuse_twice(handler: BaseHTTPRequestHandler) -> bool:
        return door.handshakes > 2 or answer(503)(handler)

    door.handshake = refuse_twice
    command = "while [ ! -e stop ]; do echo line; sleep 0.02; done"
    with start(agent, "sh", "-c", f"cd {agent.bin}; {command}", patch=IMPATIENT) as process:
        server.wait_for(lambda: door.connections and door.connections[0].frames > 3, PATIENCE_SECONDS)
        (agent.bin / "stop").touch()
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert server.logs[0].channel(0) == stdout
    assert server.logs[0].posts > 0
    assert "sha256" in server.logs[0].finish


def test_a_proxy_that_closes_what_it_let_open_is_left_alone(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    def cut(connection: Connection) -> None:
        raise Cut

    door.opened = cut
    patch = f"{IMPATIENT}\nintake.AWAY_SECONDS, intake.BLOCKED_SECONDS = 0.05, 60"
    assert agent.run_on_a_machine_where(patch, *RUN, *talk(150)).returncode == 0
    assert_whole(server, 150)
    assert door.handshakes == 3


@pytest.mark.parametrize("code", [1001, 1013, 4400, 4401, 4409])
def test_a_close_of_the_server_s_is_survived(agent: Agent, server: ContractServer, door: SocketDoor, code: int) -> None:
    def end_once(connection: Connection, frame: Frame) -> None:
        if len(door.connections) == 1 and connection.frames > 2:
            raise Bye(code)

    door.faults = end_once
    assert run_impatient(agent, *talk(100)).returncode == 0
    assert_whole(server, 100)


@pytest.mark.parametrize("lingers", [False, True], ids=["at once", "lingering"])
def test_after_1001_the_socket_is_found_again_soon(
    agent: Agent, server: ContractServer, door: SocketDoor, lingers: bool
) -> None:
    def go_away(connection: Connection, frame: Frame) -> None:
        if len(door.connections) < 3 and connection.frames > 2:
            received = server.logs[0].received
            connection.tell({"type": "received", "log": frame.log, "offset": received, "flush_ms": door.flush_ms})
            raise Bye(1001, lingers)

    door.faults = go_away
    command = "while [ ! -e stop ]; do echo line; sleep 0.02; done"
    never = f"{PATIENT}\nintake.BLOCKED_SECONDS = intake.MAX_BLOCKED_SECONDS = 1000"
    with start(agent, "sh", "-c", f"cd {agent.bin}; {command}", patch=never) as process:
        server.wait_for(lambda: len(door.connections) == 3 and door.connections[2].frames > 2, PATIENCE_SECONDS)
        (agent.bin / "stop").touch()
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert server.logs[0].channel(0) == stdout


def test_the_code_of_a_close_counts_although_nobody_hears_the_answer() -> None:
    ours, theirs = socket.socketpair()
    websocket = WebSocket(ours, ClientProtocol(parse_uri("ws://server/"), state=State.OPEN))
    theirs.sendall(b"\x88\x07" + struct.pack(">H", 1013) + b"later")
    theirs.close()
    assert websocket.receive() == []
    assert websocket.closed == (1013, "later")
    websocket.drop()


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("storage-full", {"status": 507}),
        Refusal("rate-limited", {"status": 429, "retry_after": 0}),
        Refusal("https://example.org/problems/locked", {"status": 409}),
        Refusal("about:blank", {"status": 503}),
    ],
    ids=["storage-full", "rate-limited", "locked", "503"],
)
def test_what_may_be_tried_again_is(agent: Agent, server: ContractServer, door: SocketDoor, refusal: Refusal) -> None:
    door.faults = first_frames(3, refusal)
    done = run(agent, "seq", str(NUMBERS))
    assert done.stdout == numbers()
    assert_counted(server)
    assert b"is away (on purpose)" in done.stderr


@pytest.mark.parametrize("problem", ["finished", "overlap-differs", "too-large", "not-found"])
def test_a_log_that_takes_no_more_is_told_once(
    agent: Agent, server: ContractServer, door: SocketDoor, problem: str
) -> None:
    def refuse(connection: Connection, frame: Frame) -> None:
        raise Refusal(problem, {"status": 409})

    door.faults = refuse
    logged = run(agent, *talk(30))
    assert logged.returncode == 0
    assert logged.stderr.count(b"refused") == 1
    assert server.logs[0].posts == 0
    assert server.steps[0]["results"] == "success"
    assert len(agent.spooled()) == 1


def test_a_server_that_forgot_acknowledged_bytes_gets_them_again(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    forgotten: list[int] = []

    def forget(connection: Connection, frame: Frame) -> None:
        log = server.logs[0]
        if log.received > 1500 and not forgotten:
            forgotten.append(log.entries.pop()[1])
            log.received = sum(len(data) for _, _, data in log.entries)
            del log.payload[log.received :]

    door.faults = forget
    assert run(agent, *talk(60)).returncode == 0
    assert forgotten
    assert_whole(server, 60)


def test_a_server_that_wants_the_same_bytes_for_ever_is_believed_to_be_broken(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    def want(connection: Connection, frame: Frame) -> None:
        if frame.body:
            raise Refusal("offset-gap", {"offset": 0, "status": 409})

    door.faults = want
    patch = IMPATIENT + "stream.MAX_HOLD_SECONDS = stream.FIRST_HOLD_SECONDS = 0.01"
    done = agent.run_on_a_machine_where(patch, *RUN, "echo", "out")
    assert (done.returncode, done.stdout) == (0, b"out\n")
    assert done.stderr.count(b"refused") == 1


def test_a_half_open_connection_is_noticed(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    def fall_silent(connection: Connection) -> None:
        connection.mute = connection is door.connections[0]

    door.opened = fall_silent
    script = "echo early; read line; echo late"
    with start(agent, "sh", "-c", script, patch=IMPATIENT) as process:
        server.wait_for(lambda: len(door.connections) > 1, PATIENCE_SECONDS)  # it has left the first by itself
        stdout, _ = process.communicate(b"\n", timeout=PATIENCE_SECONDS)
    assert stdout == b"early\nlate\n"
    assert server.logs[0].channel(0) == b"early\nlate\n"


def test_a_server_that_stops_reading_does_not_stop_the_command(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    released: list[bool] = []

    def stall(connection: Connection) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not released and time.monotonic() < deadline:
            time.sleep(0.01)

    door.opened = stall
    with start(agent, "seq", str(NUMBERS)) as process:
        stdout = process.stdout.read()  # to its end, while the server has read nothing
        assert server.logs[0].received == 0 if server.logs else True
        released.append(True)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert stdout == numbers()
    assert_counted(server)


def test_patience_ends_where_nothing_is_acknowledged(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    door.acks = lambda connection, offset: False
    done = run(agent, "sh", "-c", "echo out; exit 3", BUILDLOGS_PATIENCE="0.5")
    assert (done.returncode, done.stdout) == (3, b"out\n")
    (left,) = agent.spooled()
    assert str(left).encode() in done.stderr


def test_lost_bytes_are_told_over_the_socket_too(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    server.stop()
    command = [sys.executable, "-c", "for n in range(2000): print(f'{n:06d}' + 'x' * 993)"]
    with agent.start(*RUN, *command, env={"BUILDLOGS_SPOOL_BYTES": "200000"}) as process:
        process.stdout.read()
        server.start()
        stderr = process.stderr.read()
    log = server.logs[0]
    missing = sum(length for _, length in log.skipped)
    assert len(log.channel(0)) + missing == 2_000_000
    assert f"{missing} bytes of output are missing".encode() in stderr
    assert log.finish == {"received": log.received}


def test_what_steps_left_behind_goes_over_one_socket(agent: Agent, server: ContractServer, door: SocketDoor) -> None:
    server.stop()
    script = "for n in 1 2; do buildlogs step $n -- echo $n; done; echo done; read line"
    with agent.start("build", "--builder", "b", "--", "sh", "-c", script, stdin=subprocess.PIPE) as process:
        while process.stdout.readline() != b"done\n":
            assert process.poll() is None
        server.start()
        process.communicate(b"\n", timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert sorted(log.channel(0) for log in server.logs) == [b"1\n", b"2\n"]
    assert door.handshakes == 1
    assert agent.spooled() == []


def test_a_log_that_is_closed_long_after_its_last_acknowledgement_ends(
    agent: Agent, server: ContractServer, door: SocketDoor
) -> None:
    slow_disk = """
import time
from buildlogs_agent.spool import Spool
close = Spool.close
def close_late(spool):
    time.sleep(1)
    close(spool)
Spool.close = close_late
"""
    env = {"BUILDLOGS_PATIENCE": "5"}
    done = agent.run_on_a_machine_where(PATIENT + slow_disk, *RUN, "echo", "out", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert server.logs[0].finish is not None
