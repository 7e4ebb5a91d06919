"""How often and for how long a request is repeated while the server is away."""

from __future__ import annotations

import random
import threading
import time
from typing import Callable, Optional, TypeVar

from .errors import GaveUp, ServerAway

DEFAULT_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0
REQUEST_TIMEOUT_SECONDS = 30.0
MIN_REQUEST_TIMEOUT_SECONDS = 1.0

T = TypeVar("T")


class Patience:
    """Repeats requests: without end while the command runs, then as long as the server was not away for `seconds`.

    `on_away` is called with the reason at the first failure. Threads may share one.
    """

    def __init__(self, seconds: float, on_away: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._on_away = on_away
        self._told = False
        self._ended = False
        self._abandoned = False
        self._last_answer = time.monotonic()
        self._changed = threading.Condition()

    def limit(self, seconds: float) -> None:
        """Be patient for no longer than `seconds`."""
        self._seconds = min(self._seconds, seconds)

    def command_ended(self) -> None:
        """From now on the build is kept waiting."""
        with self._changed:
            self._ended = True
            self._last_answer = time.monotonic()
            self._changed.notify_all()

    def abandon(self) -> None:
        """Give up at once: somebody interrupts the wait."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    @property
    def exhausted(self) -> bool:
        """Whether the build has been kept waiting for long enough without an answer."""
        return self._abandoned or (self._ended and self._remaining() <= 0)

    def _remaining(self) -> float:
        return self._last_answer + self._seconds - time.monotonic()

    def answered(self) -> None:
        """The server has answered something: bytes move, and whoever waits has reason to."""
        self._last_answer = time.monotonic()

    def away(self, reason: str) -> None:
        """The server cannot take what it is sent; told to people once."""
        self._tell(reason)

    def persist(self, request: Callable[[float], T]) -> T:
        """The outcome of `request(timeout in seconds)`, called again while it raises ServerAway.

        Raises:
            GaveUp: the patience is exhausted; the message is the server's last reason.
        """
        delay = FIRST_DELAY_SECONDS
        while True:
            if self._abandoned:
                raise GaveUp("interrupted")
            try:
                outcome = request(self._timeout())
            except ServerAway as away:
                self._tell(str(away))
                if self.exhausted:
                    raise GaveUp(str(away)) from None
                delay = self._pause(delay, away.retry_after)
            except Exception:
                self.answered()  # a refusal is an answer
                raise
            else:
                self.answered()
                return outcome

    def _timeout(self) -> float:
        if not self._ended:
            return REQUEST_TIMEOUT_SECONDS
        return min(REQUEST_TIMEOUT_SECONDS, max(MIN_REQUEST_TIMEOUT_SECONDS, self._remaining()))

    def _pause(self, delay: float, retry_after: Optional[float]) -> float:
        """Wait; answers the next delay. Starts over when the command ends meanwhile: now somebody is waiting.

        A pause that the server asked for is kept all the same.
        """
        with self._changed:
            ended = self._ended
            wanted = retry_after if retry_after is not None else random.uniform(delay / 2, delay)  # noqa: S311 - jitter
            if ended:
                wanted = min(wanted, max(0.0, self._remaining()))
            if self._changed.wait_for(
                lambda: self._abandoned or (self._ended != ended and retry_after is None), wanted
            ):
                return FIRST_DELAY_SECONDS
        return min(delay * 2, MAX_DELAY_SECONDS)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            self._on_away(reason)
