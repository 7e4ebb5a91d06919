"""A build from its beginning to its end: created, kept alive, its steps' leftovers delivered, finished."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Optional

from .errors import GaveUp, Refused, ServerAway
from .ledger import PENDING, BuildEntry
from .spool import Spool
from .upload import LogUpload, create_build, ensure_build

if TYPE_CHECKING:
    from .api import Api
    from .ledger import Ledger
    from .patience import Patience
    from .upload import Report

FIRST_TIMEOUT_SECONDS = 2.0
"""How long a build's command waits for the build's id; without an answer it starts with a reference instead."""

HEARTBEAT_SECONDS = 60.0


def begin_build(api: Api, ledger: Ledger, build: BuildEntry, report: Report) -> str:
    """Try once to create the build; answers what `BUILDLOGS_BUILD` shall hold, whatever came of it."""
    pending = build.reference
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

    def __init__(self, api: Api, ledger: Ledger, reference: str, patience: Patience, report: Report) -> None:
        self.finished = False
        self._api = api
        self._ledger = ledger
        self._reference = reference
        self._patience = patience
        self._report = report
        self._results: Optional[str] = None
        self._ended = threading.Event()
        with contextlib.suppress(OSError):  # a full disk: its steps then wait for the server themselves
            ledger.keep_build(reference)

    def end(self, results: str) -> None:
        """The build's command has ended, and so have its steps."""
        self._results = results
        self._ended.set()

    def run(self) -> None:
        """Heartbeats until the end, then all that is left to tell the server."""
        try:
            build = ensure_build(self._api, self._ledger, self._reference, self._patience)
            while not self._ended.wait(HEARTBEAT_SECONDS):
                with contextlib.suppress(ServerAway, Refused):
                    self._api.heartbeat(build)
            self._deliver_left_logs({self._reference, str(build)})
            results = self._results or "exception"
            self._patience.persist(lambda timeout: self._api.finish_build(build, results, timeout))
            self.finished = True
            with contextlib.suppress(OSError):  # files that stay do no harm: the server knows all
                self._ledger.forget_build(self._reference)
        except GaveUp as reason:
            self._report(f"the build's results are not delivered: {reason}")
        except Refused as refused:
            if self._ledger.load_build(self._reference).refused is None:
                self._report(f"the server refused the build's results: {refused}")

    def _deliver_left_logs(self, references: set[str]) -> None:
        for path, log in self._ledger.left_logs(references, self._api.server, self._report):
            try:
                upload = LogUpload(self._api, self._ledger, Spool(path), log, self._patience, self._report)
                upload.deliver()
            except Exception as error:  # whatever is wrong with one log, the others and the build's end are to be told
                self._report(f"step {log.step_name!r} is not delivered, its spool {path} cannot be used: {error}")
                continue
            if upload.delivered:
                self._report(f"step {log.step_name!r} is delivered now")


def new_build(request: dict[str, object], reference: str) -> BuildEntry:
    """A build that is still to be created; `external_id` makes that repeatable."""
    return BuildEntry(PENDING + reference, request={"external_id": reference, **request})
