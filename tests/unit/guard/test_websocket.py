"""What the guarded WebSocket connection decides, without sockets: when to wait on, when to give up, what to drop."""

from types import SimpleNamespace

import pytest

from logviewer.doors.guard import websocket
from logviewer.doors.guard.websocket import (
    MESSAGE_OVERHEAD_BYTES,
    PONG_PATIENCE_SECONDS,
    QUEUE_HIGH_BYTES,
    GuardedWebSocketProtocol,
)


class Recorder:
    """Stands for the transport, the timers and the queue; remembers what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append(name)

        return call


class Peer:
    """A peer that moves or does not."""

    def __init__(self) -> None:
        self.moves, self.pending = False, 0

    def moved(self):
        return self.moves

    def pending_bytes(self):
        return self.pending


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def protocol(monkeypatch):
    made = GuardedWebSocketProtocol()
    made.transport, made.gate, made._stall_watch = Recorder(), Recorder(), Recorder()
    made._ping_progress, made._close_progress = Peer(), Peer()
    made.gate.paused = False
    made.factory = Recorder()
    made.factory._batched_timer, made.factory.reactor = Recorder(), Recorder()
    made.application_queue = Recorder()
    made._costs, made._queued_bytes = websocket.deque(), 0
    made.client_addr = None
    made.peer = "peer"
    made.autoPingTimeout = 30
    made.state = made.STATE_OPEN
    made.wasClean, made.wasNotCleanReason = False, None
    made.data = b""
    made.dropped = []
    monkeypatch.setattr(
        "autobahn.websocket.protocol.WebSocketProtocol.dropConnection",
        lambda self, abort=False: self.dropped.append(abort),
    )
    clock = Clock()
    monkeypatch.setattr(websocket.time, "monotonic", clock.monotonic)
    made.clock = clock
    return made


def test_a_late_pong_is_waited_for_while_bytes_move(protocol):
    protocol._ping_progress.moves = True
    protocol.onAutoPingTimeout()
    protocol.clock.now += PONG_PATIENCE_SECONDS - 1
    protocol._ping_progress.moves = False
    protocol.onAutoPingTimeout()
    assert not protocol.dropped
    assert protocol.factory._batched_timer.calls == ["call_later", "call_later"]


def test_a_peer_that_neither_answers_nor_takes_bytes_is_dropped(protocol):
    protocol._last_moved = protocol.clock.now
    protocol.clock.now += PONG_PATIENCE_SECONDS
    protocol.onAutoPingTimeout()
    assert protocol.dropped == [True]


def test_a_peer_whose_pong_this_side_does_not_read_is_not_dropped(protocol):
    protocol._held = True
    protocol.clock.now += 10 * PONG_PATIENCE_SECONDS
    protocol.onAutoPingTimeout()
    assert not protocol.dropped


def test_the_closing_handshake_is_waited_for_while_bytes_move(protocol):
    protocol._close_progress.moves = True
    protocol.onCloseHandshakeTimeout()
    assert not protocol.dropped
    protocol._close_progress.moves = False
    protocol.onCloseHandshakeTimeout()
    assert protocol.dropped == [True]


@pytest.mark.parametrize(("pending", "call"), [(1, "abortConnection"), (0, "loseConnection")])
def test_only_bytes_that_the_peer_does_not_take_are_thrown_away(protocol, pending, call):
    protocol._close_progress.pending = pending
    protocol._closeConnection(abort=True)
    assert protocol.transport.calls == [call]


def test_a_second_ping_is_not_sent_while_one_is_out(protocol):
    protocol.autoPingTimeoutCall = object()
    protocol._sendAutoPing()
    assert protocol.transport.calls == []


def test_tiny_messages_are_charged_their_overhead(protocol):
    messages = 0
    while not protocol._held:
        protocol.onMessage(b"x", True)
        messages += 1
    assert messages == -(-QUEUE_HIGH_BYTES // (MESSAGE_OVERHEAD_BYTES + 1))
    assert protocol.transport.calls == ["pauseProducing"]


def test_reading_goes_on_at_half(protocol):
    while not protocol._held:
        protocol.onMessage(bytes(65536), True)
    queued = len(protocol._costs)
    while protocol._held:
        protocol.taken()
    assert len(protocol._costs) == pytest.approx(queued / 2, abs=1)
    assert protocol.transport.calls == ["pauseProducing", "resumeProducing"]


def test_messages_behind_the_close_are_dropped(protocol):
    protocol.state = protocol.STATE_CLOSING
    protocol.onMessage(b"late", True)
    assert protocol.application_queue.calls == []
    assert not protocol._costs


def test_only_the_last_ping_is_answered_when_the_buffer_was_full(protocol, monkeypatch):
    pongs = []
    monkeypatch.setattr(GuardedWebSocketProtocol, "sendPong", lambda self, payload=None: pongs.append(payload))
    protocol.gate.paused = True
    protocol.onPing(b"1")
    protocol.onPing(b"2")
    assert pongs == []
    protocol._pay_pong()
    protocol._pay_pong()
    assert pongs == [b"2"]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])
def test_a_code_that_must_not_be_sent_is_refused(protocol, code):
    with pytest.raises(ValueError, match=str(code)):
        protocol.serverClose(code)


def test_a_long_reason_is_cut_between_characters(protocol, monkeypatch):
    sent = {}
    monkeypatch.setattr(GuardedWebSocketProtocol, "sendCloseFrame", lambda self, **frame: sent.update(frame))
    protocol.handle_reply({"type": "websocket.close", "code": 1013, "reason": "ä" * 100})
    assert sent == {"code": 1013, "reasonUtf8": ("ä" * 61).encode(), "isReply": False}


@pytest.fixture
def writable(protocol):
    protocol._perMessageCompress, protocol.send_queue = None, []
    return protocol


def test_a_whole_frame_is_written_at_once(writable):
    assert writable.write_frame(b"\x82\x01x")
    assert writable.gate.calls == ["write"]


def test_a_whole_frame_is_written_in_the_pieces_that_it_comes_in(writable):
    written = []
    writable.gate.write = lambda *pieces: written.extend(pieces)
    assert writable.write_frame(b"\x82\x02", b"xy")
    assert written == [b"\x82\x02", b"xy"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", GuardedWebSocketProtocol.STATE_CONNECTING),
        ("state", GuardedWebSocketProtocol.STATE_CLOSING),
        ("state", GuardedWebSocketProtocol.STATE_CLOSED),
        ("closing", True),
        ("send_queue", [b"half a message"]),
        ("_perMessageCompress", object()),
    ],
    ids=["connecting", "closing-handshake", "closed", "close-said", "message-under-way", "compressed"],
)
def test_a_whole_frame_is_not_written_where_it_could_not_stand(writable, name, value):
    setattr(writable, name, value)
    assert not writable.write_frame(b"\x82\x01x")
    assert writable.gate.calls == []


def test_a_whole_frame_is_not_written_while_the_transport_is_full(writable):
    writable.gate.paused = True
    assert not writable.write_frame(b"\x82\x01x")
    assert writable.gate.calls == []


@pytest.fixture
def timed(protocol, monkeypatch):
    """A protocol of a Daphne with its usual patience; what it does goes into `did`."""
    did = []
    protocol.server = SimpleNamespace(websocket_connect_timeout=20, websocket_timeout=86400, ping_interval=20)
    protocol.did = did
    protocol._made = protocol._heard = protocol.clock.now
    monkeypatch.setattr(protocol, "serverClose", lambda code=None, reason=None: did.append(code))
    monkeypatch.setattr(protocol, "serverReject", lambda: did.append("reject"))
    monkeypatch.setattr(protocol, "_sendAutoPing", lambda: did.append("ping"))
    return protocol


@pytest.mark.bad_input("a clock that jumps")
@pytest.mark.parametrize("wall_clock", [0.0, 2e9], ids=["back", "forward"])
def test_pings_go_out_and_sockets_stay_whatever_the_wall_clock_says(timed, monkeypatch, wall_clock):
    monkeypatch.setattr(websocket.time, "time", lambda: wall_clock)
    for _ in range(6):
        timed.check_timeouts()
        timed.clock.now += 10.5
    assert timed.did == ["ping", "ping"]


def test_after_a_day_a_socket_is_closed_as_one_that_may_come_again(timed):
    timed.clock.now += 86401
    timed.check_timeouts()
    assert timed.did == [1001]
    timed.closing = True
    timed.check_timeouts()
    assert timed.did == [1001]


def test_a_socket_that_may_stay_for_ever_stays(timed):
    timed.server.websocket_timeout = -1
    timed._heard = timed.clock.now = 1e9
    timed.check_timeouts()
    assert timed.did == []


def test_an_application_that_does_not_accept_in_time_is_answered_for(timed):
    timed.state = timed.STATE_CONNECTING
    timed.clock.now += 19
    timed.check_timeouts()
    assert timed.did == []
    timed.clock.now += 2
    timed.check_timeouts()
    assert timed.did == ["reject"]
