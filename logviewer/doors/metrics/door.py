"""GET /metrics: who may ask, and the answer."""

from __future__ import annotations

import asyncio
import hashlib
import time

from django.db import DatabaseError, InterfaceError
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from logviewer.doors.answers import respond_whole
from logviewer.doors.http import Exchange, door
from logviewer.doors.identity import identify
from logviewer.doors.metrics.collectors import make_registry, site_collector
from logviewer.doors.metrics.site import PATIENCE_SECONDS, Site
from logviewer.models import TokenScope
from logviewer.resources.access import Caller
from logviewer.resources.errors import Forbidden, Unauthenticated

HEADERS = (("Content-Type", CONTENT_TYPE_PLAIN_0_0_4), ("Cache-Control", "no-store"))

GRACE_SECONDS = 3600.0
"""How long a token that was good is taken while the database, which could say so, is away."""

MAX_KNOWN_TOKENS = 16


class Scrapers:
    """Who may scrape, and who was let in lately: an outage of the database is when the figures are wanted most."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}

    async def admit(self, exchange: Exchange) -> None:
        """Return if a token with the scope `read`, for all projects, is asking.

        Raises:
            Unauthenticated: there is no token, or no valid one.
            Forbidden: the token lacks the scope, or is for one project.
        """
        authorization = exchange.header(b"authorization")
        if authorization is None:
            raise Unauthenticated("metrics need a token with the scope 'read': send 'Authorization: Bearer TOKEN'")
        digest = hashlib.sha256(authorization.encode("latin-1")).hexdigest()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                _check(await identify(exchange.scope))
        except (DatabaseError, InterfaceError, TimeoutError):
            if time.monotonic() - self._known.get(digest, -GRACE_SECONDS) >= GRACE_SECONDS:
                raise
            return
        except (Unauthenticated, Forbidden):
            self._known.pop(digest, None)
            raise
        self._known.pop(digest, None)
        self._known[digest] = time.monotonic()
        while len(self._known) > MAX_KNOWN_TOKENS:
            del self._known[next(iter(self._known))]


def _check(caller: Caller) -> None:
    if not caller.holds(TokenScope.READ):
        raise Forbidden("this token lacks the scope 'read'")
    if caller.token is not None and caller.token.project_id is not None:
        raise Forbidden("this token is for one project, and metrics are of all: they need a token for all projects")


scrapers = Scrapers()
site = Site()
registry = make_registry()


async def _metrics(exchange: Exchange) -> None:
    await scrapers.admit(exchange)
    exchange.refuse_unknown_parameters(())
    await exchange.consume_body()
    site_collector.figures = await site.figures()
    await respond_whole(exchange, HEADERS, generate_latest(registry))


metrics = door({"GET": _metrics, "HEAD": _metrics})
