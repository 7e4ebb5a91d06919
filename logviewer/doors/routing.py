"""Which door stands at which address."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import re_path

from logviewer.doors.chunks import append_chunks
from logviewer.doors.raw import raw_text
from logviewer.doors.socket import NoSuchSocket
from logviewer.doors.watch_build import WatchBuild
from logviewer.doors.watch_log import WatchLog

ID = r"[0-9]{1,19}"


def _at(pattern: str, application: Any) -> Any:
    """A route to an ASGI application; Django's types know routes to its own views only."""
    return re_path(pattern, application)


http_doors = [
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/chunks$", append_chunks),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/raw$", AuthMiddlewareStack(raw_text)),
]
"""Byte paths over HTTP. Writing takes tokens only; reading takes the browser's session too."""

websockets = AuthMiddlewareStack(
    URLRouter(
        [
            _at(rf"^ws/logs/(?P<log_id>{ID})/$", WatchLog.as_asgi()),
            _at(rf"^ws/builds/(?P<build_id>{ID})/$", WatchBuild.as_asgi()),
            _at(r"", NoSuchSocket.as_asgi()),
        ]
    )
)
