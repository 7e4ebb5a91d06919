"""Requests written byte by byte, and what must come back."""

import json
import socket

LIMIT_BYTES = 1024 * 1024 + 64 * 1024


def request(sock: socket.socket, head: str, body: bytes = b"") -> None:
    sock.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)


def response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one response with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1)
        assert piece, f"the server closed after {data!r}"
        data += piece
    lines = data.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = b""
    while len(body) < int(headers["content-length"]):
        piece = sock.recv(int(headers["content-length"]) - len(body))
        assert piece
        body += piece
    return int(lines[0].split()[1]), headers, body


def assert_too_large(answer: tuple[int, dict[str, str], bytes]) -> None:
    status, headers, body = answer
    problem = json.loads(body)
    assert status == 413
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert (problem["type"], problem["status"]) == ("too-large", 413)
    assert problem["title"]
    assert str(LIMIT_BYTES) in problem["detail"]
