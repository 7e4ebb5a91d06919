"""The headers that every answer over HTTP bears, whoever makes it: pages, API, byte doors, static files, refusals.

What an answer brings itself stands: the pages' policy allows more than the one here, which is for what is no page.
`docs/security.md` says what each is for. It imports nothing, for the guard answers with them too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

HSTS_SECONDS = 31_536_000

SITE_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
)

STRICT_TRANSPORT: Header = (b"strict-transport-security", b"max-age=%d" % HSTS_SECONDS)
"""Only over HTTPS (RFC 6797, section 7.2), as SECURE_PROXY_SSL_HEADER knows it. Neither includeSubDomains nor preload:
other hosts of the domain are not ours to speak for."""


def with_site_headers(application: Application, *, behind_https: bool) -> Application:
    """Put them on every answer of an ASGI application."""

    async def headed(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        is_secure = behind_https and dict(scope["headers"]).get(b"x-forwarded-proto") == b"https"
        wanted = (*SITE_HEADERS, STRICT_TRANSPORT) if is_secure else SITE_HEADERS

        def send_headed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _value in headers}
                message = {**message, "headers": [*headers, *(pair for pair in wanted if pair[0] not in present)]}
            return send(message)

        await application(scope, receive, send_headed)

    return headed
