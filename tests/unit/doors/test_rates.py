"""Limits on requests and bytes: buckets, callers, and the answer beyond them."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from logviewer.doors.rates import BURST_SECONDS, MAX_CALLERS, Allowance, Limits, client_address, limit_rates


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def scope(address: str = "192.0.2.1", **headers: str) -> dict[str, Any]:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (address, 1234), "headers": encoded}


def test_a_bucket_holds_a_burst_and_fills_again() -> None:
    clock = Clock()
    allowance = Allowance(5, clock)
    for _ in range(5 * BURST_SECONDS):
        assert allowance.wait_seconds("me", 1) == 0
        allowance.take("me", 1)
    assert allowance.wait_seconds("me", 1) == pytest.approx(0.2)
    clock.now += 0.2
    assert allowance.wait_seconds("me", 1) == 0


def test_callers_have_buckets_of_their_own() -> None:
    allowance = Allowance(1, Clock())
    allowance.take("one", BURST_SECONDS)
    assert allowance.wait_seconds("one", 1) > 0
    assert allowance.wait_seconds("other", 1) == 0


def test_more_than_a_full_bucket_passes_when_it_is_full() -> None:
    clock = Clock()
    allowance = Allowance(1, clock)
    assert allowance.wait_seconds("me", 10**9) == 0
    allowance.take("me", 10**9)
    assert allowance.wait_seconds("me", 1) == pytest.approx(1)


def test_zero_is_no_limit() -> None:
    allowance = Allowance(0, Clock())
    allowance.take("me", 10**12)
    assert allowance.wait_seconds("me", 10**12) == 0


def test_callers_that_are_remembered_are_bounded() -> None:
    allowance = Allowance(1, Clock())
    for number in range(MAX_CALLERS + 100):
        allowance.take(str(number), BURST_SECONDS)
    assert allowance.wait_seconds("0", 1) == 0
    assert allowance.wait_seconds(str(MAX_CALLERS + 99), 1) > 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str, address: str) -> None:
    headers = {"x_forwarded_for": forwarded} if forwarded else {}
    assert client_address(scope(peer, **headers), [ip_network("10.0.0.0/8")]) == address


async def answers(limits: Limits, scopes: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any] | None]]:
    """The status and problem for each request in turn."""
    served: list[tuple[int, dict[str, Any] | None]] = []

    async def application(*_: Any) -> None:
        served.append((200, None))

    started: dict[str, Any] = {}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            assert int(dict(started["headers"])[b"retry-after"]) >= 1
            served.append((started["status"], json.loads(message["body"])))

    async def receive() -> dict[str, Any]:
        raise AssertionError("a refused request is not read")

    limited = limit_rates(application, limits)
    for each in scopes:
        await limited(each, receive, send)
    return served


async def test_too_many_requests_of_an_address_are_429() -> None:
    served = await answers(Limits(1, 0), [scope()] * (BURST_SECONDS + 1) + [scope("192.0.2.2")])
    assert [status for status, _ in served] == [200] * BURST_SECONDS + [429, 200]
    problem = served[BURST_SECONDS][1]
    assert problem is not None
    assert (problem["type"], problem["status"]) == ("rate-limited", 429)


async def test_a_token_is_limited_wherever_it_comes_from() -> None:
    scopes = [scope(f"192.0.2.{number}", authorization="Bearer bl_x") for number in range(BURST_SECONDS + 1)]
    assert [status for status, _ in await answers(Limits(1, 0), scopes)] == [200] * BURST_SECONDS + [429]


async def test_too_many_bytes_are_429() -> None:
    scopes = [scope(content_length=str(BURST_SECONDS * 100)), scope(content_length="1")]
    assert [status for status, _ in await answers(Limits(0, 100), scopes)] == [200, 429]


async def test_a_body_without_a_length_is_counted_as_it_comes_and_the_next_one_waits() -> None:
    statuses: list[int] = []
    retry_after: list[bytes] = []
    pieces: list[dict[str, Any]] = []

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            retry_after.extend(value for name, value in message["headers"] if name == b"retry-after")

    limited = limit_rates(application, Limits(0, 100))
    chunked = scope(transfer_encoding="chunked")
    pieces = [{"type": "http.request", "body": b"x" * 1000, "more_body": left > 0} for left in (2, 1, 0)]
    await limited(chunked, receive, send)
    assert pieces == []
    for each in (chunked, scope(content_length="1")):
        await limited(each, receive, send)
    pieces = [{"type": "http.request", "body": b"", "more_body": False}]
    await limited(scope(), receive, send)
    assert statuses == [200, 429, 429, 200]
    assert {int(seconds) for seconds in retry_after} <= {20, 21}  # of the 3000 bytes 2000 are owed


async def test_addresses_of_one_ipv6_network_are_one_caller() -> None:
    scopes = [scope(f"2001:db8::{number + 1:x}") for number in range(BURST_SECONDS + 1)] + [scope("2001:db8:0:1::1")]
    assert [status for status, _ in await answers(Limits(1, 0), scopes)] == [200] * BURST_SECONDS + [429, 200]


async def codes_of_sockets(limits: Limits, scopes: list[dict[str, Any]]) -> list[int | None]:
    """For each socket that opens in turn: None where it is served, else the code it is closed with, told before."""
    codes: list[int | None] = []

    async def application(scope: dict[str, Any], *_: Any) -> None:
        assert scope["meter"].wait_seconds(1) == 0
        codes.append(None)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)
        if message["type"] == "websocket.close":
            accepted, told, _ = said[-3:]
            assert accepted["type"] == "websocket.accept"
            assert json.loads(told["text"])["status"] == message["code"]
            codes.append(message["code"])

    limited = limit_rates(application, limits)
    for each in scopes:
        await limited({**each, "type": "websocket"}, receive, send)
    return codes


async def test_too_many_sockets_of_an_address_are_told_to_try_later() -> None:
    codes = await codes_of_sockets(Limits(1, 0), [scope()] * (BURST_SECONDS + 1) + [scope("192.0.2.2")])
    assert codes == [None] * BURST_SECONDS + [1013, None]


async def test_sockets_of_a_token_are_limited_wherever_they_come_from() -> None:
    scopes = [scope(f"192.0.2.{number}", authorization="Bearer bl_x") for number in range(BURST_SECONDS + 1)]
    assert await codes_of_sockets(Limits(1, 0), scopes) == [None] * BURST_SECONDS + [1013]


async def test_ten_thousand_sockets_of_one_address_and_token_at_once_are_not_too_many(settings: Any) -> None:
    limits = Limits(settings.MAX_REQUESTS_PER_SECOND, settings.MAX_UPLOAD_BYTES_PER_SECOND)
    assert set(await codes_of_sockets(limits, [scope(authorization="Bearer bl_x")] * 10_000)) == {None}
