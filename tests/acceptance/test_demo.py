"""script/demo as a person or a supervisor uses it: started, asked, ended, killed, started again."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest

from tests.environment import clean_environment

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "script" / "demo"
START_SECONDS = 60
END_SECONDS = 30


class Demo:
    """A running script/demo, the head of a process group of its own."""

    def __init__(self, data_directory: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [SCRIPT, "--port", "0", "--data-dir", data_directory, *options],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.port = int(self.line_with(r"serving http://127\.0\.0\.1:(\d+)/"))

    def line_with(self, pattern: str) -> str:
        """Read the demo's output up to a line that matches; returns its first group."""
        assert self.process.stdout is not None
        too_late = Timer(START_SECONDS, self.process.kill)
        too_late.start()
        seen = []
        try:
            for line in self.process.stdout:
                seen.append(line)
                if found := re.search(pattern, line):
                    return found[1]
        finally:
            too_late.cancel()
        raise AssertionError(f"no line with {pattern!r} in {''.join(seen)!r}")

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        with connection.getresponse() as answer:
            answer.read()
            return answer.status

    def family(self) -> dict[int, str]:
        """Every living process that the demo started, its guardian too: pid and command line."""
        return {pid: command for pid, command in _descendants(self.process.pid).items() if pid != self.process.pid}

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


def _status(pid: int) -> tuple[int, str] | None:
    """Parent and state of a process; None where it is gone or a zombie."""
    try:
        parent, state = None, None
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("State:"):
                state = line.split()[1]
            elif line.startswith("PPid:"):
                parent = int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in ("Z", "X") or parent is None or state is None else (parent, state)


def _descendants(ancestor: int) -> dict[int, str]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _status(int(entry.name))):
            parents[int(entry.name)] = status[0]
    family = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    commands = {}
    for pid in family:
        with suppress(OSError):
            commands[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return commands


def _wait_until_gone(family: dict[int, str]) -> None:
    """Wait for the kernel to say that each process has ended (a pidfd becomes readable)."""
    for pid, command in family.items():
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            waiting = select.poll()  # unlike select.select for descriptors of any number
            waiting.register(handle, select.POLLIN)
            assert waiting.poll(END_SECONDS * 1000), f"still running: {command}"
        finally:
            os.close(handle)


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start a demo on the test's data directory; what still runs of it at the test's end is killed."""
    started: list[Demo] = []

    def start(*options: str) -> Demo:
        started.append(Demo(tmp_path / "data", *options))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_serves_until_it_is_told_to_end_and_leaves_nothing_running(start_demo, number):
    demo = start_demo("--no-build")
    assert demo.get("/healthz") == 200
    assert demo.get("/") == 200
    family = demo.family()
    assert any("daphne" in command for command in family.values())
    assert demo.end(number) == 0
    _wait_until_gone(family)


def test_a_demo_that_was_killed_leaves_nothing_running_and_starts_again_on_its_data(start_demo, tmp_path):
    first = start_demo("--no-build")
    family = first.family()
    key = (tmp_path / "data" / "secret_key").read_text()
    os.killpg(first.process.pid, signal.SIGKILL)
    _wait_until_gone(family)
    second = start_demo("--no-build")
    assert second.get("/healthz") == 200
    assert (tmp_path / "data" / "secret_key").read_text() == key
    assert second.end(signal.SIGTERM) == 0


def test_a_port_that_is_taken_is_refused_in_one_line(start_demo, tmp_path):
    demo = start_demo("--no-build")
    second = subprocess.run(
        [SCRIPT, "--no-build", "--port", str(demo.port), "--data-dir", tmp_path / "other"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )
    assert second.returncode == 1
    [line] = second.stderr.splitlines()
    assert f"port {demo.port} cannot be used (Address already in use)" in line
    assert not (tmp_path / "other").exists()
    assert demo.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("options", [["--prot", "1"], ["--port"], ["--port", "many"], ["--port", "70000"]])
def test_wrong_options_are_refused(options):
    ended = subprocess.run(
        [SCRIPT, *options], env=clean_environment(), capture_output=True, text=True, check=False, timeout=START_SECONDS
    )
    assert ended.returncode == 2
    assert options[0] in ended.stderr


def test_a_variable_that_is_wrong_is_named_and_nothing_is_started(tmp_path):
    ended = subprocess.run(
        [SCRIPT, "--no-build", "--port", "0", "--data-dir", tmp_path / "data"],
        env=clean_environment(BUILDLOGS_FSYNC="sometimes"),
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )
    assert ended.returncode == 2
    assert ended.stderr == "buildlogs: BUILDLOGS_FSYNC: 'sometimes' is none of never, interval, always\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_demos_build_runs_through_the_agent_and_ends_with_the_demo(start_demo, number):
    demo = start_demo()
    page = demo.line_with(r"watch it live: http://127\.0\.0\.1:\d+(/\S+)")
    assert demo.get(page) == 200
    family = demo.family()
    assert any("buildlogs build" in command for command in family.values())
    assert demo.end(number) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    _wait_until_gone(family)
