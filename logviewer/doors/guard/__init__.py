"""The guard: the outermost ASGI layer, which gives the application a server that pushes back.

Daphne's ``send`` never waits, its request bodies and incoming frames are read without bound, and closing cuts off what
is not yet sent. The guard closes these gaps in the process it is loaded in: ``daphne.py`` replaces the three protocol
classes Daphne builds its connections from by guarded subclasses, and the layer itself makes ``send`` and ``receive``
take part. On servers that block by themselves (uvicorn, hypercorn) only the limit on request bodies remains. It must
hold no logic of the application and must never import Daphne where the process has not done so already.
"""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from logviewer.doors.guard.bodies import DEFAULT_MAX_BODY_BYTES, call_with_limited_body

__all__ = ["DEFAULT_MAX_BODY_BYTES", "guard", "write_of"]

WRITE_EXTENSION = "buildlogs.write"
"""An ASGI extension of a WebSocket's scope: `{"write": (*pieces: bytes) -> bool}`, see `write_of`."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def guard(application: Application, *, max_body_bytes: int = DEFAULT_MAX_BODY_BYTES) -> Application:
    """Wrap an ASGI application; the result is what the server is given.

    Args:
        application: the ASGI 3 application.
        max_body_bytes: the largest request body, in bytes, that reaches the application; a larger one is answered with
            413. On Daphne all guards of a process share the largest of their limits.

    Raises:
        UnknownDaphneError: Daphne is loaded, but not one this guard knows how to hold.
    """
    _hold_daphne(max_body_bytes)

    async def guarded(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if _hold_daphne(max_body_bytes):
            from logviewer.doors.guard.daphne import call_on_daphne, connection_of

            connection = connection_of(send)
            if connection is not None:
                await call_on_daphne(connection, application, scope, receive, send)
                return
        if scope["type"] == "http":
            await call_with_limited_body(max_body_bytes, application, scope, receive, send)
        else:
            await application(scope, receive, send)

    return guarded


def write_of(scope: MutableMapping[str, Any]) -> Callable[..., bool] | None:
    """A WebSocket's way to write a whole frame (RFC 6455), in one piece or more, without waiting; None: it has none.

    It says False, and has written nothing, where the frame has to go through `send`: the transport is full, a message
    is on its way, the socket is closing. Measured, it takes a fifth of what `send` takes.
    """
    write: Callable[..., bool] | None = scope.get("extensions", {}).get(WRITE_EXTENSION, {}).get("write")
    return write


def _hold_daphne(max_body_bytes: int) -> bool:
    """Guard Daphne's classes if this process has loaded Daphne, and say whether it has."""
    if "daphne.server" not in sys.modules:
        return False
    from logviewer.doors.guard.daphne import install

    install(max_body_bytes)
    return True
