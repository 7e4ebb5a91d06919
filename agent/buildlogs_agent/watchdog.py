"""Ends a command that takes too long, or is silent for too long (`--timeout`, `--idle-timeout`)."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .process import Ending, Manner

KILL_GRACE_SECONDS = 5.0
"""How long a process group that was asked to terminate may take before it is killed."""

POLL_SECONDS = 0.05

TIMED_OUT_EXIT_CODE = 124
"""As timeout(1) answers: the command's own code would say what it made of SIGTERM, perhaps success."""


class Watchdog:
    """Watches a command from a thread of its own, so that a terminal that stands still does not stop the clock.

    `signal_group` sends a signal to the command's whole process group and answers whether anything of it is left.

    Attributes:
        timed_out: whether the command had to be terminated.
        deaf: set while the command's output is not read because nobody takes it: then its silence does not count.
    """

    def __init__(
        self,
        argv: Sequence[str],
        manner: Manner,
        signal_group: Callable[[int], bool],
        report: Callable[[str], None],
    ) -> None:
        self.timed_out = False
        self.deaf = False
        self._argv = list(argv)
        self._timeout_seconds = manner.timeout_seconds
        self._idle_seconds = manner.idle_seconds
        self._signal_group = signal_group
        self._report = report
        self._tell_log: Callable[[str], None] = lambda notice: None
        self._started = self._heard = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def begin(self, tell_log: Callable[[str], None]) -> None:
        """Start the clocks; `tell_log` gets what the log shall say.

        Raises:
            RuntimeError: no thread is to be had.
        """
        self._tell_log = tell_log
        if self._timeout_seconds is not None or self._idle_seconds is not None:
            self._thread.start()

    def heard(self) -> None:
        """The command has said something."""
        self._heard = time.monotonic()

    def command_ended(self) -> None:
        """From now on nothing times out; what has timed out is still killed with all its group."""
        self._ended.set()

    def finish(self) -> None:
        """Wait until nothing is left of a process group that had to be terminated, or until that was killed."""
        self.command_ended()
        if self.timed_out:
            self._thread.join(KILL_GRACE_SECONDS + 1)

    def judged(self, ending: Ending) -> Ending:
        """How the command ended for those who wait for it."""
        return ending._replace(exit_code=TIMED_OUT_EXIT_CODE, signal=None) if self.timed_out else ending

    def _watch(self) -> None:
        while True:
            reason = self._reason()
            if reason is not None:
                break
            if self._ended.wait(max(0.0, self._next_at() - time.monotonic())):
                return
        self.timed_out = True
        self._say(f"command timed out: {reason} running {self._argv!r}, attempting to kill")
        self._signal_group(signal.SIGTERM)
        self._signal_group(signal.SIGCONT)  # as timeout(1): what is stopped could not terminate
        kill_at = time.monotonic() + KILL_GRACE_SECONDS
        while self._signal_group(0):
            if time.monotonic() >= kill_at:
                self._say(f"still running {KILL_GRACE_SECONDS:g} seconds after SIGTERM, killing it")
                self._signal_group(signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)

    def _say(self, what: str) -> None:
        self._report(what)
        self._tell_log(f"{what}\n")

    def _next_at(self) -> float:
        total = self._started + self._timeout_seconds if self._timeout_seconds is not None else float("inf")
        idle = self._heard_at() + self._idle_seconds if self._idle_seconds is not None else float("inf")
        return min(total, idle)

    def _heard_at(self) -> float:
        return time.monotonic() if self.deaf else self._heard

    def _reason(self) -> Optional[str]:
        """In Buildbot's words."""
        now = time.monotonic()
        if self._timeout_seconds is not None and now - self._started >= self._timeout_seconds:
            return f"{self._timeout_seconds:g} seconds elapsed"
        if self._idle_seconds is not None and now - self._heard_at() >= self._idle_seconds:
            return f"{self._idle_seconds:g} seconds without output"
        return None
