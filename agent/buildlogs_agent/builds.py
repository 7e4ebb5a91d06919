"""A build from its beginning to its end: created, kept alive, its steps' leftovers delivered, finished."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Optional

from . import heartbeat
from .errors import GaveUp, Refused, ServerAway
from .ledger import PENDING, BuildEntry
from .leftovers import settle_log
from .upload import create_build, ensure_build

if TYPE_CHECKING:
    from pathlib import Path

    from .api import Api, Id
    from .ledger import Ledger, LogEntry
    from .steps import Services
    from .upload import Report

FIRST_TIMEOUT_SECONDS = 2.0
"""How long a build's command waits for the build's id; without an answer it starts with a reference instead."""


def begin_build(api: Api, ledger: Ledger, build: BuildEntry, report: Report) -> str:
    """Try once to create the build; answers what `BUILDLOGS_BUILD` shall hold, whatever came of it."""
    pending, build.server = build.reference, api.server
    try:
        build.id = create_build(api, build, FIRST_TIMEOUT_SECONDS).id
        build.reference = str(build.id)
    except ServerAway as away:
        report(f"{api.server} does not answer ({away}): the build runs, its output is kept and sent later")
    except Refused as refused:
        build.refused = str(refused)
        report(f"{api.server} refused the build: {refused}; it runs without a log on the server")
    if build.reference == pending:
        with contextlib.suppress(OSError):  # a full disk: steps find no file, say so, and run
            ledger.save_build(build)
    return build.reference


class BuildKeeper:
    """Accompanies a running build in a thread of its own.

    Attributes:
        finished: whether the server knows how the build ended.
    """

    def __init__(self, services: Services, reference: str) -> None:
        self.finished = False
        self._services = services
        self._api = services.api
        self._ledger = services.ledger
        self._reference = reference
        self._results: Optional[str] = None
        self._ended = threading.Event()
        with contextlib.suppress(OSError):  # a full disk: its steps then wait for the server themselves
            self._ledger.keep_build(reference)

    def end(self, results: str) -> None:
        """The build's command has ended, and so have its steps."""
        self._results = results
        self._ended.set()

    def run(self) -> None:
        """Heartbeats until the end, then all that is left to tell the server."""
        try:
            build = ensure_build(self._api, self._ledger, self._reference, self._services.patience)
            while not self._ended.wait(heartbeat.HEARTBEAT_SECONDS):
                heartbeat.beat(self._api, build)
            for path, log in self._left_logs(build):
                settle_log(self._services, path, log)
            results = self._results or "exception"
            self._services.patience.persist(lambda timeout: self._api.finish_build(build, results, timeout))
            self.finished = True
            with contextlib.suppress(OSError):  # files that stay do no harm: the server knows all
                if not self._ledger.forget_build(self._reference):
                    self.leave(results)  # `flush` forgets it with the last of its logs
        except GaveUp as reason:
            self._services.report(f"the build's results are not delivered: {reason}")
        except Refused as refused:
            if self._ledger.load_build(self._reference).refused is None:
                self._services.report(f"the server refused the build's results: {refused}")

    def leave(self, results: str) -> None:
        """Write down for `buildlogs flush` how the build ended, where that could not be delivered."""
        build = self._ledger.load_build(self._reference)
        build.results, build.server = results, self._api.server
        with contextlib.suppress(OSError):
            self._ledger.save_build(build)

    def _left_logs(self, build: Id) -> list[tuple[Path, LogEntry]]:
        references = {self._reference, str(build)}
        left = self._ledger.left_logs(self._api.server, self._services.report, references)
        return left.logs + left.in_work


def new_build(request: dict[str, object], reference: str) -> BuildEntry:
    """A build that is still to be created; `external_id` makes that repeatable."""
    return BuildEntry(PENDING + reference, request={"external_id": reference, **request})
