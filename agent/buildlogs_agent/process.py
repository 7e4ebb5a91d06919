"""Starts one command: its streams, its process group, how it ended."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

from .errors import CommandNotStarted
from .terminal import Foreground, Terminal
from .wire import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .signals import SignalGate

PIPE_BYTES = 1024 * 1024
"""Linux's default limit for a pipe without privileges; a big pipe lets a fast command write on while we work."""

F_SETPIPE_SZ = 1031
"""Linux; `fcntl` has the name from Python 3.10 on."""


class Ending(NamedTuple):
    """How a command ended: `exit_code` as a shell tells it, 128 + n where signal n killed it."""

    exit_code: int
    signal: Optional[int]
    elapsed_seconds: float


class Manner(NamedTuple):
    """How a command is to be run.

    Attributes:
        pty: it gets a terminal instead of two pipes.
        timeout_seconds: how long it may take, or None.
        idle_seconds: how long it may be silent, or None.
    """

    pty: bool = False
    timeout_seconds: Optional[float] = None
    idle_seconds: Optional[float] = None


class Pipes:
    """Two pipes for a command's stdout and stderr.

    Attributes:
        sources: descriptors to be read, and the channel of each.
    """

    def __init__(self) -> None:
        out, self._stdout = os.pipe()
        err, self._stderr = os.pipe()
        self.sources = {out: STDOUT, err: STDERR}
        for descriptor in self.sources:
            widen(descriptor)

    def streams(self) -> dict[str, int]:
        """Arguments for `Popen`."""
        return {"stdout": self._stdout, "stderr": self._stderr}

    def discard_inner(self) -> None:
        """Close the command's ends in this process."""
        os.close(self._stdout)
        os.close(self._stderr)


class Command:
    """A command that has been started.

    In the agent's own process group, where whoever kills the group reaches it even when the agent is gone; in one of
    its own where a timeout may have to end all of it; in a session of its own where it has a terminal of its own.

    Attributes:
        process: what was started.
        started: monotonic time of the start.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        gate: SignalGate,
        manner: Manner,
        streams: Union[Pipes, Terminal, None],
    ) -> None:
        """Start it, with the agent's own streams except those that `streams` has for it.

        To be called before any thread is started, for the sake of `preexec_fn`.

        Raises:
            CommandNotStarted: with the exit code that says so.
        """
        self._gate = gate
        self._terminal = streams if isinstance(streams, Terminal) else None
        timed = manner.timeout_seconds is not None or manner.idle_seconds is not None
        self._foreground = Foreground() if timed and self._terminal is None else None
        self.started = time.monotonic()
        try:
            self.process = self._start(argv, environment, streams.streams() if streams else {})
        except CommandNotStarted:
            self._take_terminal_back()
            raise
        finally:
            if streams:
                streams.discard_inner()

    @property
    def is_apart(self) -> bool:
        """Whether the command has a process group of its own, which the terminal's signals to ours do not reach."""
        return self._terminal is not None or self._foreground is not None

    def send_signal(self, number: int) -> None:
        """Pass a signal on: to the command, or to its whole group where that is its own."""
        if self.is_apart:
            self.signal_group(number)
            return
        with contextlib.suppress(OSError):  # the command is another user's now (`sudo`): the next must get here
            self.process.send_signal(number)  # does nothing where the process has ended just now

    def signal_group(self, number: int) -> bool:
        """Send a signal to the process group that is the command's own; whether anything of it is left."""
        try:
            os.killpg(self.process.pid, number)
        except PermissionError:  # all that is left of it is another user's
            return True
        except ProcessLookupError:
            return False
        return True

    def wait(self) -> Ending:
        """Wait until it has ended."""
        code = self.process.wait()
        self._take_terminal_back()
        elapsed = time.monotonic() - self.started
        return Ending(code if code >= 0 else 128 - code, -code if code < 0 else None, elapsed)

    def _take_terminal_back(self) -> None:
        if self._foreground is not None:
            self._foreground.take_back()

    def _start(
        self, argv: Sequence[str], environment: Mapping[str, str], streams: dict[str, int]
    ) -> subprocess.Popen[bytes]:
        path = shutil.which(argv[0], path=environment.get("PATH", os.defpath))
        try:
            try:
                return self._popen(list(argv), path, environment, streams)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # A script without `#!`: what execvp(3) and every shell do
                return self._popen(["/bin/sh", path or argv[0], *argv[1:]], None, environment, streams)
        except FileNotFoundError:
            raise CommandNotStarted(127, f"{argv[0]}: command not found") from None
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise CommandNotStarted(126, f"{argv[0]}: {reason}") from None

    def _popen(
        self, arguments: list[str], executable: Optional[str], environment: Mapping[str, str], streams: dict[str, int]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # the command is what the user asked for
            arguments,
            bufsize=0,
            executable=executable,
            env=dict(environment),
            start_new_session=self._terminal is not None,
            preexec_fn=self._open_in_child,
            stdin=streams.get("stdin"),
            stdout=streams.get("stdout"),
            stderr=streams.get("stderr"),
        )

    def _open_in_child(self) -> None:
        if self._terminal is not None:
            self._terminal.open_in_child()
        elif self._foreground is not None:
            os.setpgid(0, 0)
            self._foreground.open_in_child()
        self._gate.open_in_child()


def widen(descriptor: int) -> None:
    """Let a pipe hold as much as it may."""
    with contextlib.suppress(OSError):  # not Linux, or the user's pipes have used up their pages: the default will do
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
