"""The access log of a real server: a line for each request, with its id, on Daphne and uvicorn alike."""

from __future__ import annotations

import re
import time
from secrets import token_hex

import httpx
from websockets.sync.client import connect

from tests.acceptance.peers import Place

PATIENCE_SECONDS = 10


def lines_with(place: Place, word: str, count: int) -> list[str]:
    """The lines of the server's output that name `word`, once there are so many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [line for line in place.server.log_path.read_text().splitlines() if word in line]
        if len(lines) >= count or time.monotonic() > deadline:
            return lines
        time.sleep(0.02)


def test_a_request_is_one_line_without_its_query_and_bears_its_id(place: Place) -> None:
    word = token_hex(8)
    answer = httpx.get(f"{place.server.url}/p/{word}/?token=secret", headers={"X-Request-ID": f"id-{word}"})
    assert answer.headers["x-request-id"] == f"id-{word}"
    httpx.get(f"{place.server.url}/api/v1/projects/{word}/builders?token=secret")
    lines = lines_with(place, word, 2)
    assert len(lines) == 2
    said = rf"INFO buildlogs\.access: GET /p/{word}/ 404 [\d.]+ ms 127\.0\.0\.1 nothing \[id-{word}\]$"
    assert re.search(said, lines[0])
    assert "token=secret" not in place.server.log_path.read_text()


def test_a_socket_is_one_line_at_its_end(place: Place) -> None:
    word = token_hex(8)
    address = f"{place.server.websocket_url}/ws/projects/{word}/?token=secret"
    with connect(address, additional_headers={"X-Request-ID": f"id-{word}"}, compression=None) as socket:
        assert "404" in str(socket.recv())
    lines = lines_with(place, word, 1)
    assert len(lines) == 1
    said = rf"WEBSOCKET /ws/projects/{word}/ 101 closed with 4404 [\d.]+ ms 127\.0\.0\.1 nothing \[id-{word}\]$"
    assert re.search(said, lines[0])
    assert "token=secret" not in place.server.log_path.read_text()


def test_what_is_no_request_id_is_replaced(place: Place) -> None:
    answer = httpx.get(f"{place.server.url}/healthz", headers={"X-Request-ID": "a b"})
    assert re.fullmatch(r"[0-9a-f]{24}", answer.headers["x-request-id"])
