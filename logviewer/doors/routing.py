"""Which door stands at which address."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import re_path

from logviewer.doors.build_zip import logs_zip
from logviewer.doors.chunk_pages import send_chunks
from logviewer.doors.chunks import append_chunks
from logviewer.doors.http import Receive, Send, door
from logviewer.doors.identity import Scope, header
from logviewer.doors.intake_socket import Intake
from logviewer.doors.lines import lines
from logviewer.doors.marks import marks
from logviewer.doors.metrics.door import metrics
from logviewer.doors.progressive import progressive_text
from logviewer.doors.rates import Application
from logviewer.doors.raw import raw_text
from logviewer.doors.search import search
from logviewer.doors.socket import NoSuchSocket
from logviewer.doors.watch_build import WatchBuild
from logviewer.doors.watch_log import WatchLog
from logviewer.doors.watch_project import WatchProject

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


chunks = door({"GET": send_chunks, "HEAD": send_chunks, "POST": append_chunks})

http_doors = [
    _at(rf"^api/v1/builds/(?P<build_id>{ID})/logs\.zip$", _with_session(logs_zip)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/chunks$", _with_session(chunks)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/lines$", _with_session(lines)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/marks$", _with_session(marks)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/progressiveText$", _with_session(progressive_text)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/raw$", _with_session(raw_text)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/search$", _with_session(search)),
    _at(r"^metrics$", metrics),
]
"""Byte paths over HTTP, and what is told of them."""

websockets = AuthMiddlewareStack(
    URLRouter(
        [
            _at(rf"^ws/logs/(?P<log_id>{ID})/$", WatchLog.as_asgi()),
            _at(rf"^ws/builds/(?P<build_id>{ID})/$", WatchBuild.as_asgi()),
            _at(r"^ws/projects/(?P<slug>[^/]{1,63})/$", WatchProject.as_asgi()),
            _at(r"^ws/intake/$", Intake.as_asgi()),
            _at(r"", NoSuchSocket.as_asgi()),
        ]
    )
)
