"""Commands and pipes whose output is not recorded, only let through."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Callable, Optional

from .errors import CommandNotStarted
from .output import PassThrough
from .process import PIPE_BYTES, Command, Ending, Manner
from .steps import PIPE_BROKEN_EXIT_CODE, watch
from .watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .signals import SignalGate
    from .upload import Report


class PlainCommand:
    """A running command whose output is its own."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        gate: SignalGate,
        manner: Manner,
        end_the_wait: Callable[[], None],
        report: Report,
    ) -> None:
        """Start it. What cannot be started is told to the people at the terminal, and by `follow`."""
        self._started = time.monotonic()
        self._command: Optional[Command] = None
        self._exit_code = 0
        self._argv = argv
        self._manner = manner._replace(pty=False, idle_seconds=None)  # it has our streams, and we do not hear it
        self._report = report
        try:
            self._command = Command(argv, environment, gate, self._manner, None)
        except CommandNotStarted as error:
            report(str(error))
            self._exit_code = error.exit_code
        else:
            gate.pass_on_to(self._command.send_signal, end_the_wait, self._command.is_apart)
            PassThrough(1).close()  # the command has it now

    def follow(self) -> Ending:
        """Wait for its end."""
        if self._command is None:
            return Ending(self._exit_code, None, time.monotonic() - self._started)
        watchdog = Watchdog(self._argv, self._manner, self._command.signal_group, self._report)
        watch(self._command, watchdog)
        ending = self._command.wait()
        watchdog.finish()
        return watchdog.judged(ending)


def pass_through() -> int:
    """Standard input to standard output, as cat(1) does; answers the exit code."""
    output = PassThrough(1)
    while output.broken_at is None:
        data = os.read(0, PIPE_BYTES)
        if not data:
            return 0
        output.write(data)
    return PIPE_BROKEN_EXIT_CODE
