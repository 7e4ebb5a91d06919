"""A server as it is deployed (no debug mode, hashed static files), and builds on it that the real agent writes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.client import Writer
from tests.acceptance.server import ROOT, Server

PUBLIC = "demo"
PRIVATE = "secret"
AGENT_SECONDS = 30
_INHERITED = ("HOME", "LANG", "TMPDIR")  # a build's log names the variables around it: no more than it needs
AGENT = (sys.executable, "-m", "buildlogs_agent")

_PREPARE = f"""
from logviewer.models import Project, Visibility
Project.objects.create(slug={PUBLIC!r}, name="Demo", visibility=Visibility.PUBLIC)
Project.objects.create(slug={PRIVATE!r}, visibility=Visibility.PRIVATE)
"""


class Site:
    """The server, a project that everybody sees, one that nobody does, and who writes to them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = server.token()
        self.writer = Writer(server.url, self.token)

    @property
    def url(self) -> str:
        return self.server.url

    def run(self, code: str) -> str:
        """Run Python on the models, beside the server; returns what it printed."""
        return self.server.manage("shell", "--verbosity", "0", "--command", code)

    def add_projects(self) -> None:
        self.run(_PREPARE)

    def start_agent(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `buildlogs ARGUMENTS`, in whose command the variable `BUILDLOGS` is the agent's own command.

        Its input and output are pipes: the output shows how far the build is, the input may steer it.
        """
        environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # `python` is this one
            "PYTHONPATH": str(ROOT / "agent"),
            "BUILDLOGS": " ".join(AGENT),
            "BUILDLOGS_SERVER": self.url,
            "BUILDLOGS_TOKEN": self.token,
            "BUILDLOGS_PROJECT": PUBLIC,
            "BUILDLOGS_SPOOL": str(self.server.data_dir / "spool"),
        }
        return subprocess.Popen(
            [*AGENT, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def address(self, builder: str, number: int = 1) -> str:
        return f"{self.url}/p/{PUBLIC}/{builder}/{number}/"


@contextmanager
def serving(data_dir: Path, **environment: str) -> Iterator[Site]:
    """A started, migrated site without content; its environment is the usual one and what is given."""
    server = Server(data_dir, environment={"BUILDLOGS_DEBUG": "0", "BUILDLOGS_FSYNC": "never", **environment})
    server.migrate()
    _collect_static(server)
    server.start()
    try:
        yield Site(server)
    finally:
        server.stop()


def _collect_static(server: Server) -> None:
    """Once for all processes of a test run: to collect anew takes files away for a moment, and two at once fail."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"process-{os.getpid()}")
    done = Path(tempfile.gettempdir()) / f"buildlogs-static-{run}"
    with Path(f"{done}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            server.manage("collectstatic", "--noinput", "--verbosity", "0")
            done.touch()


# A command that prints what it is told on its standard input, and ends as it is told.
_PARROT = (
    'while IFS= read -r line; do case $line in "exit "*) exit "${line#exit }";; *) printf "%s\\n" "$line";; esac; done'
)


READY = "ready"


class ToldBuild:
    """A build through the agent whose steps print what the test tells them, when it tells them."""

    def __init__(self, site: Site, builder: str, steps: Sequence[str] = ("compile",)) -> None:
        """Start the build, and wait until it has its page and its first step runs."""
        self.address = site.address(builder)
        script = "; ".join(f"$BUILDLOGS step {step} -- bash -c '{_PARROT}' || exit 1" for step in steps)
        self._agent = site.start_agent("build", "--builder", builder, "--title", "Told", "--", "bash", "-c", script)
        self.say(READY)
        assert self._agent.stdout is not None
        assert READY.encode() in self._agent.stdout.readline()

    def say(self, *lines: str) -> None:
        """Have the running step print these lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def end_step(self, code: int = 0) -> None:
        """End the running step with that exit code; the next one begins, after a failure none does."""
        self._write(f"exit {code}\n")

    def end(self) -> int:
        """Let the running step end with its input; returns the agent's exit code once all is delivered."""
        self._agent.communicate(timeout=AGENT_SECONDS)
        return self._agent.returncode

    def close(self) -> None:
        """End the agent, whatever it does."""
        if self._agent.poll() is None:
            self._agent.terminate()
        self.end()

    def _write(self, text: str) -> None:
        assert self._agent.stdin is not None
        self._agent.stdin.write(text.encode())
        self._agent.stdin.flush()
