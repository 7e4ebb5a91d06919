"""The part of script/demo that runs inside .venv: prepares the data directory, serves, runs the demo's build.

Nothing here keeps state of its own: the data directory is all, so that a demo killed with -9 starts again on it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "127.0.0.1"
START_SECONDS = 60
ANSWER_SECONDS = 5
STOP_SECONDS = 8
TOKEN_DAYS = 2
POLL_SECONDS = 0.1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PROJECT = "demo"
BUILDER = "this-machine"
TOKEN_NAME = "script/demo"  # noqa: S105 (a name, shown in the admin)


class DemoFailed(Exception):
    """The demo cannot go on; the message says why in one line."""


class Stopped(BaseException):
    """SIGTERM or Ctrl-C: raised wherever the demo is, as KeyboardInterrupt would be."""


class Family:
    """The processes that the demo starts, each the head of a process group; none outlives the demo.

    `close` ends them in order, the last started first. A guardian in a session of its own ends them when the demo
    is killed in a way that leaves it no time to (see `_guardian.py`).
    """

    def __init__(self) -> None:
        self._members: list[subprocess.Popen[bytes]] = []
        self._guardian = subprocess.Popen(
            [sys.executable, str(ROOT / "script" / "_guardian.py")], stdin=subprocess.PIPE, start_new_session=True
        )

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command at the project's root; its output goes to `output`, or to the demo's own."""
        with _signals_held_back() as restore:
            member = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=restore,
            )
            self._members.append(member)
            self._tell_guardian(f"+{member.pid}")
        return member

    def close(self) -> None:
        """End every process, politely at first."""
        for member in reversed(self._members):
            _signal_group(member.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                member.wait(STOP_SECONDS)
            _signal_group(member.pid, signal.SIGKILL)  # also what the member itself left behind
            member.wait()
            self._tell_guardian(f"-{member.pid}")
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait()

    def _tell_guardian(self, line: str) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(f"{line}\n".encode())
        self._guardian.stdin.flush()


@contextlib.contextmanager
def _signals_held_back() -> Iterator[Callable[[], object]]:
    """Let no signal come between the start of a process and its entry in the family.

    Yields what the child has to call before its exec, since it inherits the mask.
    """
    original = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, original)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, original)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--port", type=_port, default=8000)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--no-build", action="store_true")
    return parser.parse_args()


def _set_environment(data_directory: Path | None) -> None:
    """Set what the server and the demo's own use of Django read; all else stays as the user has it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "buildlogs.settings"
    os.environ.setdefault("BUILDLOGS_ACCESS_LOG", "0")  # or the address to open is lost among its lines
    if data_directory is not None:
        os.environ["BUILDLOGS_DATA_DIR"] = str(data_directory.expanduser().resolve())
    hosts = os.environ.get("BUILDLOGS_ALLOWED_HOSTS")
    if hosts is not None:
        os.environ["BUILDLOGS_ALLOWED_HOSTS"] = f"{hosts},{ADDRESS}"
    sys.path.insert(0, str(ROOT))


def _free_port(wanted: int) -> int:
    """The port itself, or any free one for 0; a port that is taken is refused here, before anything is done."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, wanted))
        except OSError as error:
            raise DemoFailed(f"port {wanted} cannot be used ({error.strerror}); choose one with --port") from None
        return int(probe.getsockname()[1])


def _prepare() -> None:
    """Bring the database up to date and collect the pages' static files."""
    import django
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    django.setup()
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        raise DemoFailed(f"the database cannot be used: {' '.join(str(error).split())}") from None
    finally:
        connection.close()
    call_command("collectstatic", interactive=False, verbosity=0)


def _issue_token() -> str:
    """Make the demo's project, seen by all, and a token for its build; the token of an earlier start goes."""
    from django.db import connection
    from django.utils import timezone

    from logviewer.models import Project, Token, TokenScope, Visibility

    try:
        project, _ = Project.objects.update_or_create(
            slug=PROJECT,
            defaults={"visibility": Visibility.PUBLIC},
            create_defaults={"name": "Demo", "visibility": Visibility.PUBLIC},
        )
        Token.objects.filter(name=TOKEN_NAME).delete()
        _, text = Token.issue(
            TOKEN_NAME,
            project=project,
            scopes=[TokenScope.WRITE, TokenScope.READ],
            expires_at=timezone.now() + timedelta(days=TOKEN_DAYS),
        )
        return text
    finally:
        connection.close()


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Ask the server; raises OSError or HTTPException where it does not answer."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _serve(family: Family, port: int) -> subprocess.Popen[bytes]:
    """Start Daphne and wait until it answers."""
    command = [sys.executable, "-m", "daphne", "-b", ADDRESS, "-p", str(port), "-v", "0", "buildlogs.asgi:application"]
    server = family.start(command, os.environ)
    deadline = time.monotonic() + START_SECONDS
    last = "no answer"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoFailed(f"daphne ended while starting, with exit code {server.returncode}; its words are above")
        try:
            status, _ = _get(port, "/healthz")
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
        else:
            if status == http.HTTPStatus.OK:
                return server
            last = f"HTTP {status}"
        time.sleep(POLL_SECONDS)
    raise DemoFailed(f"the server did not answer /healthz within {START_SECONDS} s: {last}")


def _newest_build(port: int) -> dict[str, object] | None:
    status, body = _get(port, f"/api/v1/builds?project={PROJECT}&builder={BUILDER}&limit=1")
    if status != http.HTTPStatus.OK:
        raise DemoFailed(f"the server answered {status} when asked for its builds")
    items = json.loads(body)["items"]
    return items[0] if items else None


def _start_build(family: Family, port: int, token: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "BUILDLOGS_SERVER": f"http://{ADDRESS}:{port}",
        "BUILDLOGS_TOKEN": token,
        "BUILDLOGS_SPOOL": str(_data_directory() / "demo-spool"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    agent = str(Path(sys.executable).parent / "buildlogs")
    command = [agent, "build", "--project", PROJECT, "--builder", BUILDER, "--title", "Check this machine"]
    return family.start([*command, "--", "bash", "script/demo-build.sh"], environment, output)


def _data_directory() -> Path:
    from django.conf import settings

    return Path(settings.DATA_DIR)


def _wait_for_page(port: int, build: subprocess.Popen[bytes], before: dict[str, object] | None, log: Path) -> str:
    """Wait until the server knows of a build that was not there before; returns its page's address."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        newest = _newest_build(port)
        if newest is not None and (before is None or newest["id"] != before["id"]):
            return urljoin(f"http://{ADDRESS}:{port}/", str(newest["url"]))
        if build.poll() is not None:
            break
        time.sleep(POLL_SECONDS)
    raise DemoFailed(f"the build did not reach the server; the agent's words are in {log}")


def _follow(server: subprocess.Popen[bytes], build: subprocess.Popen[bytes] | None) -> None:
    """Stay until the server ends; say when the build does."""
    while server.poll() is None:
        if build is not None and build.poll() is not None:
            print(f"script/demo: the build has ended with exit code {build.returncode} (one step fails, as it should)")
            build = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(POLL_SECONDS * 5)
    raise DemoFailed(f"daphne has ended with exit code {server.returncode}; its words are above")


def _demo(options: argparse.Namespace, family: Family) -> None:
    port = _free_port(options.port)
    _prepare()
    server = _serve(family, port)
    print(f"script/demo: serving http://{ADDRESS}:{port}/ (Ctrl-C ends it)")
    if options.no_build:
        _follow(server, None)
        return
    token = _issue_token()
    before = _newest_build(port)
    log = _data_directory() / "demo-build.log"
    with log.open("wb") as output:
        build = _start_build(family, port, token, output)
    page = _wait_for_page(port, build, before, log)
    print(f"script/demo: a build runs, watch it live: {page}")
    _follow(server, build)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    """Handle the first signal; from then on, while the demo cleans up, signals do nothing."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    """Run the demo until it is told to end; returns the exit code."""
    options = _options()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream unless a test replaced it
    _set_environment(options.data_dir)
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _raise_stopped)
    family = None
    try:
        family = Family()
        _demo(options, family)
    except Stopped:
        return 0
    except DemoFailed as failure:
        sys.stderr.write(f"script/demo: {failure}\n")
        return 1
    finally:
        if family is not None:
            family.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
