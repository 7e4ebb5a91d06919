"""Who is calling, from an ASGI scope, for HTTP and WebSockets alike."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from channels.auth import get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.csrf import CsrfViewMiddleware

from logviewer.live.database import in_database
from logviewer.models import LogFile
from logviewer.resources import access
from logviewer.resources.errors import Forbidden

Scope = MutableMapping[str, Any]


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


def host_is_allowed(scope: Scope) -> bool:
    """Whether the Host header is one of ALLOWED_HOSTS, as Django checks it for its own views."""
    host = header(scope, b"host")
    if host is None:
        return False
    domain, _port = split_domain_port(host.lower())
    allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    return bool(domain) and validate_host(domain, allowed)


def origin_is_allowed(scope: Scope) -> bool:
    """Whether a browser's page may open this socket (websocket.md).

    A Bearer client need not send Origin and is not asked for it: no browser adds that header by itself. Anyone else
    who sends one must come from this host or a trusted origin; a session without Origin is refused.
    """
    if header(scope, b"authorization") is not None:
        return True
    origin = header(scope, b"origin")
    if origin is None:
        return settings.SESSION_COOKIE_NAME not in scope.get("cookies", {})
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return urlsplit(origin).netloc.lower() == (header(scope, b"host") or "").lower()


async def identify(scope: Scope) -> access.Caller:
    """The caller, by token or session.

    Raises:
        Unauthenticated: a token was sent and is not valid.
    """
    return await in_database(_identify, scope)


async def renew_user(scope: Scope) -> None:
    """Look anew whose session an open socket has: whoever logged out or was locked out meanwhile is nobody now."""
    session = scope.get("session")
    if session is not None:
        stored = import_module(settings.SESSION_ENGINE).SessionStore(session.session_key)
        scope["user"] = await get_user({"session": stored})


def _identify(scope: Scope) -> access.Caller:
    return access.identify(header(scope, b"authorization"), scope.get("user") or AnonymousUser())


async def readable_log(scope: Scope, log_id: int) -> LogFile:
    """The log, if the caller may read it, with all that stands above it.

    Raises:
        AccessError: one of its kinds.
    """
    return await in_database(lambda: access.readable_log(_identify(scope), log_id))


async def writable_log(scope: Scope, log_id: int) -> LogFile:
    """The log, if the caller may write it.

    Raises:
        AccessError: one of its kinds.
    """
    return await in_database(_writable_log, scope, log_id)


def _writable_log(scope: Scope, log_id: int) -> LogFile:
    caller = _identify(scope)
    if caller.token is None and caller.user.is_authenticated:
        _refuse_forgery(scope)
    return access.writable_log(caller, log_id)


def _refuse_forgery(scope: Scope) -> None:
    """Have Django look for the CSRF token (cookie and X-CSRFToken header) and the origin of a session's write.

    Raises:
        Forbidden: it is not satisfied.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]  # the body is no form
    request = ASGIRequest({**scope, "headers": headers}, BytesIO())
    middleware = CsrfViewMiddleware(lambda _: HttpResponse())
    middleware.process_request(request)
    if middleware.process_view(request, lambda _: HttpResponse(), (), {}) is not None:
        raise Forbidden("a session's write needs the X-CSRFToken header, from a page of this site")
