"""A command's output: read, handed to a recorder, and passed through unchanged and at once."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Callable, Optional

from . import headers
from .clock import now_us
from .process import PIPE_BYTES
from .wire import STDOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .recorder import Recorder
    from .terminal import Terminal
    from .watchdog import Watchdog

SMALL_READ_BYTES = 64 * 1024

QUIET_AFTER_EXIT_SECONDS = 1.0
MAX_AFTER_EXIT_SECONDS = 5.0
"""Output that comes after the command's exit, from processes it left behind, is read until it is quiet for 1 s."""

READERLESS_SECONDS = 10.0
READERLESS_BYTES = 16 * 1024 * 1024
"""Once nobody reads what is passed through (`| head`), the log goes on for so long; then the command is told."""

PENDING_KEYS_SECONDS = 0.05


class PassThrough:
    """One of the agent's own outputs; once nobody reads it any more, it swallows.

    Attributes:
        broken_at: monotonic time when the reader of a pipe was found gone, or None. A terminal that has gone, or an
            output that was closed from the beginning, is no such thing: it would not have ended the command either.
    """

    def __init__(self, descriptor: int) -> None:
        self.broken_at: Optional[float] = None
        self._descriptor: Optional[int] = descriptor

    def write(self, data: bytes) -> None:
        """Write all of it; waits for a slow reader, as the command itself would."""
        view = memoryview(data)
        while len(view) and self._descriptor is not None:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # somebody made the shared descriptor non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._descriptor = None
                self.broken_at = time.monotonic() if error.errno == errno.EPIPE else None

    def close(self) -> None:
        """Let whoever reads it see the end now, although the agent may wait for the server for a while."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # no /dev/null: then it ends when the agent does
                null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                os.dup2(null, self._descriptor)
                os.close(null)
            self._descriptor = None


class OutputReader:
    """Reads descriptors until they end, or until the command has ended and what it left behind is quiet.

    `exited` and `tell` may be called from any thread, all else from one.
    """

    def __init__(
        self,
        recorder: Recorder,
        sources: Mapping[int, int],
        outputs: Mapping[int, PassThrough],
        watchdog: Optional[Watchdog] = None,
        terminal: Optional[Terminal] = None,
    ) -> None:
        """`sources` are descriptors and their channels, `outputs` where each channel is passed through to."""
        self._recorder = recorder
        self._sources = dict(sources)
        self._outputs = outputs
        self._watchdog = watchdog
        self._terminal = terminal
        self._selector = selectors.PollSelector()  # unlike epoll it takes files as well
        self._read_bytes = dict.fromkeys(self._sources.values(), SMALL_READ_BYTES)
        self._readerless_bytes = dict.fromkeys(self._sources.values(), 0)
        self._exited = self._stopped = False
        self._exited_at: Optional[float] = None  # as far as the reader has noticed
        self._last_read_at = 0.0
        self._notices: deque[str] = deque()
        self._wake_lock = threading.Lock()
        self._wake_reader, self._wake_writer = os.pipe()

    @property
    def broken(self) -> bool:
        """Whether reading was ended because nobody took what was passed through."""
        return any(self._is_readerless(channel) for channel in self._outputs)

    def exited(self) -> None:
        """The command has ended: what it left behind is waited for no longer than said above."""
        self._exited = True
        self._wake()

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        self._wake()

    def tell(self, notice: str) -> None:
        """Write something into the log that the agent says itself."""
        self._notices.append(notice)
        self._wake()

    def run(self) -> bool:
        """Read, and close the descriptors; False where they had to be left although something held them open."""
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._woken)
        for descriptor, channel in self._sources.items():
            with contextlib.suppress(OSError):  # closed from the beginning: it ends with its first read
                self._selector.register(descriptor, selectors.EVENT_READ, self._reader(descriptor, channel))
        self._listen_to_keys()
        try:
            while self._sources and not self._overdue():
                self._step()
            self.tell_notices()
            self._recorder.flush()
            if STDOUT in self._outputs:
                self._outputs[STDOUT].close()
            return not self._sources
        finally:
            self._close()

    def _step(self) -> None:
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        if self._terminal is not None and self._terminal.has_pending_keys:
            self._terminal.pass_keys_on()
            self._listen_to_keys()
        self._recorder.expire(now_us())

    def _timeout(self) -> Optional[float]:
        waits = [] if self._exited_at is None else [QUIET_AFTER_EXIT_SECONDS / 4]
        if self._recorder.deadline_us is not None:
            waits.append(max(0.0, (self._recorder.deadline_us - now_us()) / 1e6))
        if self._terminal is not None and self._terminal.has_pending_keys:
            waits.append(PENDING_KEYS_SECONDS)
        return min(waits, default=None)

    def _overdue(self) -> bool:
        if self._exited_at is None or self._stopped:
            return self._stopped
        quiet_since = max(self._exited_at, self._last_read_at)
        now = time.monotonic()
        return now - quiet_since >= QUIET_AFTER_EXIT_SECONDS or now - self._exited_at >= MAX_AFTER_EXIT_SECONDS

    def _reader(self, descriptor: int, channel: int) -> Callable[[], None]:
        return lambda: self._read(descriptor, channel)

    def _read(self, descriptor: int, channel: int) -> None:
        try:
            data = os.read(descriptor, self._read_bytes[channel])
        except BlockingIOError:
            return
        except OSError:  # EIO: nothing holds the inner end of a terminal any more
            data = b""
        if not data:
            self._leave(descriptor)
            return
        self._read_bytes[channel] = PIPE_BYTES if len(data) >= SMALL_READ_BYTES else SMALL_READ_BYTES
        self._recorder.output(channel, now_us(), data)
        self._pass_through(channel, data)
        if self._outputs[channel].broken_at is not None:
            self._go_on_without_reader(descriptor, channel, len(data))

    def _pass_through(self, channel: int, data: bytes) -> None:
        """Write to our own output; while that stands still, no clock counts against what is still to be read."""
        began = time.monotonic()
        if self._watchdog is not None:
            self._watchdog.deaf = True
        self._outputs[channel].write(data)
        if self._watchdog is not None:
            self._watchdog.heard()
            self._watchdog.deaf = False
        self._last_read_at = time.monotonic()
        if self._exited_at is not None:
            self._exited_at += self._last_read_at - began

    def _go_on_without_reader(self, descriptor: int, channel: int, count: int) -> None:
        """What is written to a pipe that nobody reads ends a command with SIGPIPE: so it does here, a little later."""
        self._readerless_bytes[channel] += count
        if self._is_readerless(channel):
            self._leave(descriptor)
            self._recorder.header(headers.reader_gone())

    def _is_readerless(self, channel: int) -> bool:
        broken_at = self._outputs[channel].broken_at
        if broken_at is None:
            return False
        overdue = time.monotonic() - broken_at >= READERLESS_SECONDS
        return overdue or self._readerless_bytes[channel] >= READERLESS_BYTES

    def _leave(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)
        del self._sources[descriptor]
        os.close(descriptor)

    def _read_keys(self) -> None:
        assert self._terminal is not None
        self._selector.unregister(0)
        if self._terminal.read_keys():
            self._listen_to_keys()

    def _listen_to_keys(self) -> None:
        """Read keys only while the command takes them."""
        if self._terminal is not None and self._terminal.passes_keys and not self._terminal.has_pending_keys:
            self._selector.register(0, selectors.EVENT_READ, self._read_keys)

    def _woken(self) -> None:
        os.read(self._wake_reader, 100)
        if self._exited and self._exited_at is None:
            self._exited_at = time.monotonic()
        self.tell_notices()

    def tell_notices(self) -> None:
        """Write what was told into the log now."""
        while self._notices:
            self._recorder.header(self._notices.popleft())

    def _wake(self) -> None:
        with self._wake_lock:
            if self._wake_writer >= 0:
                os.write(self._wake_writer, b"!")

    def _close(self) -> None:
        self._selector.close()
        with self._wake_lock:
            os.close(self._wake_writer)
            self._wake_writer = -1
        os.close(self._wake_reader)
        for descriptor in self._sources:
            os.close(descriptor)
