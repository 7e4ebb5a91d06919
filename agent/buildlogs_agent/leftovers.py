"""What earlier calls of the agent could not deliver: their logs, and how their builds ended."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Optional

from . import headers
from .attaching import AttachedUpload
from .clock import now_us
from .errors import GaveUp, Refused
from .spool import Spool
from .upload import LogUpload, ensure_build
from .wire import HEADER, Piece

if TYPE_CHECKING:
    from pathlib import Path

    from .ledger import BuildEntry, LogEntry
    from .steps import Services

POLL_SECONDS = 0.1
"""How often a build that ends looks whether the server knows a log that another process sends."""


def settle_log(services: Services, path: Path, log: LogEntry) -> None:
    """Deliver one log of a build that is to be finished, or wait until the server knows it from who has it.

    Raises:
        GaveUp: neither has come about: the server would refuse the log of a finished build, for ever.
    """
    while deliver_log(services, path, log) is None and services.ledger.is_owed(path):
        if services.patience.exhausted:
            raise GaveUp(f"the agent of step {log.step_name!r} has not brought its log to the server yet")
        time.sleep(POLL_SECONDS)


def deliver_log(services: Services, path: Path, log: LogEntry) -> Optional[bool]:
    """Deliver one log that was left; False where that is in vain, which is reported, None where another process has it.

    Raises:
        GaveUp: the server stayed away.
    """
    try:
        with services.ledger.locked(path) as held:
            if not held:
                return None
            return _deliver(services, path, services.ledger.load_log(path))  # another process may have begun meanwhile
    except GaveUp:
        raise
    except Exception as error:  # whatever is wrong with one log, the others and the build's end are to be told
        services.report(f"step {log.step_name!r} is not delivered, its spool {path} cannot be used: {error}")
        return False


def _deliver(services: Services, path: Path, log: LogEntry) -> bool:
    spool = Spool(path)
    try:
        if log.results is None:
            _end_in_its_place(spool, log)
        upload_type = AttachedUpload if log.attached else LogUpload
        upload = upload_type(services.api, services.ledger, spool, log, services.patience, services.report)
        upload.deliver()
    finally:
        spool.leave()
    if not upload.settled:
        raise GaveUp(f"step {log.step_name!r} is not delivered")
    if upload.delivered:
        services.report(f"step {log.step_name!r} is delivered now")
    return upload.delivered


def _end_in_its_place(spool: Spool, log: LogEntry) -> None:
    """The agent that wrote this log was killed: what it had stored is all there is."""
    if log.log_type == "stdio":
        text = headers.agent_died()
        spool.append([Piece(HEADER, now_us(), f"\n{text}".encode())])
    log.results, log.received, log.sha256 = "exception", spool.end, None


def deliver_all(services: Services) -> bool:
    """`buildlogs flush`: deliver what is left, of all builds; whether nothing is left then."""
    here = services.api.server
    services.ledger.reconsider_builds()
    found = services.ledger.left_logs(here, services.report)
    undelivered, in_vain = len(found.logs), set()
    with contextlib.suppress(GaveUp):  # the others would fare no better
        for path, log in found.logs:
            if deliver_log(services, path, log) is False:
                in_vain.add(path)
            else:
                undelivered -= 1
    logs = [(path, log) for path, log in found.logs + found.in_work if path not in in_vain]
    waiting = {log.build for path, log in logs if services.ledger.is_owed(path)}
    left_builds = services.ledger.left_builds()
    builds = [build for build in left_builds if build.server in ("", here)]
    unfinished = sum(bool(build.names & waiting) or not _finish_build(services, build) for build in builds)
    _tell_what_is_left(services, len(found.logs), undelivered, unfinished)
    if found.in_work:
        services.report(f"{len(found.in_work)} logs are left to the agents that are sending them")
    elsewhere = {log.server for log in found.elsewhere} | {build.server for build in left_builds} - {"", here}
    for server in sorted(elsewhere):
        services.report(f"there is something for another server: buildlogs --server {server} flush")
    return not (undelivered or unfinished or found.unreadable or elsewhere)


def _tell_what_is_left(services: Services, logs: int, undelivered: int, unfinished: int) -> None:
    if undelivered or unfinished:
        kept = services.ledger.directory
        services.report(f"{undelivered} logs and the results of {unfinished} builds are left; they are kept in {kept}")
    else:
        services.report(f"{logs} logs delivered, nothing is left for {services.api.server}")


def _finish_build(services: Services, build: BuildEntry) -> bool:
    results = build.results or "exception"
    try:
        if services.patience.exhausted:
            return False
        known = ensure_build(services.api, services.ledger, build.reference, services.patience)
        services.patience.persist(lambda timeout: services.api.finish_build(known, results, timeout))
    except GaveUp as reason:
        services.report(f"the build's results are not delivered: {reason}")
        return False
    except Refused as refused:
        services.report(f"the server refused the build's results: {refused}")
        return False
    with contextlib.suppress(OSError):
        services.ledger.forget_build(build.reference)
    return True
