"""One attempt, against real receivers that are slow, huge, hang and lie."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network

import pytest

from logviewer.webhooks import addresses, sending
from logviewer.webhooks.sending import Answer, send
from tests.receiver import Receiver, running_receiver

LOOPBACK = [ip_network("127.0.0.0/8")]
HEADERS = {"webhook-id": "msg_1", "Content-Type": "application/json"}
SHORT_SECONDS = 0.5


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(listening: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setattr(sending, "ATTEMPT_SECONDS", SHORT_SECONDS)
    listening.answer, listening.statuses, listening.headers = None, [], {}
    listening.requests.clear()
    return listening


def attempt(url: str, body: bytes = b"{}") -> Answer:
    return send(url, HEADERS, body, LOOPBACK)


def test_the_body_arrives_as_it_is(receiver: Receiver) -> None:
    answer = attempt(receiver.url + "?a=1", b'{"a":1}')
    assert (answer.status, answer.why, answer.is_taken) == (204, "", True)
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hook?a=1", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("status", [301, 307, 404, 500])
def test_only_2xx_is_taken_and_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    receiver.headers = {"Location": receiver.url}
    answer = attempt(receiver.url)
    assert (answer.status, answer.is_taken) == (status, False)
    assert str(status) in answer.why
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("value", "seconds"), [("120", 120), ("soon", 0), ("-5", 0), ("9" * 30, 999_999_999)])
def test_a_receiver_may_ask_for_time(receiver: Receiver, value: str, seconds: float) -> None:
    receiver.statuses, receiver.headers = [503], {"Retry-After": value}
    assert attempt(receiver.url).retry_after_seconds == seconds


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(5)
    handler.rfile.read(1)  # until the sender hangs up


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte at a time: no single read ever takes long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def go_on_with_100(handler: BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        time.sleep(0.001)


@pytest.mark.bad_input("a receiver that hangs, drips, or never comes to an end")
@pytest.mark.parametrize("answer", [hang, drip, go_on_with_100])
def test_a_receiver_that_never_answers_is_left_when_the_time_is_up(receiver: Receiver, answer: object) -> None:
    receiver.answer = answer  # type: ignore[assignment]  # one of the three
    began = time.monotonic()
    came = attempt(receiver.url)
    assert time.monotonic() - began < SHORT_SECONDS + 1
    assert came.status is None
    assert "no answer within" in came.why or "HTTP" in came.why
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def huge(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 65536)


@pytest.mark.bad_input("a receiver that answers without end")
def test_of_a_huge_answer_only_the_status_counts(receiver: Receiver) -> None:
    receiver.answer = huge
    answer = attempt(receiver.url)
    assert answer.status == 200
    assert answer.duration_ms < SHORT_SECONDS * 1000


@pytest.mark.bad_input("a receiver that does not speak HTTP")
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 two-hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"\xff\x00" * 40_000,
    ],
)
def test_what_is_no_http_is_a_failure_with_a_reason(receiver: Receiver, said: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(said)

    receiver.answer = answer
    came = attempt(receiver.url)
    assert came.status is None
    assert came.why
    assert came.why.isprintable()


def test_a_port_where_nobody_listens_is_a_failure_with_a_reason() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        answer = attempt(f"http://127.0.0.1:{probe.getsockname()[1]}/")
    assert answer.status is None
    assert "no connection" in answer.why


def test_a_receiver_without_tls_is_not_believed_over_https(receiver: Receiver) -> None:
    answer = attempt(receiver.url.replace("http://", "https://"))
    assert answer.status is None
    assert not receiver.requests


def test_a_name_that_turns_to_an_inner_address_between_making_and_sending_gets_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def getaddrinfo(host: str, port: int, **_how: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)
    answer = send(f"http://rebound.example:{receiver.port}/", HEADERS, b"{}", [])
    assert (answer.status, asked) == (None, ["rebound.example"])
    assert "inside the network" in answer.why
    assert not receiver.requests


def test_a_name_is_resolved_once_and_the_receiver_sees_the_name(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]])
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_a, **_k: next(places))
    assert attempt(f"http://once.example:{receiver.port}/").status == 204
    assert receiver.requests[0].headers["host"] == f"once.example:{receiver.port}"
