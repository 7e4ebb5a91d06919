"""The ASGI application: `daphne buildlogs.asgi:application`."""

import gc
import os
from functools import partial

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "buildlogs.settings")
django.setup(set_prefix=False)

# These need the app registry, which the line above has filled.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.signals import request_finished  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import re_path  # noqa: E402

from logviewer.doors.access_log import log_requests, silence_servers  # noqa: E402
from logviewer.doors.guard import guard  # noqa: E402
from logviewer.doors.handler import SynchronousHandler  # noqa: E402
from logviewer.doors.metrics import count_traffic  # noqa: E402
from logviewer.doors.rates import Limits, limit_rates  # noqa: E402
from logviewer.doors.routing import http_doors, websockets  # noqa: E402
from logviewer.doors.shutdown import end_well, shutdown  # noqa: E402
from logviewer.doors.site_headers import with_site_headers  # noqa: E402
from logviewer.insight.background import BackgroundInsight  # noqa: E402
from logviewer.live import chunk_store  # noqa: E402
from logviewer.live.announce import announcer  # noqa: E402
from logviewer.live.write_behind import write_behind  # noqa: E402
from logviewer.upkeep.background import BackgroundUpkeep  # noqa: E402
from logviewer.upkeep.listening import Listener  # noqa: E402
from logviewer.webhooks.background import Deliverer  # noqa: E402

FLUSH_SECONDS = 1.0
"""What a database or a Redis that is away may cost at the end of the process; both are told again by what is next."""


def close_connections(**_signal: object) -> None:
    """Close the database connections of a request's thread, which ends with the request and can hand them to nobody.

    Left open they wait for the garbage collector: measured, up to 80 at 20 requests at once, and PostgreSQL takes 100.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # as in tests, whose transaction is around the request
            connection.close()


request_finished.connect(close_connections)
chunk_store()  # now, for what another store's library takes to import would hold up the event loop

# Channels' router takes ASGI applications where Django's stubs expect views.
whatever_else = re_path(r"", SynchronousHandler())  # type: ignore[arg-type]
router = ProtocolTypeRouter(
    {
        "http": URLRouter([*http_doors, whatever_else]),
        "websocket": websockets,
    }
)
limits = Limits(settings.MAX_REQUESTS_PER_SECOND, settings.MAX_UPLOAD_BYTES_PER_SECOND)
limited = limit_rates(router, limits, settings.TRUSTED_PROXIES)
headed = with_site_headers(count_traffic(shutdown.around(limited)), behind_https=settings.BEHIND_HTTPS)
application = guard(log_requests(headed, settings.TRUSTED_PROXIES, write=settings.ACCESS_LOG))
if settings.ACCESS_LOG:
    silence_servers()

# This module is imported by servers and by nobody else.
gc.collect()
gc.freeze()  # what is there by now stays to the end: going through it stops all viewers for 30 ms now and then
if settings.LISTENING_TIMES:
    Listener().start()
if settings.UPKEEP_IN_SERVER:
    upkeep = BackgroundUpkeep()
    upkeep.start()
    shutdown.at_first(upkeep.stop)
if settings.INSIGHT_IN_SERVER:
    insight = BackgroundInsight()
    insight.start()
    shutdown.at_first(insight.stop)
if settings.WEBHOOKS_IN_SERVER:
    deliverer = Deliverer()
    deliverer.start()
    shutdown.at_first(deliverer.stop)
shutdown.at_last(partial(write_behind.flush, FLUSH_SECONDS))
shutdown.at_last(partial(announcer.flush, FLUSH_SECONDS))
shutdown.at_last(chunk_store().close)
end_well(shutdown)
