"""Deliveries inside a server: a thread that takes what is due, and others that each wait for one receiver."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone

from logviewer import __version__
from logviewer.live.database import AWAY_ERRORS
from logviewer.webhooks import outbox
from logviewer.webhooks.addresses import Network
from logviewer.webhooks.delivering import Result, Taken, take_due, write_down
from logviewer.webhooks.sending import Answer, send
from logviewer.webhooks.signing import signed_headers
from logviewer.webhooks.tidying import give_up_late, tidy

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How late what another process put into the outbox is noticed; what this one did, at once."""

LONGEST_POLL_SECONDS = 60.0
"""While the database does not answer."""

MAX_AT_ONCE = 16
"""Attempts of this process at the same time: threads that wait for receivers."""

MAX_OF_ONE = 4
"""Of these to one webhook; one to a webhook whose last attempt failed."""

FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 300.0
"""A webhook whose attempts fail, whatever the delivery, is left alone for a while: twice as long each time. Receivers
that hang then take none of the threads but now and then, however much is waiting for them."""

TIDY_SECONDS = 600.0
"""From the start to the first tidying, too: what was waiting while no server ran is tried before it is given up."""

STOP_SECONDS = 1.5
"""What attempts under way are waited for at the end; of others the lease runs out, and they are made again."""

RESULTS: tuple[Result, ...] = ("delivered", "failed", "given-up")
results: Counter[Result] = Counter()
"""What the attempts of this process came to, for /metrics; given up are also those whose day is over."""

Send = Callable[[str, Mapping[str, str], bytes, Sequence[Network]], Answer]


class Deliverer:
    """One daemon thread that has the database to itself, and one for each attempt.

    `clock`, `jitter` (0 to 1) and `sending` are the edges of the machine.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = timezone.now,
        jitter: Callable[[], float] = random.random,
        sending: Send = send,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._sending = sending
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._answers: queue.SimpleQueue[tuple[Taken, Answer]] = queue.SimpleQueue()
        self._under_way: Counter[int] = Counter()
        self._rests = Rests()
        self._tidy_at = clock() + timedelta(seconds=TIDY_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; attempts under way have STOP_SECONDS to be answered."""
        self._stop.set()
        outbox.news.set()
        self._thread.join()

    def do_round(self) -> None:
        """Write down what came of attempts, and begin those that are due; waits for no receiver."""
        self._write_down()
        now = self._clock()
        if now >= self._tidy_at:
            results["given-up"] += give_up_late(now)
            tidy(now, self._stop.is_set)
            self._tidy_at = now + timedelta(seconds=TIDY_SECONDS)
        while self._under_way.total() < MAX_AT_ONCE and not self._stop.is_set():
            taken = take_due(now, self._busy(now))
            if taken is None:
                return
            self._begin(taken)

    def settle(self, seconds: float) -> bool:
        """Do rounds until nothing is due and nothing under way; False where that takes longer."""
        ends_at = time.monotonic() + seconds
        while True:
            outbox.news.clear()
            self.do_round()
            if not self._under_way.total():
                return True
            if not outbox.news.wait(max(0.0, ends_at - time.monotonic())):
                return False

    def _busy(self, now: datetime) -> list[int]:
        """The webhooks that have as many attempts under way as they may, and those that are left alone."""
        full = [key for key, count in self._under_way.items() if count >= (1 if key in self._rests else MAX_OF_ONE)]
        return full + self._rests.resting(now)

    def _begin(self, taken: Taken) -> None:
        self._under_way[taken.webhook_id] += 1
        threading.Thread(target=self._attempt, args=(taken,), name=f"webhook {taken.webhook_id}", daemon=True).start()

    def _attempt(self, taken: Taken) -> None:
        """One attempt, on a thread of its own: it may wait for the receiver, and has no database."""
        body = taken.payload.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"buildlogs/{__version__}",
            "Connection": "close",
            **signed_headers(taken.name, int(self._clock().timestamp()), body, taken.secret),
        }
        try:
            answer = self._sending(taken.url, headers, body, settings.WEBHOOK_ALLOW)
        except Exception:
            logger.exception("delivery %s could not be sent", taken.name)
            answer = Answer(None, "a fault of the server; its log says more", 0)
        self._answers.put((taken, answer))
        outbox.news.set()

    def _write_down(self) -> None:
        """Write down all that is known by now; while the database is away it stays for the next round."""
        while True:
            try:
                taken, answer = self._answers.get_nowait()
            except queue.Empty:
                return
            now = self._clock()
            try:
                result = write_down(taken, answer, now, self._jitter())
            except AWAY_ERRORS:
                self._answers.put((taken, answer))
                raise
            except Exception:  # the others are written down; this one is tried again when its lease is over
                logger.exception("what came of delivery %s could not be written down", taken.name)
                result = None
            self._under_way -= Counter({taken.webhook_id: 1})
            self._rests.note(taken.webhook_id, now, failed=not answer.is_taken)
            if result is not None:
                results[result] += 1
                logger.info("delivery %s: %s %s", taken.name, result, answer.why)

    def _run(self) -> None:
        pause_seconds = POLL_SECONDS
        while True:
            outbox.news.clear()
            if self._stop.is_set():  # after the clearing: what is set from now on ends the wait below
                break
            try:
                self.do_round()
                pause_seconds = POLL_SECONDS
            except Exception as error:
                if not threading.main_thread().is_alive():  # the interpreter ends, and starts no threads any more
                    return
                pause_seconds = min(2 * pause_seconds, LONGEST_POLL_SECONDS)
                if isinstance(error, Error):
                    logger.warning("webhooks wait %g s for the database: %s", pause_seconds, error)
                else:
                    logger.exception("webhooks failed, and go on in %g s", pause_seconds)
                connections.close_all()  # one that broke does not mend
                self._stop.wait(pause_seconds)
                continue
            if not self._under_way.total():
                connections.close_all()  # an idle thread holds none
            outbox.news.wait(pause_seconds)
        self._wait_for_answers()
        connections.close_all()

    def _wait_for_answers(self) -> None:
        ends_at = time.monotonic() + STOP_SECONDS
        while self._under_way.total() and time.monotonic() < ends_at:
            outbox.news.clear()
            try:
                self._write_down()
            except Error as error:
                logger.warning("what came of some deliveries is not written down, they are made again: %s", error)
                return
            if self._under_way.total():
                outbox.news.wait(max(0.0, ends_at - time.monotonic()))


class Rests:
    """Webhooks whose last attempt failed, and until when each is left alone. Forgotten with the process."""

    def __init__(self) -> None:
        self._failures: dict[int, tuple[float, datetime]] = {}

    def __contains__(self, webhook_id: int) -> bool:
        return webhook_id in self._failures

    def resting(self, now: datetime) -> list[int]:
        """Those that are left alone now."""
        return [webhook_id for webhook_id, (_seconds, until) in self._failures.items() if until > now]

    def note(self, webhook_id: int, now: datetime, *, failed: bool) -> None:
        """An attempt is over; several that failed at the same time are one failure."""
        known = self._failures.get(webhook_id)
        if not failed:
            self._failures.pop(webhook_id, None)
        elif known is None:
            self._failures[webhook_id] = (FIRST_REST_SECONDS, now + timedelta(seconds=FIRST_REST_SECONDS))
        elif known[1] <= now:
            seconds = min(2 * known[0], LONGEST_REST_SECONDS)
            self._failures[webhook_id] = (seconds, now + timedelta(seconds=seconds))
