"""What may be wrong with a machine, its settings or its spool: the command runs, or exit code 125 says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from buildlogs_agent.spool import Spool
from buildlogs_agent.wire import STDOUT, Piece
from conftest import PATIENCE_SECONDS, Agent
from contract_server import ContractServer, Problem, Request

ECHO_AND_3 = ("run", "--builder", "b", "--", "sh", "-c", "echo out; exit 3")
COUNT_SIGNALS = """
import signal, sys
def second(*_): sys.exit(9)
signal.signal(signal.SIGTERM, second)
print("ready", flush=True)
signal.pause()
"""


def leave_log(agent: Agent, server: ContractServer, name: str, **changes: Any) -> Path:
    """A log of build 1, as a step leaves it that could not reach the server."""
    path = agent.spool / "logs" / name
    path.mkdir(parents=True)
    spool = Spool(path)
    spool.append([Piece(STDOUT, 1, b"left\n")])
    spool.close()
    state = {"server": server.url, "build": "1", "step_name": name, "step_number": None, "results": "success"}
    (path / "state.json").write_text(json.dumps({**state, "received": 5, **changes}))
    return path


def assert_runs(done: subprocess.CompletedProcess[bytes]) -> None:
    """The command's own output and exit code, as ECHO_AND_3 has them, and nothing that a fault of ours would print."""
    assert (done.returncode, done.stdout) == (3, b"out\n"), done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["http://foo bar", "http://[", "foo", "ftp://x", "http://x:99999", ""])
@pytest.mark.parametrize("verb", ["build", "run", "step"])
def test_a_wrong_address_is_125_in_one_line_and_starts_nothing(agent: Agent, verb: str, address: str) -> None:
    arguments = ["step", "name"] if verb == "step" else [verb, "--builder", "b"]
    env = {"BUILDLOGS_SERVER": address, "BUILDLOGS_BUILD": "1", "BUILDLOGS_TOKEN": "bl_secret"}
    wrong = agent.run(*arguments, "--", "echo", "ran", env=env)
    assert (wrong.returncode, wrong.stdout) == (125, b"")
    assert wrong.stderr.startswith(b"buildlogs: BUILDLOGS_SERVER is not a server's address: ")
    assert wrong.stderr.count(b"\n") == 1
    assert b"bl_secret" not in wrong.stderr
    assert not agent.spool.exists()


@pytest.mark.parametrize("reference", ["../1", "1?x", "a b", "pending:", b"\xff", "1\n", "."])
def test_a_step_of_nonsense_is_125_and_names_the_variable(agent: Agent, reference: Any) -> None:
    wrong = agent.run("step", "name", "--", "echo", "ran", env={"BUILDLOGS_BUILD": reference})
    assert (wrong.returncode, wrong.stdout) == (125, b"")
    assert wrong.stderr.startswith(b"buildlogs: BUILDLOGS_BUILD ")
    assert wrong.stderr.count(b"\n") == 1


def test_a_build_of_nonsense_around_it_does_not_touch_a_run(agent: Agent) -> None:
    assert_runs(agent.run(*ECHO_AND_3, env={"BUILDLOGS_BUILD": b"\xff/.."}))


def break_segment(path: Path) -> None:
    next(path.glob("*.chunks")).unlink()
    (path / f"{0:020d}.chunks").mkdir()


def break_lock(path: Path) -> None:
    (path / "lock").mkdir()


def break_state(path: Path) -> None:
    (path / "state.json").unlink()
    (path / "state.json").mkdir()


def write_state(text: str) -> Callable[[Path], object]:
    return lambda path: (path / "state.json").write_text(text)


@pytest.mark.parametrize(
    "spoil",
    [
        break_segment,
        break_lock,
        break_state,
        write_state("{"),
        write_state(""),
        write_state("[1]"),
        write_state('{"server": "x", "build": {}, "step_name": "s", "step_number": 1, "results": "success"}'),
    ],
    ids=["segment", "lock", "state", "torn", "empty", "list", "types"],
)
def test_a_broken_spool_is_told_and_the_others_and_the_build_are_finished(
    agent: Agent, server: ContractServer, spoil: Callable[[Path], object]
) -> None:
    broken, whole = leave_log(agent, server, "a-broken"), leave_log(agent, server, "b-whole")
    spoil(broken)
    built = agent.run("build", "--builder", "b", "--", "sh", "-c", "echo out; exit 3")
    assert_runs(built)
    assert server.builds[0]["results"] == "failure"
    assert [line for line in built.stderr.splitlines() if str(broken).encode() in line]
    assert [(log.channel(0), log.finish) for log in server.logs if log.finish] == [(b"left\n", {"received": 5})]
    assert broken.exists()
    assert not whole.exists()


def test_a_vanished_spool_is_told_and_the_build_is_finished(agent: Agent, server: ContractServer) -> None:
    built = agent.run("build", "--builder", "b", "--", "sh", "-c", 'echo out; rm -r "$BUILDLOGS_SPOOL"; exit 3')
    assert_runs(built)
    assert b"spool directory cannot be read" in built.stderr
    assert server.builds[0]["results"] == "failure"


def test_files_of_the_build_that_cannot_be_deleted_are_no_fault(agent: Agent, server: ContractServer) -> None:
    script = 'echo out; cd "$BUILDLOGS_SPOOL/builds"; for file in *.keeper; do rm $file; mkdir $file; done; exit 3'
    built = agent.run("build", "--builder", "b", "--", "sh", "-c", script)
    assert_runs(built)
    assert built.stderr == b""
    assert server.builds[0]["results"] == "failure"


def test_a_spool_that_is_a_file_is_passed_over(agent: Agent, server: ContractServer, tmp_path: Path) -> None:
    agent.spool.write_text("a file")
    assert_runs(agent.run(*ECHO_AND_3, env={"TMPDIR": str(tmp_path)}))
    assert server.logs[0].channel(0) == b"out\n"


def test_a_disk_too_full_for_a_directory_costs_the_log_and_nothing_else(agent: Agent, server: ContractServer) -> None:
    full = (
        "import errno, pathlib\nmake = pathlib.Path.mkdir\n"
        "def mkdir(path, *args, **options):\n"
        "    if path.parent.name == 'logs': raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    make(path, *args, **options)\n"
        "pathlib.Path.mkdir = mkdir"
    )
    done = agent.run_on_a_machine_where(full, *ECHO_AND_3)
    assert_runs(done)
    assert b"No space left" in done.stderr
    assert server.builds[0]["results"] == "failure"


def test_a_user_without_home_or_name_has_a_spool(agent: Agent, server: ContractServer, tmp_path: Path) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "BUILDLOGS_SPOOL"):
        agent.environment.pop(name, None)
    nameless = "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid"
    assert_runs(agent.run_on_a_machine_where(nameless, *ECHO_AND_3, env={"TMPDIR": str(tmp_path)}))
    assert server.logs[0].channel(0) == b"out\n"


def test_a_machine_without_dev_null_changes_no_exit_code(agent: Agent, server: ContractServer) -> None:
    assert_runs(agent.run_on_a_machine_where("import os; os.devnull = '/nowhere/null'", *ECHO_AND_3))
    assert server.logs[0].channel(0) == b"out\n"


@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_machine_that_has_no_thread_left_runs_the_command(agent: Agent, verb: str) -> None:
    none = 'import threading\ndef start(thread): raise RuntimeError("can\'t start new thread")\n'
    done = agent.run_on_a_machine_where(none + "threading.Thread.start = start", verb, *ECHO_AND_3[1:])
    assert_runs(done)
    assert b"nothing can be delivered" in done.stderr


def test_a_fault_of_the_agents_own_is_one_line_and_the_command_runs_on(agent: Agent) -> None:
    fault = "from buildlogs_agent.api import Api\ndef create_log(*args): raise KeyError('oops')\n"
    done = agent.run_on_a_machine_where(fault + "Api.create_log = create_log", *ECHO_AND_3)
    assert_runs(done)
    assert b"delivery ended: KeyError: 'oops'" in done.stderr


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_outputs_that_are_closed_from_the_beginning_do_not_end_up_in_the_agents_own_files(
    agent: Agent, server: ContractServer, closed: str
) -> None:
    request = "POST /said-by-the-command HTTP/1.1\\r\\nContent-Length: 0\\r\\n\\r\\n"
    say = f"printf '{request}'; printf '{request}' >&2; exit 3"
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", "buildlogs", *ECHO_AND_3[:4], "sh", "-c", say]
    done = subprocess.run(command, env=agent.environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 3, done.stderr
    assert "/said-by-the-command" not in {path for _, path in server.requests}
    assert b"said-by-the-command" in server.logs[0].channel(0)
    assert "sha256" in server.logs[0].finish
    assert server.builds[0]["results"] == "failure"


def test_bytes_that_are_not_utf8_harm_neither_command_nor_log(agent: Agent, server: ContractServer) -> None:
    step = ["step", b"caf\xe9", "--", "sh", "-c", 'printf "$1"; exit 3', "sh", b"\xff"]
    server.builds.append({"id": 1, "external_id": "e", "results": None})
    done = agent.run(*step, env={"BUILDLOGS_BUILD": "1", b"J\xfcnk": b"\xfe"})
    assert (done.returncode, done.stdout, done.stderr) == (3, b"\xff", b"")
    assert server.logs[0].channel(0) == b"\xff"
    assert b"J\xfcnk" in server.logs[0].channel(2)
    assert server.steps[0]["name"] == "caf?"


def test_a_signal_that_may_not_be_sent_does_not_keep_the_next_from_the_command(agent: Agent) -> None:
    forbidden = (
        "import subprocess\nsend, left = subprocess.Popen.send_signal, [1]\n"
        "def send_signal(process, number):\n"
        "    if left: left.pop(); print('forbidden', flush=True); raise PermissionError(1, 'Operation not permitted')\n"
        "    send(process, number)\n"
        "subprocess.Popen.send_signal = send_signal\n"
        "from buildlogs_agent.__main__ import main\n"
        f"raise SystemExit(main(['run', '--builder', 'b', '--', {sys.executable!r}, '-c', {COUNT_SIGNALS!r}]))"
    )
    command = [sys.executable, "-c", forbidden]
    with subprocess.Popen(command, env=agent.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.readline() == b"forbidden\n"
        process.terminate()
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, b"Traceback" in stderr) == (9, False)


@pytest.mark.parametrize("path_end", ["/builds", "/builds/1/steps", "/steps/1/logs", "/chunks", "/logs/1/finish"])
@pytest.mark.parametrize("offset", ["7", "9" * 5000], ids=["offset", "no offset"])
def test_an_answer_that_makes_no_sense_is_a_refusal(
    agent: Agent, server: ContractServer, path_end: str, offset: str
) -> None:
    def strike(request: Request) -> None:
        if request.path.endswith(path_end):
            raise Problem(409, "offset-gap", {"Upload-Offset": offset})

    server.faults = strike
    done = agent.run(*ECHO_AND_3)
    assert_runs(done)
    assert done.stderr.count(b"refused") >= 1


@pytest.mark.parametrize("identity", ["../x", "", "\ud800", None, [1], "x" * 201])
def test_an_id_that_cannot_be_one_is_a_refusal(
    agent: Agent, server: ContractServer, monkeypatch: pytest.MonkeyPatch, identity: Any
) -> None:
    monkeypatch.setattr(server, "_create_build", lambda request: (201, {"id": identity}))
    done = agent.run("build", "--builder", "b", "--", "sh", "-c", "echo out; exit 3")
    assert_runs(done)
    assert b"is this a buildlogs server?" in done.stderr


def test_the_agents_own_environment_is_as_bytes_in_the_command(agent: Agent) -> None:
    done = agent.run(*ECHO_AND_3[:4], "sh", "-c", 'printf %s "$V"', env={"V": b"\xff\xfe"})
    assert done.stdout == os.fsencode("\udcff\udcfe")
