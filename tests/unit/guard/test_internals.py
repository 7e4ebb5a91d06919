"""What the guard stands on in the installed Daphne, Twisted and autobahn. Red: read the sentence, then the guard."""

import functools
import subprocess
import sys

import daphne.http_protocol
import daphne.ws_protocol
import pytest
from autobahn.websocket.protocol import WebSocketProtocol as AutobahnProtocol
from daphne.server import Server
from twisted.internet.abstract import FileDescriptor
from twisted.web import http

from logviewer.doors.guard import daphne as hold
from logviewer.doors.guard import guard, internals
from logviewer.doors.guard.channel import GuardedChannel, GuardedRequest
from logviewer.doors.guard.internals import UnknownDaphneError, missing_internals
from logviewer.doors.guard.transport import WriteGate, buffered_bytes
from logviewer.doors.guard.websocket import GuardedWebSocketProtocol


class Reactor:
    """Takes note of nothing; the descriptor is driven by hand."""

    def addWriter(self, descriptor):
        pass

    def removeWriter(self, descriptor):
        pass

    def removeReader(self, descriptor):
        pass


class Descriptor(FileDescriptor):
    """A transport whose socket takes ``room`` bytes."""

    connected = 1
    room = 0

    def writeSomeData(self, data):
        taken = min(len(data), self.room, self.SEND_LIMIT)
        self.room -= taken
        return taken


async def application(scope, receive, send):
    """Never called here."""


def test_everything_the_guard_stands_on_is_there():
    assert missing_internals() == []


@pytest.mark.parametrize(
    ("owner", "name", "sentence"),
    [
        (FileDescriptor, "bufferSize", "FileDescriptor has no bufferSize"),
        (daphne.ws_protocol.WebSocketFactory, "protocol", "WebSocketFactory has no protocol"),
        (http, "_GenericHTTPChannelProtocol", "has no _GenericHTTPChannelProtocol"),
    ],
)
def test_an_internal_that_is_gone_is_named(owner, name, sentence, monkeypatch):
    class Emptied:
        __name__ = getattr(owner, "__name__", "")

    attributes = {
        Emptied(): names if name in names else [] for key, names in internals.ATTRIBUTES.items() if key is owner
    }
    monkeypatch.setattr(internals, "ATTRIBUTES", attributes)
    assert any(sentence in told for told in missing_internals())


def test_a_method_with_other_parameters_is_named(monkeypatch):
    monkeypatch.setitem(internals.PARAMETERS, AutobahnProtocol.processData, ["self", "limit"])
    assert missing_internals() == ["WebSocketProtocol.processData takes ['self'], not ['self', 'limit']"]


def test_an_autobahn_that_parses_frames_in_another_way_is_named(monkeypatch):
    def processData(self):
        pass

    monkeypatch.setitem(internals.PARAMETERS, processData, ["self"])
    monkeypatch.setattr(AutobahnProtocol, "processData", processData)
    assert missing_internals() == [
        "autobahn unmasks frames no longer with create_xor_masker",
        "autobahn keeps the frame that it is in no longer in current_frame",
    ]


def test_a_daphne_that_hands_out_another_send_is_named(monkeypatch):
    monkeypatch.setattr(Server, "create_application", lambda self, protocol, scope: None)
    assert missing_internals() == ["Daphne's send is no longer functools.partial(Server.handle_reply, protocol)"]


def test_an_unknown_daphne_stops_the_start(monkeypatch, caplog):
    monkeypatch.setattr(hold, "_installed", False)
    monkeypatch.setattr(hold, "missing_internals", lambda: ["Daphne has no ears"])
    with pytest.raises(UnknownDaphneError, match="Daphne has no ears"):
        guard(application)
    assert [(record.levelname, "Daphne has no ears" in record.message) for record in caplog.records] == [
        ("ERROR", True)
    ]


def test_daphne_builds_guarded_connections_once_there_is_a_guard():
    guard(application)
    guard(application)
    assert daphne.http_protocol.WebRequest is GuardedRequest
    assert daphne.ws_protocol.WebSocketFactory.protocol is GuardedWebSocketProtocol
    server = object.__new__(Server)
    built = daphne.http_protocol.HTTPFactory(server).buildProtocol(None)
    assert type(built._channel) is GuardedChannel
    assert built.requestFactory is GuardedRequest
    assert daphne.http_protocol.HTTPFactory(server).acceptableProtocols() == [b"http/1.1"]


def test_an_option_of_the_protocol_is_not_overwritten_by_the_factory():
    factory = daphne.ws_protocol.WebSocketFactory(object(), server="daphne")
    factory.setProtocolOptions(maxMessagePayloadSize=5, openHandshakeTimeout=0)
    protocol = GuardedWebSocketProtocol()
    protocol.factory = factory
    AutobahnProtocol._connectionMade(protocol)
    assert protocol.maxMessagePayloadSize == 1024 * 1024 + 64 * 1024
    assert protocol.closeHandshakeTimeout == 30.0
    assert protocol.failByDrop is False


def test_twisted_pauses_a_push_producer_over_64_kib_and_resumes_it_when_the_buffer_is_empty():
    descriptor = Descriptor(Reactor())
    gate = WriteGate(descriptor)
    descriptor.registerProducer(gate, True)
    descriptor.write(bytes(65536))
    assert not gate.paused
    descriptor.write(bytes(1000))
    assert gate.paused
    assert buffered_bytes(descriptor) == 66536
    descriptor.room = 66535
    descriptor.doWrite()
    assert (gate.paused, buffered_bytes(descriptor)) == (True, 1)
    descriptor.room = 1
    descriptor.doWrite()
    assert (gate.paused, buffered_bytes(descriptor)) == (False, 0)


def test_another_servers_send_is_no_connection_of_daphnes():
    async def send(message):
        """Uvicorn's is a bound method, hypercorn's a partial of its own."""

    assert hold.connection_of(send) is None
    assert hold.connection_of(functools.partial(send)) is None


def test_a_connection_built_before_the_guard_is_not_served_unguarded():
    server = object.__new__(Server)
    with pytest.raises(UnknownDaphneError, match="built before"):
        hold.connection_of(functools.partial(server.handle_reply, object()))


def test_a_process_without_daphne_is_left_without_it():
    code = (
        "import sys; from logviewer.doors.guard import guard; guard(print); "
        "assert not {'daphne', 'twisted', 'autobahn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
