"""Every address that the server has, taken from what serves it, and what each is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from django.urls import get_resolver

from buildlogs.urls import api
from logviewer.doors.routing import http_doors, sockets


class Kind(Enum):
    """Who may, and what the others are told."""

    READ = auto()  # of one project
    READ_PAGE = auto()  # the same; a page knows no "you lack a scope", only "there is nothing"
    WRITE = auto()
    ADMIN = auto()
    CREATE = auto()  # into a project that is only named: the same answer whether it is there or not
    LIST = auto()  # of all projects: only what may be read is in it
    OPEN_API = auto()  # for everybody whose token, if there is one, is good
    OPEN = auto()  # for everybody
    METRICS = auto()  # for a token that reads all
    OWN = auto()  # for whoever is signed in
    AUDIT = auto()  # for whoever administers a project, of what they administer


@dataclass(frozen=True)
class Call:
    """A request to be made: `{...}` in path and body stand for what the world has."""

    kind: Kind
    body: Any = None
    content_type: str = "application/json"
    log: str = "log_id"
    """Which of the world's logs is asked for."""


READ, WRITE, ADMIN = Call(Kind.READ), Kind.WRITE, Kind.ADMIN
PAGE = Call(Kind.READ_PAGE)
OPEN = Call(Kind.OPEN)
OWN = Call(Kind.OWN)

CALLS: dict[str, Call] = {
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": Call(Kind.METRICS),
    "GET /favicon.ico": OPEN,
    "GET /": Call(Kind.LIST),
    "GET /login/": OPEN,
    "GET /logout/": OPEN,
    "GET /account/": OWN,
    "GET /account/password/": OWN,
    "GET /p/{project}/": PAGE,
    "GET /p/{project}/{builder}/": PAGE,
    "GET /p/{project}/{builder}/{number}/": PAGE,
    "GET /p/{project}/{builder}/{number}/{step}/{log}/": PAGE,
    "GET /p/{project}/{builder}/feed.atom": PAGE,
    "GET /p/{project}/{builder}/badge.svg": PAGE,
    "GET /html-logs/{log_id}": Call(Kind.READ, log="html_log_id"),
    "GET /api/v1/audit": Call(Kind.AUDIT),
    "GET /api/v1/openapi.json": Call(Kind.OPEN_API),
    "GET /api/v1/docs": Call(Kind.OPEN_API),
    "GET /api/v1/projects": Call(Kind.LIST),
    "GET /api/v1/projects/{slug}": READ,
    "GET /api/v1/projects/{slug}/builders": READ,
    "GET /api/v1/builds": Call(Kind.LIST),
    "GET /api/v1/builds/{build_id}": READ,
    "GET /api/v1/builds/{build_id}/summary": READ,
    "GET /api/v1/builds/{build_id}/logs.zip": READ,
    "GET /api/v1/logs.zip?ids={log_id}": READ,
    "GET /api/v1/logs/{log_id}": READ,
    "GET /api/v1/logs/{log_id}/chunks": READ,
    "GET /api/v1/logs/{log_id}/lines": READ,
    "GET /api/v1/logs/{log_id}/marks": READ,
    "GET /api/v1/logs/{log_id}/progressiveText": READ,
    "GET /api/v1/logs/{log_id}/raw": READ,
    "GET /api/v1/logs/{log_id}/search?q=x": READ,
    "POST /api/v1/builds": Call(Kind.CREATE, {"project": "hushed", "builder": "linux", "external_id": "same"}),
    "PATCH /api/v1/builds/{build_id}": Call(WRITE, {}),
    "POST /api/v1/builds/{build_id}/heartbeat": Call(WRITE, {}),
    "POST /api/v1/builds/{build_id}/steps": Call(WRITE, {"name": "compile", "number": 1}),
    "POST /api/v1/steps/{step_id}/logs": Call(WRITE, {"name": "stdio"}),
    "POST /api/v1/logs/{log_id}/chunks": Call(WRITE, "more\n", "text/plain"),
    "POST /api/v1/logs/{log_id}/finish": Call(WRITE, {}),
    "POST /api/v1/steps/{step_id}/finish": Call(WRITE, {"results": "success"}),
    "POST /api/v1/builds/{build_id}/finish": Call(WRITE, {"results": "success"}),
    "GET /api/v1/projects/{slug}/members": Call(ADMIN),
    "POST /api/v1/projects/{slug}/members": Call(ADMIN, {"user": "spare", "role": "writer"}),
    "DELETE /api/v1/projects/{slug}/members/{member_id}": Call(ADMIN),
    "GET /api/v1/projects/{slug}/tokens": Call(ADMIN),
    "POST /api/v1/projects/{slug}/tokens": Call(ADMIN, {"name": "ci", "scopes": ["write"]}),
    "DELETE /api/v1/projects/{slug}/tokens/{token_id}": Call(ADMIN),
    "PATCH /api/v1/projects/{slug}": Call(ADMIN, {}),
    "GET /api/v1/projects/{slug}/retention": Call(ADMIN),
    "GET /api/v1/projects/{slug}/webhooks": Call(ADMIN),
    "POST /api/v1/projects/{slug}/webhooks": Call(
        ADMIN, {"url": "https://receiver.example/hook", "events": ["buildFinished"]}
    ),
    "GET /api/v1/webhooks/{webhook_id}": Call(ADMIN),
    "PATCH /api/v1/webhooks/{webhook_id}": Call(ADMIN, {"active": True}),
    "POST /api/v1/webhooks/{webhook_id}/secret": Call(ADMIN, {}),
    "GET /api/v1/webhooks/{webhook_id}/deliveries": Call(ADMIN),
    "POST /api/v1/deliveries/{delivery_id}/retry": Call(ADMIN, {}),
    "DELETE /api/v1/webhooks/{webhook_id}": Call(ADMIN),
    "POST /api/v1/logs/{log_id}/redact": Call(ADMIN, {"start": 1, "end": 1, "reason": "a secret"}),
    "DELETE /api/v1/logs/{log_id}": Call(ADMIN),
    "DELETE /api/v1/builds/{build_id}": Call(ADMIN),
}
"""In the order in which they are made: what ends something comes after what needs it open."""

SOCKETS: dict[str, Kind] = {
    "/ws/logs/{log_id}/": Kind.READ,
    "/ws/builds/{build_id}/": Kind.READ,
    "/ws/projects/{slug}/": Kind.READ,
    "/ws/intake/": Kind.WRITE,
}

STAFF_ONLY = "/admin/"
"""All below it is Django's admin, which is not listed: each address is asked for all the same."""

NOT_FOUND = {"/api/v1/"}
"""Where a library has a name for an address, but nothing at it."""


def _patterns(patterns: Iterable[Any], before: str = "/") -> Iterator[str]:
    for pattern in patterns:
        text = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern.url_patterns, text)
        else:
            yield text


def _plain(pattern: str) -> str:
    """`/p/<str:project>/` and `/^p/(?P<project>[^/]+)/$` as `/p/{project}/`."""
    text = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", re.sub(r"\(\?P(<\w+>)(?:\[[^]]*\]|[^()])*\)", r"\1", pattern))
    return re.sub(r"[\^$\\]", "", text)


def paths_of_django() -> list[str]:
    """All that the URL resolver knows, in its order."""
    return [_plain(text) for text in _patterns(get_resolver().url_patterns)]


def paths_of_doors() -> list[str]:
    """All byte doors over HTTP."""
    return [_plain(f"/{route.pattern}") for route in http_doors]


def paths_of_sockets() -> list[str]:
    """All WebSockets."""
    return [_plain(f"/{route.pattern}") for route in sockets]


def calls_of_the_api() -> set[str]:
    """All methods at all addresses of which the OpenAPI document speaks."""
    paths = api.get_openapi_schema()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
