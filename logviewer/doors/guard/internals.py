"""What the guard relies on in Daphne, Twisted and autobahn beyond their public interfaces, and a check.

It runs once, before anything is replaced: a version that lacks one of these must stop the start, not run unguarded.
"""

import contextlib
import functools
import inspect
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.websocket.protocol import WebSocketProtocol as AutobahnProtocol
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection
from twisted.web import http

PARAMETERS: dict[Any, list[str]] = {
    http.HTTPChannel.allHeadersReceived: ["self"],
    http.HTTPChannel.rawDataReceived: ["self", "data"],
    http.HTTPChannel.loseConnection: ["self"],
    http.HTTPChannel.timeoutConnection: ["self"],
    http.HTTPChannel.resetTimeout: ["self"],
    http.HTTPChannel.requestDone: ["self", "request"],
    http.Request.gotLength: ["self", "length"],
    http.Request.handleContentChunk: ["self", "data"],
    FileDescriptor.writeSomeData: ["self", "data"],
    AutobahnProtocol.processData: ["self"],
    AutobahnProtocol.consumeData: ["self"],
    AutobahnProtocol._sendAutoPing: ["self"],
    AutobahnProtocol.onAutoPingTimeout: ["self"],
    AutobahnProtocol.onCloseHandshakeTimeout: ["self"],
    AutobahnProtocol.dropConnection: ["self", "abort"],
    AutobahnProtocol.sendCloseFrame: ["self", "code", "reasonUtf8", "isReply"],
    WebSocketProtocol._closeConnection: ["self", "abort"],
    WebSocketProtocol.check_timeouts: ["self"],
    WebSocketProtocol.serverReject: ["self"],
    WebSocketProtocol.onMessage: ["self", "payload", "isBinary"],
    WebSocketProtocol.onPing: ["self", "payload"],
    WebSocketProtocol.onConnect: ["self", "request"],
    WebSocketProtocol.serverClose: ["self", "code"],
    WebSocketProtocol.handle_reply: ["self", "message"],
    WebRequest.handle_reply: ["self", "message"],
    Server.handle_reply: ["self", "protocol", "message"],
}
"""Methods the guarded classes override or call, with the parameters they have today."""

ATTRIBUTES: dict[Any, list[str]] = {
    http: ["_GenericHTTPChannelProtocol"],
    http.HTTPChannel: ["line_mode", "_buffer", "_receivedHeaderSize"],
    FileDescriptor: ["dataBuffer", "offset", "disconnected", "producerPaused", "bufferSize", "SEND_LIMIT"],
    Connection: ["writeSomeData", "abortConnection", "loseWriteConnection", "pauseProducing", "resumeProducing"],
    HTTPFactory: ["protocol", "acceptableProtocols"],
    WebSocketFactory: ["protocol"],
    AutobahnProtocol: ["STATE_CONNECTING", "STATE_OPEN", "STATE_CLOSING", "STATE_CLOSED"],
}
"""What must exist, by its owner."""

OPTIONS = ["maxFramePayloadSize", "maxMessagePayloadSize", "closeHandshakeTimeout", "failByDrop", "autoPingTimeout"]
"""Autobahn's options that a protocol may have of its own."""


class UnknownDaphneError(RuntimeError):
    """Daphne, Twisted or autobahn is not as the guard knows it.

    Attributes:
        missing: one sentence for each thing that differs.
    """

    def __init__(self, missing: list[str]) -> None:
        super().__init__("The guard cannot hold this Daphne: " + "; ".join(missing))
        self.missing = missing


def missing_internals() -> list[str]:
    """Return one sentence for each internal that is not as the guard knows it; empty when all is well."""
    missing = [
        f"{owner.__name__} has no {name}"
        for owner, names in ATTRIBUTES.items()
        for name in names
        if not hasattr(owner, name)
    ]
    for method, expected in PARAMETERS.items():
        found = list(inspect.signature(method).parameters)
        if found != expected:
            missing.append(f"{method.__qualname__} takes {found}, not {expected}")
    anything: Any = object()
    if not hasattr(FileDescriptor(reactor=anything), "_tempDataLen"):
        missing.append("FileDescriptor counts its buffer no longer in _tempDataLen")
    known_options = WebSocketProtocol.CONFIG_ATTRS
    missing.extend(f"autobahn has no option {name}" for name in OPTIONS if name not in known_options)
    if "_transferDecoder" not in http.HTTPChannel.allContentReceived.__code__.co_names:
        missing.append("Twisted drops its decoder no longer at the end of a body")
    if "WebRequest" not in HTTPFactory.buildProtocol.__code__.co_names:
        missing.append("Daphne's HTTPFactory does not build daphne.http_protocol.WebRequest")
    if "_response_started" not in WebRequest.handle_reply.__code__.co_names:
        missing.append("Daphne's WebRequest notes the start of a response no longer in _response_started")
    if WebSocketServerFactory.buildProtocol.__code__.co_names.count("protocol") != 1:
        missing.append("autobahn's factory does not build its protocol attribute")
    if "create_xor_masker" not in AutobahnProtocol.processData.__code__.co_names:
        missing.append("autobahn unmasks frames no longer with create_xor_masker")
    if "current_frame" not in AutobahnProtocol.processData.__code__.co_names:
        missing.append("autobahn keeps the frame that it is in no longer in current_frame")
    if not _hands_out_a_partial():
        missing.append("Daphne's send is no longer functools.partial(Server.handle_reply, protocol)")
    return missing


def _hands_out_a_partial() -> bool:
    """Have Daphne make an application, and look at the ``send`` it gets."""

    class SeenError(Exception):
        pass

    handed_out: list[Any] = []

    def application(scope: Any, receive: Any, send: Any) -> None:
        handed_out.append(send)
        raise SeenError

    server = object.__new__(Server)
    protocol = object()
    server.application, server.connections = application, {protocol: {}}
    with contextlib.suppress(SeenError):
        server.create_application(protocol, {})
    send = handed_out[0] if handed_out else None
    return (
        isinstance(send, functools.partial)
        and getattr(send.func, "__self__", None) is server
        and send.args == (protocol,)
    )
