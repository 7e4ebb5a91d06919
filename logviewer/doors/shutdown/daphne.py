"""Daphne's end: Twisted waits for what is hung into the shutdown, where Daphne itself only cancels applications."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from logviewer.doors.guard.internals import UnknownDaphneError
from logviewer.doors.guard.transport import buffered_bytes
from logviewer.doors.shutdown.process import FLUSH_SECONDS, Shutdown

POLL_SECONDS = 0.02
CANCELLED_SECONDS = 0.2
"""How long a cancelled application may take to end."""

_endings: dict[type[Server], Shutdown] = {}


def hold(shutdown: Shutdown) -> None:
    """Have every Daphne of this process end by `shutdown`.

    Twisted waits at the event `before shutdown` for the Deferreds of those it tells. Daphne hangs one in there that
    cancels all applications; its method is replaced, for another one beside it would be told at the same moment.

    Raises:
        UnknownDaphneError: Daphne ends in another way.
    """
    if "kill_all_applications" not in Server.run.__code__.co_names:
        raise UnknownDaphneError(["Server.run no longer hangs kill_all_applications into the shutdown"])
    if list(inspect.signature(Server.kill_all_applications).parameters) != ["self"]:
        raise UnknownDaphneError(["Server.kill_all_applications takes other parameters"])
    _endings[Server] = shutdown
    Server.kill_all_applications = _end_server


def _end_server(server: Server) -> Deferred[None]:
    """End the server; Twisted stops its reactor when this is through."""
    return Deferred.fromFuture(asyncio.ensure_future(_end(server, _endings[Server])))


async def _end(server: Server, shutdown: Shutdown) -> None:
    try:
        shutdown.begin()
        for port in _open(tcp.Port):
            port.stopListening()
        await shutdown.drain()
        await _flush(server, shutdown)
    finally:  # whatever Twisted has to say, what waits is written
        await shutdown.finish()
        await _cancel_applications(server)


async def _flush(server: Server, shutdown: Shutdown) -> None:
    """Wait until all that was written has gone out and every socket's close is answered; abort the rest."""
    while connections := _open(tcp.Server):
        late = not shutdown.left_seconds(FLUSH_SECONDS)
        for connection in connections:
            if late:
                connection.abortConnection()
            elif not _is_busy(server, connection):
                connection.loseConnection()
        await asyncio.sleep(POLL_SECONDS)
        if late:
            return


def _is_busy(server: Server, connection: Any) -> bool:
    """Whether a client is still being served: it has not got all, not said goodbye, or is in the middle of a body."""
    if buffered_bytes(connection):
        return True
    protocol = _protocol_of(connection)
    if isinstance(protocol, WebSocketProtocol):
        return bool(protocol.state == protocol.STATE_CLOSING)
    if isinstance(protocol, HTTPChannel) and protocol.requests:
        return _is_being_read(server, protocol.requests[-1])
    return False


def _is_being_read(server: Server, request: WebRequest) -> bool:
    """Whether a request's body still comes: its application begins when it is whole, and refuses it."""
    return "application_instance" not in server.connections.get(request, {})


def _protocol_of(connection: Any) -> Any:
    """What speaks at a connection, below the layers of TLS and of HTTP's choice of version."""
    protocol = connection.protocol
    while True:
        if isinstance(protocol, _GenericHTTPChannelProtocol):
            protocol = protocol._channel
        elif hasattr(protocol, "wrappedProtocol"):
            protocol = protocol.wrappedProtocol
        else:
            return protocol


def _open(kind: type[Any]) -> list[Any]:
    """The ports, or the accepted connections, that the reactor knows."""
    known: Any = reactor
    return list({each for each in [*known.getReaders(), *known.getWriters()] if isinstance(each, kind)})


async def _cancel_applications(server: Server) -> None:
    """Cancel what still runs, as Daphne does, but wait for it no longer than a moment."""
    running = [
        details["application_instance"]
        for details in server.connections.values()
        if "application_instance" in details and not details["application_instance"].done()
    ]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=CANCELLED_SECONDS)
