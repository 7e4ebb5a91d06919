"""Steps: a command, or a pipe, whose output is recorded, spooled and sent while it comes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Union

from . import headers
from .errors import CommandNotStarted
from .ledger import LogEntry
from .output import OutputReader, PassThrough
from .process import Command, Ending, Manner, Pipes, widen
from .recorder import Recorder
from .spool import Spool
from .terminal import Terminal
from .upload import LogUpload
from .watchdog import Watchdog
from .wire import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from .api import Api
    from .ledger import Ledger
    from .masking import Mask
    from .patience import Patience
    from .signals import SignalGate
    from .upload import Report

PIPE_BROKEN_EXIT_CODE = 128 + signal.SIGPIPE
"""What `cat` in a pipe answers whose reader has gone."""


@dataclass(frozen=True)
class Services:
    """What all that is recorded and delivered needs."""

    api: Api
    ledger: Ledger
    spool_limit_bytes: int
    patience: Patience
    mask: Mask
    report: Report


def results_of(ending: Ending, signals_received: Collection[int]) -> str:
    """Buildbot's word: a command that was interrupted is `cancelled`, one that crashed an `exception`.

    One that took too long is a `failure`, as in Buildbot.
    """
    interrupting = {signal.SIGINT, signal.SIGTERM}
    if ending.exit_code == 0:
        return "success"
    if ending.signal in interrupting or interrupting & set(signals_received):
        return "cancelled"
    return "failure" if ending.signal is None else "exception"


def working_directory() -> str:
    """Where the command will run; that may have been deleted, and many commands do not mind."""
    try:
        return str(Path.cwd())
    except OSError as error:
        return f"({error.strerror})"


class RecordedLog:
    """A log that this process writes, from its spool to its end.

    Attributes:
        recorder: takes what the log shall hold.
    """

    def __init__(self, services: Services, path: Path, log: LogEntry, upload_type: type[LogUpload] = LogUpload) -> None:
        """Open the spool in `path`. Raises OSError where that cannot be written."""
        self.services = services
        self.spool = Spool(path, services.spool_limit_bytes)
        self.recorder = Recorder(self.spool, services.mask)
        self._upload = upload_type(services.api, services.ledger, self.spool, log, services.patience, services.report)

    @property
    def deliver(self) -> Callable[[], None]:
        """To be run in a thread of its own, which must not begin before the last fork."""
        return self._upload.deliver

    @property
    def settled(self) -> bool:
        """Whether the server has it, or never will; False where somebody is to deliver it later."""
        return self._upload.settled

    def complete(self, results: str) -> None:
        """All has been recorded: the log is whole, and being delivered."""
        received, sha256 = self.recorder.close()
        if self.spool.dropped:
            self.services.report(f"the spool was full: {self.spool.dropped} bytes of output are missing in the log")
        self.services.patience.command_ended()
        self._upload.complete(results, received, sha256)


def new_step_log(services: Services, build: str, name: str) -> RecordedLog:
    """The log of a step that begins now. Raises OSError where the spool cannot be written."""
    name = services.mask.text(name)
    path = services.ledger.new_log()
    number = services.ledger.next_step_number(build, name)
    return RecordedLog(services, path, LogEntry(services.api.server, build, name, number))


class RecordedStep:
    """One command with its log. First `launch`, then `follow`, and the log's `deliver` in a thread."""

    def __init__(self, log: RecordedLog) -> None:
        self._log = log
        self._recorder = log.recorder
        self._command: Optional[Command] = None
        self._streams: Union[Pipes, Terminal, None] = None
        self._not_started: Optional[CommandNotStarted] = None
        self._started = time.monotonic()

    @property
    def deliver(self) -> Callable[[], None]:
        """As the log's."""
        return self._log.deliver

    @property
    def settled(self) -> bool:
        """As the log's."""
        return self._log.settled

    def launch(
        self, argv: Sequence[str], environment: Mapping[str, str], gate: SignalGate, manner: Manner, values: bool
    ) -> None:
        """Start the command; with `values` the log shows its variables' too. A failure is told by `follow`."""
        mask = self._log.services.mask
        listed = headers.values(mask.variables(environment)) if values else headers.names(environment)
        self._argv = [mask.text(argument) for argument in argv]
        self._recorder.header(headers.beginning(self._argv, working_directory(), listed))
        self._manner = manner
        self._started = time.monotonic()
        try:
            self._streams = self._open_streams(manner)
            self._command = Command(argv, environment, gate, manner, self._streams)
        except CommandNotStarted as error:
            self._not_started = error
            return
        gate.pass_on_to(self._command.send_signal, self._log.services.patience.abandon, self._command.is_apart)

    def follow(self, signals_received: set[int]) -> Ending:
        """Read the command's output until it has ended; the log is whole then, and being delivered."""
        ending = self._read(signals_received)
        self._log.complete(results_of(ending, signals_received))
        return ending

    def _open_streams(self, manner: Manner) -> Union[Pipes, Terminal]:
        if manner.pty:
            try:
                return Terminal()
            except OSError as error:
                self._log.services.report(f"there is no terminal to be had ({error.strerror}): pipes are used instead")
        try:
            return Pipes()
        except OSError as error:
            raise CommandNotStarted(126, f"there is no pipe for the command's output: {error.strerror}") from None

    def _read(self, signals_received: set[int]) -> Ending:
        if self._command is None:
            assert self._not_started is not None
            self._log.services.report(str(self._not_started))
            self._recorder.header(headers.not_started(str(self._not_started)))
            ending = Ending(self._not_started.exit_code, None, time.monotonic() - self._started)
            self._recorder.header(headers.ending(ending))
            return ending
        return self._follow_command(self._command, signals_received)

    def _follow_command(self, command: Command, signals_received: set[int]) -> Ending:
        assert self._streams is not None
        terminal = self._streams if isinstance(self._streams, Terminal) else None
        outputs = {STDOUT: PassThrough(1), STDERR: PassThrough(2)}
        watchdog = Watchdog(self._argv, self._manner, command.signal_group, self._log.services.report)
        reader = OutputReader(self._recorder, self._streams.sources, outputs, watchdog, terminal)
        if terminal is not None:
            terminal.begin()
        try:
            watch(command, watchdog, reader)
            whole = reader.run()
        finally:
            if terminal is not None:
                terminal.end()
        ending = command.wait()
        watchdog.finish()
        reader.tell_notices()
        if terminal is not None and terminal.interrupted:
            signals_received.add(signal.SIGINT)
        if not whole:
            self._recorder.header(headers.pipe_held_open())
        self._recorder.header(headers.ending(ending))
        return watchdog.judged(ending)


class PipedStep:
    """A step whose output comes from a pipe: standard input, which is passed through to standard output."""

    def __init__(self, log: RecordedLog, name: str) -> None:
        self._log = log
        self._recorder = log.recorder
        self._recorder.header(headers.piped(name, working_directory()))
        self._outputs = {STDOUT: PassThrough(1)}
        self._stopped_by: Optional[int] = None
        source = os.dup(0)
        widen(source)
        self._reader = OutputReader(self._recorder, {source: STDOUT}, self._outputs)

    def send_signal(self, number: int) -> None:
        """A signal sent to the agent alone ends the step; a Ctrl-C is the writer's business, whose end ends this."""
        self._stopped_by = number
        self._reader.stop()

    def follow(self, results: str) -> int:
        """Read until the pipe's end; answers the exit code."""
        started = time.monotonic()
        self._reader.run()
        close_standard_input()
        self._recorder.header(headers.piped_ending(time.monotonic() - started))
        self._log.complete(results if self._stopped_by is None else "cancelled")
        if self._stopped_by is not None:
            return 128 + self._stopped_by
        return PIPE_BROKEN_EXIT_CODE if self._reader.broken else 0


def watch(command: Command, watchdog: Watchdog, reader: Optional[OutputReader] = None) -> None:
    """Let the reader know of the command's end, and the watchdog begin; where there are threads to be had."""

    def wait_for_exit() -> None:
        command.process.wait()
        watchdog.command_ended()
        if reader is not None:
            reader.exited()

    with contextlib.suppress(RuntimeError):  # the pipes' end tells of the exit then, daemons aside
        threading.Thread(target=wait_for_exit, name="exit", daemon=True).start()
        watchdog.begin(reader.tell if reader is not None else lambda notice: None)


def close_standard_input() -> None:
    """Let whoever writes to it know that nobody reads any more."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.close(null)
