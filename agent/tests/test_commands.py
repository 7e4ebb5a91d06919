"""`build`, `step` and `run` as people call them: exit codes, signals, output, and what the server is told."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Agent
from contract_server import ContractServer

ALTERNATING = """
import os, random, sys
chance = random.Random(int(sys.argv[1]))
for _ in range(400):
    channel = chance.choice((1, 2))
    data = chance.randbytes(chance.choice((1, 7, 300, 5000, 100_000)))
    while data:
        data = data[os.write(channel, data):]
"""

TRAP = "import signal, sys; signal.signal({number}, lambda *_: sys.exit(9)); print('ready', flush=True); signal.pause()"


@pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
def test_the_exit_code_is_the_commands(agent: Agent, server: ContractServer, code: int) -> None:
    assert agent.run_one("sh", "-c", f"exit {code}").returncode == code
    results = "success" if code == 0 else "failure"
    assert [server.builds[0]["results"], server.steps[0]["results"]] == [results, results]


def test_a_command_killed_by_a_signal_is_128_and_its_number(agent: Agent, server: ContractServer) -> None:
    assert agent.run_one("sh", "-c", "kill -SEGV $$").returncode == 128 + signal.SIGSEGV
    assert server.steps[0]["results"] == "exception"
    assert b"process killed by signal 11\nprogram finished with exit code 139\n" in server.logs[0].channel(2)


def test_a_missing_command_is_127_and_one_that_cannot_run_126(agent: Agent, server: ContractServer) -> None:
    missing = agent.run_one("no-such-command-anywhere")
    assert (missing.returncode, missing.stderr) == (127, b"buildlogs: no-such-command-anywhere: command not found\n")
    assert agent.run_one("/etc/passwd").returncode == 126
    assert b"command not found" in server.logs[0].channel(2)
    assert [step["results"] for step in server.steps] == ["failure", "failure"]


def test_a_script_without_an_interpreter_line_runs_as_in_a_shell(agent: Agent) -> None:
    script = agent.bin / "script"
    script.write_text('echo "hello $1"\n')
    script.chmod(0o755)
    assert agent.run_one("script", "you").stdout == b"hello you\n"


@pytest.mark.parametrize("arguments", [["run", "--builder", "b"], ["step", "x", "--", "true"], ["nonsense"]])
def test_the_agents_own_errors_are_125_and_start_nothing(agent: Agent, arguments: list[str]) -> None:
    wrong = agent.run(*arguments)
    assert wrong.returncode == 125
    assert wrong.stderr.startswith(b"buildlogs: ")
    assert not agent.spool.exists()


def test_the_beginning_names_command_directory_and_variables_but_no_values(
    agent: Agent, server: ContractServer
) -> None:
    agent.run_one("true", "a b", env={"MY_VARIABLE": "its-value", "BUILDLOGS_TOKEN": "bl_token"})
    text = server.logs[0].channel(2).decode()
    assert text.startswith(f"true 'a b'\n in dir {os.getcwd()}\n")  # noqa: PTH109
    assert " MY_VARIABLE " in text
    assert "its-value" not in text
    assert "bl_token" not in text
    assert re.search(r"\nprogram finished with exit code 0\nelapsedTime=\d+\.\d{6}\n$", text)


def test_output_of_two_channels_passes_unchanged_and_is_stored_the_same(agent: Agent, server: ContractServer) -> None:
    plain = subprocess.run([sys.executable, "-c", ALTERNATING, "7"], capture_output=True, check=True)
    logged = agent.run_one(sys.executable, "-c", ALTERNATING, "7")
    assert logged.stdout == plain.stdout
    assert logged.stderr == plain.stderr
    log = server.logs[0]
    assert log.channel(0) == plain.stdout
    assert log.channel(1) == plain.stderr
    assert "sha256" in log.finish
    assert "unverified" not in log.finish
    times = [time_us for _, time_us, _ in log.entries]
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000_000


def test_lines_of_two_channels_are_not_torn(agent: Agent, server: ContractServer) -> None:
    agent.run_one("sh", "-c", "printf 'one and '; sleep 0.03; echo error >&2; sleep 0.03; echo two")
    entries = [data for channel, _, data in server.logs[0].entries if channel != 2]
    assert b"".join(entries) == b"error\none and two\n"


def test_output_reaches_terminal_and_server_while_the_command_runs(agent: Agent, server: ContractServer) -> None:
    with agent.start(
        "run", "--builder", "b", "--", "sh", "-c", "echo now; read line", stdin=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"now\n"
        server.wait_for(lambda: server.logs and server.logs[0].channel(0) == b"now\n")
        assert server.logs[0].finish is None
        process.communicate(b"go on\n", timeout=20)
    assert process.returncode == 0


def test_standard_input_is_the_commands(agent: Agent) -> None:
    with agent.start("run", "--builder", "b", "--", "cat", stdin=subprocess.PIPE) as process:
        stdout, _ = process.communicate(b"through and through", timeout=20)
    assert stdout == b"through and through"


def test_a_reader_that_goes_away_does_not_lose_the_log(agent: Agent, server: ContractServer) -> None:
    text = b"".join(b"%d\n" % number for number in range(1, 200_001))
    with agent.start("run", "--builder", "b", "--", "seq", "200000") as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) == 0
    assert server.logs[0].channel(0) == text


@pytest.fixture
def hangups() -> Iterator[None]:
    """Hangups are not ignored, as they are in all that `nohup` starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("verb", ["run", "build"])
def test_signals_are_passed_on(agent: Agent, server: ContractServer, number: signal.Signals, verb: str) -> None:
    command = [sys.executable, "-c", TRAP.format(number=int(number))]
    with agent.start(verb, "--builder", "b", "--", *command) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(20) == 9
    cancelled = number in (signal.SIGINT, signal.SIGTERM)
    assert server.builds[0]["results"] == ("cancelled" if cancelled else "failure")


def test_a_command_that_dies_of_the_signal_is_cancelled(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "sh", "-c", "echo ready; exec sleep 60") as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert server.steps[0]["results"] == server.builds[0]["results"] == "cancelled"
    assert server.logs[0].finish is not None


def test_an_ignored_signal_stays_ignored(agent: Agent) -> None:
    script = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = [sys.executable, "-m", "buildlogs_agent", "run", "--builder", "b", "--", sys.executable, "-c", script]
    hangup_proof = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    done = subprocess.run(hangup_proof, env=agent.environment, capture_output=True, check=True)
    assert done.stdout == b"True\n"


def test_ctrl_c_at_the_terminal_reaches_the_command_once(agent: Agent, server: ContractServer) -> None:
    counting = (
        "import signal, time\nhits = []\nsignal.signal(signal.SIGINT, lambda *_: hits.append(1))\n"
        "print('ready', flush=True)\nwhile not hits: time.sleep(0.01)\ntime.sleep(0.3)\nprint('hits', len(hits))"
    )
    child, terminal = pty.fork()
    if child == 0:
        command = ["run", "--builder", "b", "--", sys.executable, "-c", counting]
        os.execve(sys.executable, [sys.executable, "-m", "buildlogs_agent", *command], agent.environment)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert server.logs[0].channel(0) == b"ready\nhits 1\n"


def test_a_daemon_that_holds_the_output_open_does_not_hang_the_step(agent: Agent, server: ContractServer) -> None:
    logged = agent.run_one("sh", "-c", "sleep 30 & echo $!")
    os.kill(int(logged.stdout), signal.SIGKILL)
    assert logged.returncode == 0
    assert b"still holds its output" in server.logs[0].channel(2)
    assert server.logs[0].finish is not None


def test_what_comes_right_after_the_commands_end_is_kept(agent: Agent, server: ContractServer) -> None:
    logged = agent.run_one("sh", "-c", "(sleep 0.2; echo late) & echo early")
    assert logged.stdout == b"early\nlate\n"
    assert server.logs[0].channel(0) == b"early\nlate\n"


def test_steps_attach_to_the_build_around_them(agent: Agent, server: ContractServer) -> None:
    script = "buildlogs step one -- echo 1; echo between; buildlogs step two -- sh -c 'echo 2 >&2; exit 4'; exit 5"
    built = agent.run("build", "--builder", "b", "--title", "A title", "--url", "http://x/1", "--", "sh", "-c", script)
    assert (built.returncode, built.stdout, built.stderr) == (5, b"1\nbetween\n", b"2\n")
    assert [(step["name"], step["number"], step["results"]) for step in server.steps] == [
        ("one", 1, "success"),
        ("two", 2, "failure"),
    ]
    assert (server.builds[0]["title"], server.builds[0]["origin_url"]) == ("A title", "http://x/1")
    assert server.builds[0]["results"] == "failure"
    assert server.logs[0].channel(0) == b"1\n"
    assert server.logs[1].channel(1) == b"2\n"
    assert agent.spooled() == []
    assert list((agent.spool / "builds").iterdir()) == []


def test_the_builds_id_is_what_the_command_sees(agent: Agent) -> None:
    assert agent.run("build", "--builder", "b", "--", "sh", "-c", "echo $BUILDLOGS_BUILD").stdout == b"1\n"


def test_parallel_steps_of_one_name_are_different_steps(agent: Agent, server: ContractServer) -> None:
    script = "for i in 1 2 3 4; do buildlogs step same -- echo $i & done; wait"
    agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert sorted(step["number"] for step in server.steps) == [1, 2, 3, 4]
    assert sorted(log.channel(0) for log in server.logs) == [b"1\n", b"2\n", b"3\n", b"4\n"]


def test_numbers_taken_by_another_machine_are_passed_over(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    for number, name in ((1, "other"), (2, "mine")):
        server.steps.append({"id": number, "build": 1, "name": name, "number": number, "results": None})
    agent.run("step", "mine", "--", "true", env={"BUILDLOGS_BUILD": "1"})
    assert [(step["id"], step["number"]) for step in server.steps if step["results"]] == [(3, 3)]


def test_a_build_number_that_is_taken_is_left_to_the_server(agent: Agent, server: ContractServer) -> None:
    server.builds.append({"id": 1, "external_id": "e", "number": 7, "results": None})
    assert agent.run("build", "--builder", "b", "--number", "7", "--", "true").returncode == 0
    assert server.builds[1]["results"] == "success"


def test_the_token_is_sent_and_seen_nowhere_else(agent: Agent) -> None:
    with ContractServer(token="bl_secret-token") as server:
        env = {"BUILDLOGS_TOKEN": "bl_secret-token", "BUILDLOGS_SERVER": server.url}
        script = "tr '\\0' ' ' < /proc/$PPID/cmdline; grep -r bl_\\secret \"$BUILDLOGS_SPOOL\" && echo fo''und; true"
        logged = agent.run_one("sh", "-c", script, env=env)
        assert server.builds[0]["results"] == "success"
        assert b"bl_secret-token" not in logged.stdout + logged.stderr + bytes(server.logs[0].payload)
        assert b"found" not in logged.stdout
        wrong = agent.run_one("true", env={**env, "BUILDLOGS_TOKEN": "bl_wrong"})
    assert b"bl_wrong" not in wrong.stderr


def test_a_spool_that_cannot_be_written_costs_the_log_and_nothing_else(agent: Agent) -> None:
    env = {"BUILDLOGS_SPOOL": "/proc/nowhere", "TMPDIR": "/proc", "HOME": "/proc"}
    blocked = {"PYTHONSTARTUP": "", **env}
    script = "import tempfile; tempfile.tempdir = '/proc'; from buildlogs_agent.__main__ import main; "
    script += "raise SystemExit(main(['run', '--builder', 'b', '--', 'sh', '-c', 'echo out; exit 3']))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env={**agent.environment, **blocked}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert b"without a log" in done.stderr


def test_a_terminal_that_stands_still_loses_nothing(agent: Agent, server: ContractServer) -> None:
    with agent.start("run", "--builder", "b", "--", "seq", "300000") as process:
        server.wait_for(lambda: server.logs and server.logs[0].received > 0)
        collected: list[bytes] = []
        reader = threading.Thread(target=lambda: collected.append(process.stdout.read()))
        reader.start()
        assert process.wait(20) == 0
        reader.join(20)
    assert collected[0] == server.logs[0].channel(0) == b"".join(b"%d\n" % number for number in range(1, 300_001))


def test_a_working_directory_that_was_deleted_does_not_keep_the_command_from_running(
    agent: Agent, server: ContractServer, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    enter_and_run = f"cd {gone} && rmdir {gone} && exec buildlogs run --builder linux -- echo ran"
    done = subprocess.run(
        ["/bin/sh", "-c", enter_and_run], env=agent.environment, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"ran\n"), done.stderr
    assert b"in dir (No such file or directory)" in server.logs[0].channel(2)
