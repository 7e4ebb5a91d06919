"""A step: a command whose output is recorded, spooled and sent while it runs."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from . import headers
from .errors import CommandNotStarted
from .ledger import LogEntry
from .process import Ending, OutputReader, PassThrough, ending_of, start
from .recorder import Recorder
from .spool import Spool
from .upload import LogUpload
from .wire import STDERR, STDOUT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Collection, Sequence

    from .api import Api
    from .ledger import Ledger
    from .patience import Patience
    from .signals import SignalGate
    from .upload import Report


def results_of(ending: Ending, signals_received: Collection[int]) -> str:
    """Buildbot's word: a command that was interrupted is `cancelled`, one that crashed an `exception`."""
    interrupting = {signal.SIGINT, signal.SIGTERM}
    if ending.exit_code == 0:
        return "success"
    if ending.signal in interrupting or interrupting & set(signals_received):
        return "cancelled"
    return "failure" if ending.signal is None else "exception"


def _working_directory() -> str:
    """Where the command will run; that may have been deleted, and many commands do not mind."""
    try:
        return str(Path.cwd())
    except OSError as error:
        return f"({error.strerror})"


class RecordedStep:
    """One command with its log. First `launch`, then `follow`, and `deliver` in a thread.

    The thread begins after `launch`: none may run at a fork.
    """

    def __init__(
        self,
        api: Api,
        ledger: Ledger,
        build: str,
        name: str,
        limit_bytes: int,
        patience: Patience,
        report: Report,
    ) -> None:
        """Open the step's spool. Raises OSError where that cannot be written."""
        path = ledger.new_log()
        spool = Spool(path, limit_bytes)
        log = LogEntry(api.server, build, name, ledger.next_step_number(build))
        self._patience = patience
        self._report = report
        self._recorder = Recorder(spool)
        self._spool = spool
        self._upload = LogUpload(api, ledger, spool, log, patience, report)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._not_started: Optional[CommandNotStarted] = None
        self._started = time.monotonic()

    @property
    def deliver(self) -> Callable[[], None]:
        """To be run in a thread of its own, from `launch` on."""
        return self._upload.deliver

    def launch(self, argv: Sequence[str], environment: dict[str, str], gate: SignalGate) -> None:
        """Start the command. One that cannot be started is told by `follow`."""
        self._recorder.header(headers.beginning(argv, _working_directory(), environment))
        self._started = time.monotonic()
        try:
            self._process = start(argv, environment, gate, piped=True)
        except CommandNotStarted as error:
            self._not_started = error
            return
        gate.pass_on_to(self._process, self._patience.abandon)

    def follow(self, signals_received: Collection[int]) -> Ending:
        """Read the command's output until it has ended; the log is whole then, and being delivered."""
        ending = self._read()
        self._recorder.header(headers.ending(ending))
        received, sha256 = self._recorder.close()
        if self._spool.dropped:
            self._report(f"the spool was full: {self._spool.dropped} bytes of output are missing in the log")
        self._patience.command_ended()
        self._upload.complete(results_of(ending, signals_received), received, sha256)
        return ending

    def _read(self) -> Ending:
        if self._process is None:
            assert self._not_started is not None
            self._report(str(self._not_started))
            self._recorder.header(headers.not_started(str(self._not_started)))
            return Ending(self._not_started.exit_code, None, time.monotonic() - self._started)
        outputs = {STDOUT: PassThrough(1), STDERR: PassThrough(2)}
        whole = OutputReader(self._process, self._recorder, outputs).run()
        ending = ending_of(self._process, self._started)
        if not whole:
            self._recorder.header(headers.pipe_held_open())
        return ending
