"""Promises of the systems before this one (docs/lineage.md) that no other test states."""

from __future__ import annotations

import socket

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

PIECE = entry(0, b"0123456789abcde\n" * 32_768)
PIECES = 128
"""64 MiB in all: far more than sockets hold, so the server is in the middle of it."""


def test_a_log_of_html_is_sent_as_text_and_in_a_sandbox(writer: Writer) -> None:
    """Buildbot's HTMLLogFile showed it in the page; here no browser runs anything that a build has printed."""
    step = writer.new_log()["step"]
    log = writer.post(f"/steps/{step}/logs", {"name": "report", "type": "html"})
    writer.chunks(log["id"], entry(0, b"<script>alert(1)</script>"), 0)
    answer = writer.http.get(f"/logs/{log['id']}/raw")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_other_work_goes_on_between_the_pieces_of_a_body(server: Server, token: str, writer: Writer) -> None:
    log = writer.new_log()
    for number in range(PIECES):
        assert writer.chunks(log["id"], PIECE, number * 524_288).status_code == 200
    request = f"GET /api/v1/logs/{log['id']}/raw HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.encode())
        assert connection.recv(1).startswith(b"H")
        assert writer.http.get(f"/logs/{log['id']}").json()["size"] == PIECES * 524_288
        received = 0
        while received < PIECES * 524_288:  # nothing of the body was lost by it
            received += len(connection.recv(1_048_576))
