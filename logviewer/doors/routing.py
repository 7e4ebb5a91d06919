"""Which door stands at which address."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import re_path

from logviewer.doors.chunks import append_chunks
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope, header
from logviewer.doors.rates import Application
from logviewer.doors.raw import raw_text
from logviewer.doors.socket import NoSuchSocket
from logviewer.doors.watch_build import WatchBuild
from logviewer.doors.watch_log import WatchLog

ID = r"[0-9]{1,19}"


def _at(pattern: str, application: Any) -> Any:
    """A route to an ASGI application; Django's types know routes to its own views only."""
    return re_path(pattern, application)


def _with_session(application: Application) -> Application:
    """Look up the browser's session where there can be one: a machine that sends no cookie does not wait for it."""
    looked_up = AuthMiddlewareStack(application)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await (looked_up if header(scope, b"cookie") else application)(scope, receive, send)

    return door


http_doors = [
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/chunks$", _with_session(append_chunks)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/raw$", _with_session(raw_text)),
]
"""Byte paths over HTTP."""

websockets = AuthMiddlewareStack(
    URLRouter(
        [
            _at(rf"^ws/logs/(?P<log_id>{ID})/$", WatchLog.as_asgi()),
            _at(rf"^ws/builds/(?P<build_id>{ID})/$", WatchBuild.as_asgi()),
            _at(r"", NoSuchSocket.as_asgi()),
        ]
    )
)
