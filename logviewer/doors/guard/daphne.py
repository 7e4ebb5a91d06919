"""Where Daphne is taken hold of: the classes of its connections, and the ``send`` it hands to an application."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import autobahn.websocket.protocol
import daphne.http_protocol
import daphne.ws_protocol
from daphne.server import Server

from logviewer.doors.guard import WRITE_EXTENSION
from logviewer.doors.guard.channel import GuardedChannel, GuardedRequest
from logviewer.doors.guard.internals import UnknownDaphneError, missing_internals
from logviewer.doors.guard.masking import create_masker
from logviewer.doors.guard.websocket import CLOSE_PATIENCE_SECONDS, GuardedWebSocketProtocol

logger = logging.getLogger(__name__)

Connection = GuardedRequest | GuardedWebSocketProtocol
Message = MutableMapping[str, Any]

_installed = False


def install(max_body_bytes: int) -> None:
    """Make Daphne build guarded connections; done once a process, each call may raise the limit on bodies.

    Three attributes are replaced by subclasses of what they held: the channel and the request of Daphne's HTTP factory,
    and the protocol of its WebSocket factory. HTTP/2, which has another channel, is no longer offered. Autobahn gets
    other maskers for small frames.

    Raises:
        UnknownDaphneError: the installed Daphne, Twisted or autobahn lacks something the guard stands on.
    """
    global _installed
    if _installed:
        GuardedChannel.max_body_bytes = max(GuardedChannel.max_body_bytes, max_body_bytes)
        return
    missing = missing_internals()
    if missing:
        logger.error("The guard does not know this Daphne and refuses to run unguarded: %s", "; ".join(missing))
        raise UnknownDaphneError(missing)
    GuardedChannel.max_body_bytes = max_body_bytes
    daphne.http_protocol.HTTPFactory.protocol = _build_channel
    daphne.http_protocol.HTTPFactory.acceptableProtocols = _http_1_only
    daphne.http_protocol.WebRequest = GuardedRequest
    daphne.ws_protocol.WebSocketFactory.protocol = GuardedWebSocketProtocol
    autobahn.websocket.protocol.create_xor_masker = create_masker  # type: ignore[attr-defined]  # it has no __all__
    _installed = True


def _build_channel(factory: daphne.http_protocol.HTTPFactory) -> Any:
    from twisted.web.http import _GenericHTTPChannelProtocol

    return _GenericHTTPChannelProtocol(GuardedChannel())


def _http_1_only(factory: daphne.http_protocol.HTTPFactory) -> list[bytes]:
    return [b"http/1.1"]


def connection_of(send: Callable[..., Any]) -> Connection | None:
    """Return the connection behind Daphne's ``send``, a partial of ``Server.handle_reply``; None for another server's.

    Raises:
        UnknownDaphneError: the connection is Daphne's, but was not built guarded.
    """
    if not isinstance(send, functools.partial) or not isinstance(getattr(send.func, "__self__", None), Server):
        return None
    connection = send.args[0]
    if not isinstance(connection, GuardedRequest | GuardedWebSocketProtocol):
        raise UnknownDaphneError([f"{type(connection).__name__} was built before the guard was installed"])
    return connection


async def call_on_daphne(
    connection: Connection,
    application: Callable[..., Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Call the application with a ``send`` that waits for the transport and a ``receive`` that is counted."""
    if isinstance(connection, GuardedWebSocketProtocol):
        await _call_websocket(connection, application, scope, receive, send)
    else:
        await _call_http(connection, application, scope, receive, send)


async def _call_http(
    request: GuardedRequest,
    application: Callable[..., Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Call the application; where it fails in the middle of a response, break the response off.

    Daphne would begin a second response then, raise over that in its own upkeep of connections, and never run that
    upkeep again. A body that ends without its last chunk tells the client that it is not whole.
    """
    try:
        await application(scope, receive, functools.partial(_send_http, request, send))
    except Exception:
        if not request._response_started:
            raise
        logger.exception("the application failed in the middle of a response, which is broken off")
        channel = getattr(request, "channel", None)
        if channel is not None:
            channel.loseConnection()


async def _send_http(request: GuardedRequest, send: Callable[[Message], Awaitable[None]], message: Message) -> None:
    """Send part of a response once the transport takes it; after a disconnect Daphne drops what is sent."""
    channel = getattr(request, "channel", None)
    if channel is None:
        await asyncio.sleep(0)  # an application that goes on sending must not keep the loop to itself
    elif message["type"] == "http.response.body":
        await channel.gate.opened()
    await send(message)


async def _call_websocket(
    protocol: GuardedWebSocketProtocol,
    application: Callable[..., Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    async def receive_counted() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive":
            protocol.taken()
        return message

    guarded_send = functools.partial(_send_websocket, protocol, send)
    scope["extensions"] = {**scope.get("extensions", {}), WRITE_EXTENSION: {"write": protocol.write_frame}}
    await application(scope, receive_counted, guarded_send)
    if protocol.state == protocol.STATE_OPEN:  # nobody will ever receive again; Daphne would leave the socket open
        await guarded_send({"type": "websocket.close", "code": 1000})


async def _send_websocket(
    protocol: GuardedWebSocketProtocol, send: Callable[[Message], Awaitable[None]], message: Message
) -> None:
    """Send a message once the transport takes it, and close only when it has drained."""
    if message["type"] == "websocket.close" and protocol.state == protocol.STATE_OPEN:
        protocol.closing = True
        await protocol.gate.drained(CLOSE_PATIENCE_SECONDS)
        if protocol.state == protocol.STATE_OPEN:
            await send(message)
        return
    if message["type"] == "websocket.send":
        await protocol.gate.opened()
        if protocol.closing or protocol.state == protocol.STATE_CLOSED:
            await asyncio.sleep(0)  # dropped, as Daphne does after a disconnect; autobahn would raise
            return
    await send(message)
