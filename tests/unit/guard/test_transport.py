"""The gate that senders wait at, and the watch on whether a peer takes bytes."""

import asyncio
import contextlib
import socket
import ssl
from types import SimpleNamespace

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from logviewer.doors.guard import transport
from logviewer.doors.guard.transport import HIGH_WATER_BYTES, Progress, StallWatch, WriteGate, connection_below
from tests.certificates import self_signed


class Connection:
    """A transport as the gate sees it."""

    def __init__(self, buffered: int = 0, sock: socket.socket | None = None) -> None:
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, buffered
        self.disconnected = 0
        self.aborted = False
        self.calls = []
        self.reactor = SimpleNamespace(callLater=self.call_later)
        if sock is not None:
            self.socket = sock

    def abortConnection(self):
        self.aborted = True

    def call_later(self, seconds, call):
        self.calls.append(Call(call))
        return self.calls[-1]


class Call:
    """What Twisted's ``callLater`` returns."""

    def __init__(self, run):
        self.run, self.cancelled = run, False

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def pair():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as ours:
            theirs, _ = listener.accept()
            with theirs:
                yield ours, theirs


def full_gate(connection: Connection) -> WriteGate:
    connection._tempDataLen = HIGH_WATER_BYTES + 1
    gate = WriteGate(connection)
    gate.pauseProducing()
    return gate


async def test_a_sender_goes_on_while_the_buffer_is_not_over_the_mark():
    connection = Connection(HIGH_WATER_BYTES)
    gate = WriteGate(connection)
    gate.pauseProducing()
    await gate.opened()


async def test_senders_wait_until_the_buffer_is_empty():
    connection = Connection()
    gate = full_gate(connection)
    senders = [asyncio.ensure_future(gate.opened()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(sender.done() for sender in senders)
    connection._tempDataLen = 0
    gate.resumeProducing()
    await asyncio.gather(*senders)


async def test_a_sender_that_finds_the_buffer_full_again_waits_again():
    connection = Connection()
    gate = full_gate(connection)
    sender = asyncio.ensure_future(gate.opened())
    await asyncio.sleep(0)
    gate.resumeProducing()
    gate.pauseProducing()  # another sender was faster
    for _ in range(3):
        await asyncio.sleep(0)
    assert not sender.done()
    gate.stopProducing()
    await sender


async def test_a_lost_connection_lets_every_sender_go():
    gate = full_gate(Connection())
    sender = asyncio.ensure_future(gate.opened())
    await asyncio.sleep(0)
    gate.stopProducing()
    await sender
    await gate.opened()
    await gate.drained(1000)


async def test_a_cancelled_sender_leaves_nothing_behind():
    gate = full_gate(Connection())
    sender = asyncio.ensure_future(gate.opened())
    await asyncio.sleep(0)
    sender.cancel()
    await asyncio.wait({sender})
    assert sender.cancelled()
    assert not gate._waiters


async def test_a_sender_aborts_a_connection_that_stalls(monkeypatch):
    monkeypatch.setattr(transport, "STALLED_SECONDS", 0.0)
    connection = Connection()
    await full_gate(connection).opened()
    assert connection.aborted


async def test_draining_gives_up_when_nothing_moves():
    connection = Connection()
    gate = full_gate(connection)
    await gate.drained(0.0)
    assert not connection.aborted


def test_what_the_socket_does_not_take_is_the_transports_and_its_own(pair):
    ours, theirs = pair
    ours.setblocking(False)
    connection, left = Connection(sock=ours), []
    connection.write = left.append
    gate = WriteGate(connection)
    place = bytearray(b"0123456789" * 1_000_000)
    gate.write(b"head", memoryview(place))
    place[:] = bytes(len(place))
    kept = b"".join(left)
    received = b""
    while len(received) + len(kept) < len(place) + 4:
        received += theirs.recv(65536)
    assert received + kept == b"head" + b"0123456789" * 1_000_000
    assert received
    assert [type(piece) for piece in left] == [bytes]


def test_progress_sees_bytes_that_the_peer_takes(pair):
    ours, theirs = pair
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(bytes(65536))
    progress = Progress(Connection(sock=ours))
    while progress.moved():  # until the peer's buffer is full
        pass
    assert progress.pending_bytes() > 0
    assert not progress.moved()
    taken = 0
    while not progress.moved():
        taken += len(theirs.recv(65536))
    assert taken > 0


def test_progress_without_a_tcp_socket_looks_at_what_is_left():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(b"abc")
        connection = Connection(7, ours)
        progress = Progress(connection)
        assert progress.pending_bytes() >= 7
        assert not progress.moved()
        connection._tempDataLen = 3
        assert progress.moved()


def test_the_connection_is_found_under_tls(secured):
    assert connection_below(secured.transport) is secured.wire
    WriteGate(secured.transport)
    assert secured.wire.SEND_LIMIT == transport.SEND_BYTES


def test_a_closing_connection_is_aborted_only_when_nothing_moves():
    connection = Connection(10)
    StallWatch(connection, 30).start()
    connection._tempDataLen = 5
    connection.calls.pop().run()
    assert not connection.aborted
    connection.calls.pop().run()
    assert connection.aborted
    assert not connection.calls


def test_a_closing_connection_is_watched_once():
    connection = Connection(10)
    watch = StallWatch(connection, 30)
    watch.start()
    watch.start()
    assert len(connection.calls) == 1


def test_a_connection_that_has_ended_is_no_longer_watched():
    connection = Connection(10)
    watch = StallWatch(connection, 30)
    watch.start()
    watch.stop()
    assert connection.calls[0].cancelled
    connection.disconnected = 1
    watch.start()
    watch.stop()
    assert len(connection.calls) == 1


class Taking(Connection):
    """A connection whose socket takes what `takes` says: a number of bytes, or an error."""

    def __init__(self, takes: int | OSError, buffered: int = 0) -> None:
        super().__init__(buffered)
        self.takes, self.offered, self.left = takes, [], []
        self.socket = SimpleNamespace(sendmsg=self.sendmsg)

    def sendmsg(self, pieces):
        self.offered.append(b"".join(pieces))
        if isinstance(self.takes, OSError):
            raise self.takes
        return self.takes

    def write(self, data):
        self.left.append(data)


@pytest.mark.parametrize(
    ("takes", "buffered", "offered", "left"),
    [
        pytest.param(8, 0, [b"abcdefgh"], [], id="all-at-once"),
        pytest.param(1, 0, [b"abcdefgh"], [b"b", b"cdef", b"gh"], id="a-part-of-the-first"),
        pytest.param(2, 0, [b"abcdefgh"], [b"cdef", b"gh"], id="the-first"),
        pytest.param(5, 0, [b"abcdefgh"], [b"f", b"gh"], id="a-part-of-the-second"),
        pytest.param(BlockingIOError(), 0, [b"abcdefgh"], [b"ab", b"cdef", b"gh"], id="nothing"),
        pytest.param(ConnectionResetError(), 0, [b"abcdefgh"], [b"ab", b"cdef", b"gh"], id="a-loss"),
        pytest.param(8, 1, [], [b"ab", b"cdef", b"gh"], id="never-before-what-waits"),
    ],
)
def test_pieces_go_to_the_socket_as_far_as_it_takes_them_and_the_rest_in_order_to_twisted(
    takes, buffered, offered, left
):
    connection = Taking(takes, buffered)
    WriteGate(connection).write(b"ab", b"cdef", b"gh")
    assert connection.offered == offered
    assert connection.left == left


class Wire(FileDescriptor):
    """A connection that keeps what leaves it, whichever way: `sent` is what somebody on the line sees."""

    def __init__(self) -> None:
        super().__init__(reactor=SimpleNamespace())
        self.connected, self.sent = 1, bytearray()
        self.socket = SimpleNamespace(sendmsg=self.sendmsg)

    def write(self, data):
        self.sent += data

    def sendmsg(self, pieces):
        self.sent += b"".join(pieces)
        return sum(map(len, pieces))


class Secured:
    """Twisted's TLS over a wire, and the client at its other end, once they have shaken hands."""

    def __init__(self, certificate: str) -> None:
        self.wire, self.clock = Wire(), Clock()
        options = PrivateCertificate.loadPEM(certificate).options()
        factory = TLSMemoryBIOFactory(options, False, Factory.forProtocol(Protocol), self.clock)
        self.transport = factory.buildProtocol(None)
        self.transport.makeConnection(self.wire)
        trusting = ssl.create_default_context(cadata=certificate)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = trusting.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._client.do_handshake()
                break
            self.transport.dataReceived(self._outgoing.read())
            self.carried()
        self.transport.dataReceived(self._outgoing.read())

    def carried(self) -> bytes:
        """Carry what was sent to the client: the bytes as they were on the line."""
        self.clock.advance(0)
        carried = bytes(self.wire.sent)
        self.wire.sent.clear()
        self._incoming.write(carried)
        return carried

    def read(self) -> bytes:
        return self._client.read(65536)


@pytest.fixture
def secured(tmp_path):
    return Secured(self_signed(tmp_path).read_text())


def test_what_is_written_at_once_over_tls_is_encrypted(secured):
    text = b"a line of the log\n" * 10
    WriteGate(secured.transport).write(b"head", memoryview(text))
    carried = secured.carried()
    assert secured.read() == b"head" + text
    assert text not in carried
