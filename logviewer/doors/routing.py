"""Which door stands at which address."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

from logviewer.doors.build_zip import chosen_zip, logs_zip
from logviewer.doors.chunk_pages import send_chunks
from logviewer.doors.chunks import append_chunks
from logviewer.doors.html_log import html_log
from logviewer.doors.http import door
from logviewer.doors.intake_socket import Intake
from logviewer.doors.lines import lines
from logviewer.doors.marks import marks
from logviewer.doors.metrics.door import metrics
from logviewer.doors.progressive import progressive_text
from logviewer.doors.raw import raw_text
from logviewer.doors.search import search
from logviewer.doors.sessions import with_session
from logviewer.doors.socket import NoSuchSocket
from logviewer.doors.watch_build import WatchBuild
from logviewer.doors.watch_log import WatchLog
from logviewer.doors.watch_project import WatchProject

ID = r"[0-9]{1,19}"


def _at(pattern: str, application: Any) -> Any:
    """A route to an ASGI application; Django's types know routes to its own views only."""
    return re_path(pattern, application)


chunks = door({"GET": send_chunks, "HEAD": send_chunks, "POST": append_chunks})

http_doors = [
    _at(rf"^api/v1/builds/(?P<build_id>{ID})/logs\.zip$", with_session(logs_zip)),
    _at(r"^api/v1/logs\.zip$", with_session(chosen_zip)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/chunks$", with_session(chunks)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/lines$", with_session(lines)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/marks$", with_session(marks)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/progressiveText$", with_session(progressive_text)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/raw$", with_session(raw_text)),
    _at(rf"^api/v1/logs/(?P<log_id>{ID})/search$", with_session(search)),
    _at(rf"^html-logs/(?P<log_id>{ID})$", with_session(html_log)),
    _at(r"^metrics$", metrics),
]
"""Byte paths over HTTP, and what is told of them."""

sockets = [
    _at(rf"^ws/logs/(?P<log_id>{ID})/$", WatchLog.as_asgi()),
    _at(rf"^ws/builds/(?P<build_id>{ID})/$", WatchBuild.as_asgi()),
    _at(r"^ws/projects/(?P<slug>[^/]{1,63})/$", WatchProject.as_asgi()),
    _at(r"^ws/intake/$", Intake.as_asgi()),
]
"""WebSockets."""

websockets = with_session(URLRouter([*sockets, _at(r"", NoSuchSocket.as_asgi())]))
