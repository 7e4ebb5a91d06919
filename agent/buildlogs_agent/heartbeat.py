"""Tells the server every minute that a build's writer lives, although it may have nothing to say."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from .errors import Refused, ServerAway

if TYPE_CHECKING:
    from .api import Api, Id
    from .ledger import Ledger

HEARTBEAT_SECONDS = 60.0


def beat(api: Api, build: Id) -> None:
    """One heartbeat. One that is lost does no harm, and a server that knows none answers 404 or 405."""
    with contextlib.suppress(ServerAway, Refused):
        api.heartbeat(build)


class Heartbeat:
    """For a step whose build no `buildlogs build` of this machine keeps. `run` is for a thread of its own."""

    def __init__(self, api: Api, ledger: Ledger, reference: str) -> None:
        self._api = api
        self._ledger = ledger
        self._reference = reference
        self._ended = threading.Event()

    def run(self) -> None:
        """Beat until `end`."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            build = self._ledger.load_build(self._reference).id
            if build is not None:
                beat(self._api, build)

    def end(self) -> None:
        """The step has ended."""
        self._ended.set()
