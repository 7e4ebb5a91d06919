"""Brings one spooled log to the server: creates what it belongs to, sends its bytes, finishes it and its step."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from .errors import GaveUp, OffsetGap, Refused, ServerAway, SocketUnavailable
from .spool import FLUSH_INTERVAL_SECONDS
from .stream import Listener, OutputStream

if TYPE_CHECKING:
    from pathlib import Path

    from .api import Api, Created, Id
    from .ledger import BuildEntry, Ledger, LogEntry
    from .patience import Patience
    from .spool import Spool

MAX_TAKEN_NUMBERS = 20
"""Steps of one build on several machines may take each other's numbers; after so many the server chooses."""

TICK_SECONDS = 0.25
"""How often the wait for the socket looks whether the build has been kept waiting for long enough."""

Report = Callable[[str], None]


def ensure_build(api: Api, ledger: Ledger, reference: str, patience: Patience) -> Id:
    """The id of the build that `BUILDLOGS_BUILD` names, creating it where that has not been possible so far.

    Raises:
        Refused: the server will not have it; noted in the ledger, so that others need not ask again.
        GaveUp: the server stayed away.
    """
    build = ledger.load_build(reference)
    if build.refused is not None:
        raise Refused(0, "", build.refused)
    if build.id is not None:
        return build.id
    try:
        build.id = patience.persist(lambda timeout: create_build(api, build, timeout)).id
    except Refused as refused:
        build.refused = str(refused)
        raise
    finally:
        with contextlib.suppress(OSError):  # others on this machine will then ask again
            ledger.save_build(build)
    return build.id


def create_build(api: Api, build: BuildEntry, timeout: float) -> Created:
    """Create the build; where the number asked for is taken, let the server choose one: the log matters more."""
    request = build.request or {}
    try:
        return api.create_build(request, timeout)
    except Refused as refused:
        if refused.status != 409 or "number" not in request:
            raise
    del request["number"]
    return api.create_build(request, timeout)


class LogUpload:
    """The way of one log from its spool to the server. `deliver` runs in a thread of its own, or after the fact.

    Attributes:
        delivered: whether the server has answered the log's finish.
        settled: whether that is so or never will be; otherwise somebody is to try again, before the build is finished.
    """

    def __init__(
        self, api: Api, ledger: Ledger, spool: Spool, log: LogEntry, patience: Patience, report: Report
    ) -> None:
        self.delivered = False
        self.settled = False
        self._api = api
        self._ledger = ledger
        self._spool = spool
        self._log = log
        self._patience = patience
        self._report = report
        self._offset = 0
        self._offset_known = False
        self._lost = False
        self._completed = threading.Event()
        self._state_lock = threading.Lock()
        log.failed = None  # an earlier attempt's
        if log.results is not None:
            self._completed.set()
            self._spool.close()
        self._note()

    def complete(self, results: str, received: int, sha256: Optional[str]) -> None:
        """The command has ended and its log is whole."""
        self._note(results=results, received=received, sha256=sha256)
        self._completed.set()
        self._spool.close()

    def deliver(self) -> None:
        """Do all there is to do, until the server has answered all of it, will not have it, or stayed away."""
        self._api.intake.open()
        try:
            self._open()
            self._deliver_log()
            self._finish_step()
            if self.delivered:
                self._spool.remove()
            self.settled = True
        except OSError as error:
            self._fail(error)
            self._report(f"the spool of {self._name()} cannot be used: {error}")
        except GaveUp as reason:
            self._report(f"{self._name()} is not delivered: {reason}; its output is kept in {self._path()}")
        except Refused as refused:
            self._fail(refused)
            if self._ledger.load_build(self._log.build).refused is None:  # else `buildlogs build` has said so
                self._report(f"the server refused {self._name()}: {refused}; its output is kept in {self._path()}")
        finally:
            self._api.intake.release()

    def _fail(self, error: Exception) -> None:
        self.settled = True
        self._note(failed=str(error))

    def _open(self) -> None:
        build = ensure_build(self._api, self._ledger, self._log.build, self._patience)
        if self._log.step is None:
            self._note(step=self._find_or_create_step(build))
        step = self._step_id()
        if self._log.log is not None:
            self._go_on()
        else:
            name = self._log.log_name
            kind = self._log.log_type
            created = self._patience.persist(lambda timeout: self._api.create_log(step, name, timeout, kind))
            self._offset_known = created.new
            self._note(log=created.id)

    def _go_on(self) -> None:
        """An earlier process has sent some of the log: ask how much, instead of sending all again."""
        self._offset = self._spool.end
        if self._server_lost_bytes() is None:
            self._offset = 0

    def _find_or_create_step(self, build: Id) -> Id:
        """The step, which a log that joins it (`attaching`) may have created already."""
        with contextlib.suppress(OSError):
            known = self._ledger.find_step(self._log.build, number=self._log.step_number)
            if self._log.step_number is not None and known is not None and known.id is not None:
                return known.id
        return self._create_step(build)

    def _create_step(self, build: Id) -> Id:
        """Numbers make a step's creation repeatable; another machine's step may have ours already."""
        for _ in range(MAX_TAKEN_NUMBERS):
            created = self._create_numbered_step(build)
            if created is not None:
                return created
            self._note(step_number=self._ledger.next_step_number(self._log.build, self._log.step_name))
        self._note(step_number=None)
        return self._patience.persist(
            lambda timeout: self._api.create_step(build, self._log.step_name, None, timeout)
        ).id

    def _create_numbered_step(self, build: Id) -> Optional[Id]:
        """The step's id, or None where its number belongs to another step."""
        unanswered = False

        def request(timeout: float) -> Created:
            nonlocal unanswered
            try:
                return self._api.create_step(build, self._log.step_name, self._log.step_number, timeout)
            except ServerAway as away:
                unanswered = unanswered or away.ambiguous
                raise

        created = self._unless_taken(request)
        return created.id if created is not None and (created.new or unanswered) else None

    def _unless_taken(self, request: Callable[[float], Created]) -> Optional[Created]:
        """What `request` creates, or None where the number belongs to another step."""
        try:
            return self._patience.persist(request)
        except Refused as refused:
            if refused.status != 409 or refused.problem == "finished":
                raise
            return None

    def _deliver_log(self) -> None:
        try:
            self._send_all()
            self._finish_log()
        except Refused as refused:
            self._report(f"the server refused the log of {self._name()}: {refused}; it is kept in {self._path()}")
            self._completed.wait()
        else:
            self.delivered = True

    def _send_all(self) -> None:
        not_before = 0.0  # the first output is sent at once
        while self._spool.wait(self._offset, not_before):
            if not self._send_over_socket():
                not_before = time.monotonic() + FLUSH_INTERVAL_SECONDS
                self._send_next()

    def _send_over_socket(self) -> bool:
        """Send all there will be, or as much as the socket lives for; False where there is none now."""
        listener = Listener(self._patience.answered, self._patience.away)
        stream = OutputStream(self._log_id(), self._spool, self._offset, not self._offset_known, listener)
        if not self._api.intake.attach(stream):
            return False
        self._offset_known = False
        try:
            while not stream.wait(TICK_SECONDS):
                if self._patience.exhausted:
                    raise GaveUp(stream.trouble)
            self._offset_known = True
        except SocketUnavailable:
            return True  # or there would be another try in this one's place: look at the spool again
        finally:
            self._api.intake.detach(stream)
            self._offset = stream.acknowledged
            self._lost = self._lost or stream.skipped
        return True

    def _send_next(self) -> None:
        batch = self._spool.read(self._offset)
        log = self._log_id()
        self._lost = self._lost or batch.skip > 0
        try:
            received = self._patience.persist(
                lambda timeout: self._api.append(log, batch.offset, batch.skip, batch.body, timeout)
            )
        except OffsetGap as gap:
            self._go_back(gap)
            return
        if not batch.end <= received <= self._spool.end:  # more: frames of a socket that was lost had arrived
            raise Refused(0, "", f"after {batch.end} bytes the server says it has {received}")
        self._offset = received
        self._offset_known = True
        self._spool.acknowledge(received)

    def _go_back(self, gap: OffsetGap) -> None:
        """The server has lost bytes that it had acknowledged (a power cut, a restored disk): send them again."""
        if gap.received >= self._offset:
            raise Refused(0, "", f"the server wants bytes from {gap.received} on, which it was just offered")
        self._offset = gap.received
        self._spool.acknowledge(gap.received)

    def _finish_log(self) -> None:
        totals: dict[str, Any] = {"received": self._log.received}
        if self._log.sha256 is not None and not self._lost:
            totals["sha256"] = self._log.sha256
        try:
            self._finish_log_with(totals)
        except Refused as refused:
            if refused.problem != "mismatch":
                raise
            if self._server_lost_bytes():
                self._send_all()
            self._finish_mismatched(totals)

    def _finish_mismatched(self, totals: dict[str, Any]) -> None:
        try:
            self._finish_log_with(totals)
        except Refused as refused:
            if refused.problem != "mismatch":
                raise
            self._report(f"the log of {self._name()} differs from what was sent, and is marked unverified: {refused}")
            self._finish_log_with({**totals, "unverified": True})

    def _finish_log_with(self, totals: dict[str, Any]) -> None:
        log = self._log_id()
        self._patience.persist(lambda timeout: self._api.finish_log(log, totals, timeout))

    def _server_lost_bytes(self) -> Optional[bool]:
        """Offer nothing at our end: a server that has less says how far it is. None where it will not say."""
        log = self._log_id()
        try:
            self._patience.persist(lambda timeout: self._api.append(log, self._offset, 0, b"", timeout))
        except OffsetGap as gap:
            self._go_back(gap)
            return True
        except Refused:
            return None
        return False

    def _finish_step(self) -> None:
        step, results = self._step_id(), self._log.results or "exception"
        try:
            self._patience.persist(lambda timeout: self._api.finish_step(step, results, timeout))
        except Refused as refused:
            self._report(f"the server refused the results of {self._name()}: {refused}")

    def _note(self, **changes: Any) -> None:
        with self._state_lock:
            for name, value in changes.items():
                setattr(self._log, name, value)
            with contextlib.suppress(OSError):  # a full disk: the command goes on, and this process knows it all
                self._ledger.save_log(self._path(), self._log)

    def _step_id(self) -> Id:
        assert self._log.step is not None
        return self._log.step

    def _log_id(self) -> Id:
        assert self._log.log is not None
        return self._log.log

    def _name(self) -> str:
        return f"step {self._log.step_name!r}"

    def _path(self) -> Path:
        return self._spool.directory
