"""Signals that reach the agent and are meant for the command."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Callable

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

SI_KERNEL = 0x80
"""`si_code` (Linux) of a signal that the kernel sent: a key at the terminal, or the terminal's end."""


class SignalGate:
    """Holds signals back from the agent and passes them on to the command.

    The command stays in the agent's process group: it must be able to read from the terminal, and whoever kills the
    group must reach it even when the agent is gone. So a Ctrl-C at the terminal has reached it already, and is not
    passed on a second time (many programs take a second one as "now!"). A command that has a terminal of its own or a
    timeout is in a process group of its own all the same (see `process`): then it gets all of them from here.

    Attributes:
        received: signals that arrived before `command_ended`, whoever sent them.
        command_ended: set by whoever starts to wait for the server only; from then on signals end that wait.
    """

    def __init__(self) -> None:
        """Block the signals in this thread, and so in all that it starts; ignored ones (`nohup`) stay ignored."""
        self.received: set[int] = set()
        self.command_ended = False
        self._watched = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
        self._original = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)

    def open_in_child(self) -> None:
        """Between fork and exec: give the command the signals as they were before this gate."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._original)

    def pass_on_to(
        self, send_signal: Callable[[int], None], end_the_wait: Callable[[], None], is_apart: bool = False
    ) -> None:
        """From now on hand signals to `send_signal`; once `command_ended` is set, call `end_the_wait` instead.

        `is_apart`: the command is in a process group of its own, where what the terminal sends to ours is not sent.
        """
        if not self._watched:
            return
        try:
            threading.Thread(
                target=self._watch, args=(send_signal, end_the_wait, is_apart), name="signals", daemon=True
            ).start()
        except RuntimeError:  # no thread to be had: let the signals end the agent, which nobody could interrupt else
            signal.pthread_sigmask(signal.SIG_SETMASK, self._original)

    def _watch(self, send_signal: Callable[[int], None], end_the_wait: Callable[[], None], is_apart: bool) -> None:
        while True:
            number, from_terminal = _next_signal(self._watched)
            if self.command_ended:
                end_the_wait()
                continue
            self.received.add(number)
            if is_apart or not from_terminal:
                send_signal(number)


def _next_signal(watched: set[signal.Signals]) -> tuple[int, bool]:
    """The next of the signals, and whether the terminal has sent it to the command as well."""
    if sys.platform == "linux":
        information = signal.sigwaitinfo(watched)
        return information.si_signo, information.si_code == SI_KERNEL
    number = signal.sigwait(watched)
    return number, number in (signal.SIGINT, signal.SIGQUIT) and sys.stdin.isatty()
