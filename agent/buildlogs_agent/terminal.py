"""A terminal for a command (`--pty`), with the agent's own behind it where there is one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import tty
from typing import Any, Optional

from .wire import STDOUT

DEFAULT_SIZE = struct.pack("HHHH", 24, 80, 0, 0)
"""Rows and columns, for a command that runs where nobody has a terminal."""

INTERRUPT = b"\x03"

MAX_PENDING_BYTES = 4096
"""Keys that the command has not read; Linux's own limit for a line."""


class Terminal:
    """A pseudo-terminal. The command has its inner end, the agent reads `output` and passes keys on.

    Standard input is the command's own where it is no terminal; else its keys go through this terminal, unprocessed,
    so that Ctrl-C and all others mean what the command's terminal makes of them.

    Attributes:
        output: descriptor of the outer end; reading it fails with EIO once nothing holds the inner end.
        passes_keys: whether standard input is a terminal whose keys are ours to read.
        interrupted: whether somebody has typed Ctrl-C.
    """

    def __init__(self) -> None:
        """Raises OSError where the system has no more of them."""
        self.output, self._inner = os.openpty()
        for descriptor in (self.output, self._inner):
            os.set_inheritable(descriptor, False)
        os.set_blocking(self.output, False)
        self._sized_like = next((descriptor for descriptor in (1, 0, 2) if os.isatty(descriptor)), None)
        self._has_input = os.isatty(0)
        self.passes_keys = self._has_input and _in_foreground()
        self.interrupted = False
        self._pending = b""
        self._restore: Optional[list[Any]] = None
        self._before: Any = None
        if self._has_input:
            termios.tcsetattr(self._inner, termios.TCSANOW, termios.tcgetattr(0))
        self._copy_size()

    @property
    def sources(self) -> dict[int, int]:
        """Descriptors to be read, and the channel of each: one for all that the command says."""
        return {self.output: STDOUT}

    def streams(self) -> dict[str, int]:
        """What the command's standard streams are, as arguments for `Popen`."""
        return {"stdout": self._inner, "stderr": self._inner, **({"stdin": self._inner} if self._has_input else {})}

    def open_in_child(self) -> None:
        """Between fork and exec, in a session of its own: make it the command's controlling terminal."""
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)

    def begin(self) -> None:
        """The command has it now."""
        self.discard_inner()
        self._before = signal.signal(signal.SIGWINCH, lambda *_: self._copy_size())
        if self.passes_keys:
            with contextlib.suppress(termios.error):  # it has been closed just now
                self._restore = termios.tcgetattr(0)
                tty.setraw(0, termios.TCSADRAIN)

    def discard_inner(self) -> None:
        """Close the command's end in this process."""
        if self._inner >= 0:
            os.close(self._inner)
            self._inner = -1

    def end(self) -> None:
        """Give the people at the terminal theirs back as it was."""
        if self._before is not None:
            signal.signal(signal.SIGWINCH, self._before)
            self._before = None
        if self._restore is not None:
            with contextlib.suppress(termios.error):  # it has been closed meanwhile
                termios.tcsetattr(0, termios.TCSANOW, self._restore)
            self._restore = None

    @property
    def has_pending_keys(self) -> bool:
        """Whether the command has yet to take keys; no more are read until then."""
        return bool(self._pending)

    def read_keys(self) -> bool:
        """Take what was typed, and pass it on; False where our terminal has ended."""
        try:
            keys = os.read(0, MAX_PENDING_BYTES)
        except OSError:
            return False
        self.interrupted = self.interrupted or (INTERRUPT in keys and self._interrupts())
        self._pending += keys
        self.pass_keys_on()
        return bool(keys)

    def pass_keys_on(self) -> None:
        """Write pending keys, as many as there is room for."""
        try:
            self._pending = self._pending[os.write(self.output, self._pending) :]
        except BlockingIOError:
            return
        except OSError:  # the command's end is closed
            self._pending = b""

    def _interrupts(self) -> bool:
        """Whether Ctrl-C means an interruption to the command, and is not a key like any other."""
        with contextlib.suppress(termios.error):
            return bool(termios.tcgetattr(self.output)[3] & termios.ISIG)
        return False

    def _copy_size(self) -> None:
        size = DEFAULT_SIZE
        if self._sized_like is not None:
            with contextlib.suppress(OSError):
                size = fcntl.ioctl(self._sized_like, termios.TIOCGWINSZ, DEFAULT_SIZE)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.output, termios.TIOCSWINSZ, size)


class Foreground:
    """Lends our terminal to the process group of a command, as a shell does for its jobs."""

    def __init__(self) -> None:
        self.lent = os.isatty(0) and _in_foreground()

    def open_in_child(self) -> None:
        """Between fork and exec, in a process group of its own: read from the terminal, and get its Ctrl-C.

        Ctrl-Z is ignored: the agent could not be stopped with the command, and nobody could wake it.
        """
        if self.lent:
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            _set_foreground(os.getpgrp())

    def take_back(self) -> None:
        """The command has ended."""
        if self.lent:
            self.lent = False
            _set_foreground(os.getpgrp())


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _set_foreground(group: int) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])  # or who is in the background would be stopped
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
