"""Runs one command: its output is read, handed to a recorder, and passed through unchanged and at once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import selectors
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Optional

from .clock import now_us
from .errors import CommandNotStarted
from .wire import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .recorder import Recorder
    from .signals import SignalGate

PIPE_BYTES = 1024 * 1024
"""Linux's default limit for a pipe without privileges; a big pipe lets a fast command write on while we work."""

SMALL_READ_BYTES = 64 * 1024

QUIET_AFTER_EXIT_SECONDS = 1.0
MAX_AFTER_EXIT_SECONDS = 5.0
"""Output that comes after the command's exit, from processes it left behind, is read until it is quiet for 1 s."""

F_SETPIPE_SZ = 1031
"""Linux; `fcntl` has the name from Python 3.10 on."""


class Ending(NamedTuple):
    """How a command ended: `exit_code` as a shell tells it, 128 + n where signal n killed it."""

    exit_code: int
    signal: Optional[int]
    elapsed_seconds: float


def start(
    argv: Sequence[str], environment: Mapping[str, str], gate: SignalGate, piped: bool
) -> subprocess.Popen[bytes]:
    """Start a command with the agent's own stdin; with `piped`, its stdout and stderr are two pipes.

    To be called before any thread is started, for the sake of `preexec_fn`.

    Raises:
        CommandNotStarted: with the exit code that says so.
    """
    pipe = subprocess.PIPE if piped else None
    path = shutil.which(argv[0], path=environment.get("PATH", os.defpath))

    def popen(arguments: list[str], executable: Optional[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # the command is what the user asked for
            arguments,
            bufsize=0,
            executable=executable,
            stdout=pipe,
            stderr=pipe,
            env=dict(environment),
            preexec_fn=gate.open_in_child,
        )

    try:
        try:
            return popen(list(argv), path)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without `#!`: what execvp(3) and every shell do
            return popen(["/bin/sh", path or argv[0], *argv[1:]], None)
    except FileNotFoundError:
        raise CommandNotStarted(127, f"{argv[0]}: command not found") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandNotStarted(126, f"{argv[0]}: {reason}") from None


def ending_of(process: subprocess.Popen[bytes], started: float) -> Ending:
    """Wait for the process; `started` is the monotonic time of its start."""
    code = process.wait()
    return Ending(code if code >= 0 else 128 - code, -code if code < 0 else None, time.monotonic() - started)


class PassThrough:
    """One of the agent's own outputs; once nobody reads it any more, it swallows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: Optional[int] = descriptor

    def write(self, data: bytes) -> None:
        """Write all of it; waits for a slow reader, as the command itself would."""
        view = memoryview(data)
        while len(view) and self._descriptor is not None:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # somebody made the shared descriptor non-blocking
                select.select([], [self._descriptor], [])
            except OSError:
                self._descriptor = None

    def close(self) -> None:
        """Let whoever reads it see the end now, although the agent may wait for the server for a while."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # no /dev/null: then it ends when the agent does
                null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                os.dup2(null, self._descriptor)
                os.close(null)
            self._descriptor = None


class OutputReader:
    """Reads both pipes of a process until they end, or until it has ended and what it left behind is quiet."""

    def __init__(
        self, process: subprocess.Popen[bytes], recorder: Recorder, outputs: Mapping[int, PassThrough]
    ) -> None:
        self._process = process
        self._recorder = recorder
        self._outputs = outputs
        self._selector = selectors.DefaultSelector()
        self._read_bytes = {STDOUT: SMALL_READ_BYTES, STDERR: SMALL_READ_BYTES}
        self._exited_at: Optional[float] = None
        self._last_read_at = 0.0

    def run(self) -> bool:
        """Read; False where the pipes had to be left although something still held them open."""
        wake_reader, wake_writer = os.pipe()
        with contextlib.suppress(RuntimeError):  # no thread to be had: the pipes' end tells of the exit, daemons aside
            threading.Thread(target=self._wait_for_exit, args=(wake_writer,), name="exit", daemon=True).start()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        for channel, stream in ((STDOUT, self._process.stdout), (STDERR, self._process.stderr)):
            _widen(stream.fileno())
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream.fileno(), selectors.EVENT_READ, channel)
        self._selector.register(wake_reader, selectors.EVENT_READ, None)
        try:
            while self._open_pipes() and not self._overdue():
                self._step(wake_reader)
            self._recorder.flush()
            self._outputs[STDOUT].close()
            return not self._open_pipes()
        finally:
            self._selector.close()
            os.close(wake_reader)

    def _wait_for_exit(self, wake_writer: int) -> None:
        self._process.wait()
        os.close(wake_writer)

    def _open_pipes(self) -> bool:
        return any(key.data is not None for key in self._selector.get_map().values())

    def _overdue(self) -> bool:
        if self._exited_at is None:
            return False
        quiet_since = max(self._exited_at, self._last_read_at)
        now = time.monotonic()
        return now - quiet_since >= QUIET_AFTER_EXIT_SECONDS or now - self._exited_at >= MAX_AFTER_EXIT_SECONDS

    def _step(self, wake_reader: int) -> None:
        for key, _ in self._selector.select(self._timeout()):
            if key.data is None:
                self._exited_at = time.monotonic()
                self._selector.unregister(wake_reader)
            else:
                self._read(key.fd, key.data)
        self._recorder.expire(now_us())

    def _timeout(self) -> Optional[float]:
        timeout = None if self._exited_at is None else QUIET_AFTER_EXIT_SECONDS / 4
        deadline_us = self._recorder.deadline_us
        if deadline_us is None:
            return timeout
        until_deadline = max(0.0, (deadline_us - now_us()) / 1e6)
        return until_deadline if timeout is None else min(timeout, until_deadline)

    def _read(self, descriptor: int, channel: int) -> None:
        wanted = self._read_bytes[channel]
        try:
            data = os.read(descriptor, wanted)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(descriptor)
            return
        self._read_bytes[channel] = PIPE_BYTES if len(data) >= SMALL_READ_BYTES else SMALL_READ_BYTES
        self._last_read_at = time.monotonic()
        self._recorder.output(channel, now_us(), data)
        self._outputs[channel].write(data)


def _widen(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return  # not Linux, or the user's pipes have used up their pages: the default size will do
