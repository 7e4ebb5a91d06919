"""`--pty`: the command has a terminal, and so have the people at ours, as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from typing import Optional

import pytest
from conftest import Agent
from contract_server import ContractServer

PTY = ["run", "--builder", "b", "--pty", "--"]
SIZE = "import os; print('size', *os.get_terminal_size(), flush=True)"


class Screen:
    """A terminal with the agent in front of it."""

    def __init__(self, agent: Agent, *arguments: str, size: tuple[int, int] = (33, 99)) -> None:
        outer, inner = pty.openpty()
        self.outer, self.inner = outer, inner
        self.seen = b""
        self.resize(*size)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
            for descriptor in (0, 1, 2):
                os.dup2(inner, descriptor)
            os.closerange(3, 100)
            os.execve(sys.executable, [sys.executable, "-m", "buildlogs_agent", *arguments], agent.environment)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text: bytes) -> None:
        while text not in self.seen:
            self.seen += os.read(self.outer, 4096)

    def type(self, keys: bytes) -> None:
        os.write(self.outer, keys)

    def attributes(self) -> list[object]:
        return termios.tcgetattr(self.inner)

    def wait(self) -> int:
        deadline = time.monotonic() + 60
        done: Optional[int] = None
        while done is None:
            assert time.monotonic() < deadline
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            done = os.waitstatus_to_exitcode(status) if pid else None
            time.sleep(0.01)
        return done

    def close(self) -> None:
        os.close(self.outer)
        os.close(self.inner)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        screen.close()


def test_the_command_has_a_terminal_and_says_all_on_one_channel(agent: Agent, server: ContractServer) -> None:
    done = agent.run(*PTY, "sh", "-c", "test -t 1 && test -t 2 && echo yes; echo error >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"yes\r\nerror\r\n", b"")
    assert server.logs[0].channel(0) == b"yes\r\nerror\r\n"
    assert server.logs[0].channel(1) == b""
    assert server.logs[0].finish is not None


def test_standard_input_that_is_no_terminal_stays_the_commands_own(agent: Agent) -> None:
    with agent.start(*PTY, "sh", "-c", "cat; test -t 0 || echo none", stdin=-1) as process:
        stdout, _ = process.communicate(b"through\n", timeout=30)
    assert stdout == b"through\r\nnone\r\n"


def test_much_output_arrives_whole(agent: Agent, server: ContractServer) -> None:
    done = agent.run(*PTY, "seq", "20000")
    assert done.stdout.split(b"\r\n") == [*(b"%d" % number for number in range(1, 20_001)), b""]
    assert server.logs[0].channel(0) == done.stdout


def test_signals_and_codes_are_as_without(agent: Agent, server: ContractServer) -> None:
    assert agent.run(*PTY, "sh", "-c", "kill -SEGV $$").returncode == 128 + signal.SIGSEGV
    assert agent.run(*PTY, "no-such-command-anywhere").returncode == 127
    with agent.start(*PTY, "sh", "-c", "echo ready; exec sleep 60") as process:
        assert process.stdout.readline() == b"ready\r\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert [step["results"] for step in server.steps] == ["exception", "failure", "cancelled"]


def test_a_timeout_ends_a_command_with_a_terminal(agent: Agent, server: ContractServer) -> None:
    command = ["run", "--builder", "b", "--pty", "--timeout", "0.5", "--", "sh", "-c", "sleep 60 & sleep 60"]
    assert agent.run(*command).returncode == 124
    assert b"command timed out" in server.logs[0].channel(2)


def test_size_and_keys_pass_through_and_the_terminal_is_as_it_was(agent: Agent, screens: list[Screen]) -> None:
    reading = f"{SIZE}\nline = input('name? ')\nprint('hello', line)\n{SIZE}"
    screen = Screen(agent, *PTY, sys.executable, "-c", reading)
    screens.append(screen)
    before = screen.attributes()
    screen.wait_for(b"size 99 33")
    screen.wait_for(b"name? ")
    assert screen.attributes() != before
    screen.resize(44, 111)
    screen.type(b"you\r")
    screen.wait_for(b"hello you")
    screen.wait_for(b"size 111 44")
    assert screen.wait() == 0
    assert screen.attributes() == before


def test_ctrl_c_interrupts_the_command_and_the_terminal_is_as_it_was(
    agent: Agent, server: ContractServer, screens: list[Screen]
) -> None:
    screen = Screen(agent, *PTY, "sh", "-c", "trap 'exit 7' INT; echo ready; while :; do sleep 0.1; done")
    screens.append(screen)
    before = screen.attributes()
    screen.wait_for(b"ready")
    screen.type(b"\x03")
    assert screen.wait() == 7
    assert screen.attributes() == before
    assert server.steps[0]["results"] == "cancelled"


def test_the_terminal_is_as_it_was_after_a_signal_too(agent: Agent, screens: list[Screen]) -> None:
    screen = Screen(agent, *PTY, "sh", "-c", "echo ready; exec sleep 60")
    screens.append(screen)
    before = screen.attributes()
    screen.wait_for(b"ready")
    os.kill(screen.pid, signal.SIGTERM)
    assert screen.wait() == 128 + signal.SIGTERM
    assert screen.attributes() == before


def test_more_keys_than_the_command_reads_do_not_stop_its_output(agent: Agent, screens: list[Screen]) -> None:
    deaf = "import time, tty; tty.setraw(0); print('ready', flush=True); time.sleep(0.5); print('end')"
    screen = Screen(agent, *PTY, sys.executable, "-c", deaf)
    screens.append(screen)
    screen.wait_for(b"ready")
    for _ in range(8):
        screen.type(b"k" * 1000)
    screen.wait_for(b"end")
    assert screen.wait() == 0


def test_a_command_with_a_timeout_may_use_our_terminal_and_gets_its_ctrl_c(
    agent: Agent, server: ContractServer, screens: list[Screen]
) -> None:
    reading = (
        "import time\ntry:\n  print('hello', input('name? '), flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: raise SystemExit(6)"
    )
    command = ["run", "--builder", "b", "--timeout", "60", "--", sys.executable, "-c", reading]
    screen = Screen(agent, *command)
    screens.append(screen)
    screen.wait_for(b"name? ")
    screen.type(b"you\n")
    screen.wait_for(b"hello you")
    screen.type(b"\x03")
    assert screen.wait() == 6


def test_a_machine_that_has_no_terminal_left_uses_pipes(agent: Agent, server: ContractServer) -> None:
    none = "import os\ndef openpty(): raise OSError(28, 'No space left on device')\nos.openpty = openpty"
    done = agent.run_on_a_machine_where(none, *PTY, "sh", "-c", "test -t 1 || echo pipe; exit 3")
    assert (done.returncode, done.stdout) == (3, b"pipe\n")
    assert b"there is no terminal to be had (No space left on device): pipes are used instead" in done.stderr
    assert server.logs[0].channel(0) == b"pipe\n"
