"""A Daphne that ends TLS itself (`daphne -e ssl:…`): the same bytes, and slow viewers cost as little."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.guard.servers import read_all
from tests.acceptance.peers import PATIENCE_SECONDS, Peer, Place, make_place
from tests.acceptance.server import SEALS_NOTHING, free_port, running_server
from tests.certificates import self_signed

MIB = 1024 * 1024
STORED_BYTES = 5 * MIB
STALLED_BYTES = 60 * MIB
MAX_GROWTH_BYTES = 16 * MIB
SMALL_RECEIVE_BUFFER_BYTES = 64 * 1024
CLOSED_SECONDS = 5.0
"""A fraction of what a closing waits for a peer that has gone silent, `websocket.CLOSE_PATIENCE_SECONDS`."""


@dataclass
class SecurePlace(Place):
    """A place whose server has a second port, with TLS."""

    secure_port: int
    trusting: ssl.SSLContext

    def connect_secure(self, **options: int) -> ssl.SSLSocket:
        sock = self.trusting.wrap_socket(self.connect(port=self.secure_port, **options), server_hostname="127.0.0.1")
        sock.settimeout(PATIENCE_SECONDS)
        return sock

    def open_secure(self, **options: int) -> Peer:
        """A viewer over TLS that has read nothing."""
        return Peer(self.connect_secure(**options), self.path("log") + "?window=0", headers=self.headers)

    def another(self) -> SecurePlace:
        """The same place with a new log."""
        log = self.writer.new_log()
        return SecurePlace(self.server, self.token, self.writer, log, self.secure_port, self.trusting)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecurePlace]:
    directory: Path = tmp_path_factory.mktemp("secure")
    certificate, port = self_signed(directory), free_port()
    endpoint = f"ssl:{port}:privateKey={certificate}:certKey={certificate}:interface=127.0.0.1"
    with running_server(directory, environment=SEALS_NOTHING, arguments=["-e", endpoint]) as server:
        place = make_place(server)
        trusting = ssl.create_default_context(cafile=str(certificate))
        yield SecurePlace(server, place.token, place.writer, place.log, port, trusting)


def stored_log(writer: Writer, log_id: int) -> bytes:
    """Write and finish a log whose lines differ; returns its text."""
    text = random.Random(7).randbytes(STORED_BYTES // 2).hex().encode()
    for start in range(0, len(text), MIB):
        answer = writer.chunks(log_id, entry(0, text[start : start + MIB]), start)
        assert answer.status_code == 200, answer.text
    return text


async def test_a_stored_log_arrives_byte_for_byte_over_tls(secure: SecurePlace) -> None:
    place = secure.another()
    text = await asyncio.to_thread(stored_log, place.writer, place.log["id"])
    viewer = Viewer(f"wss://127.0.0.1:{place.secure_port}", place.log["id"], token=place.token, trusting=place.trusting)
    await viewer.open()
    while not viewer.messages or viewer.messages[-1]["type"] != "live":
        await viewer.step()
        await viewer.ack()
    answer = await asyncio.to_thread(place.writer.chunks, place.log["id"], entry(0, b"and goes on\n"), len(text))
    assert answer.status_code == 200
    await asyncio.to_thread(place.writer.finish, place.log["id"])
    await viewer.drain()
    assert bytes(viewer.data) == text + b"and goes on\n"
    assert viewer.close_code == 1000
    async with httpx.AsyncClient(verify=place.trusting) as client:
        answer = await client.get(
            f"https://127.0.0.1:{place.secure_port}/api/v1/logs/{place.log['id']}/raw",
            headers={"Authorization": f"Bearer {place.token}"},
        )
    assert answer.content == text + b"and goes on\n"


def test_a_viewer_over_tls_that_stalls_costs_no_memory_and_gets_every_byte(secure: SecurePlace) -> None:
    place = secure.another()
    before = place.server.rss_bytes()
    viewer = place.open_secure(receive_buffer_bytes=SMALL_RECEIVE_BUFFER_BYTES)
    place.write(STALLED_BYTES)
    assert place.server.rss_bytes() - before <= MAX_GROWTH_BYTES
    assert place.writer.finish(place.log["id"]).status_code == 200
    assert viewer.text_to_the_end() == (STALLED_BYTES, 1000)
    viewer.close()


def test_a_download_over_tls_that_stalls_costs_no_memory_and_gets_every_byte(secure: SecurePlace) -> None:
    place = secure.another()
    before = place.server.rss_bytes()
    with place.connect_secure(receive_buffer_bytes=SMALL_RECEIVE_BUFFER_BYTES) as sock:
        sock.sendall(f"GET /api/v1/logs/{place.log['id']}/raw?follow=1 HTTP/1.0\r\n{place.headers}\r\n".encode())
        place.write(STALLED_BYTES)
        assert place.server.rss_bytes() - before <= MAX_GROWTH_BYTES
        assert place.writer.finish(place.log["id"]).status_code == 200
        assert len(read_all(sock).partition(b"\r\n\r\n")[2]) == STALLED_BYTES


def test_a_viewer_over_tls_that_was_told_all_is_let_go_at_once(secure: SecurePlace) -> None:
    place = secure.another()
    place.write(1000)
    assert place.writer.finish(place.log["id"]).status_code == 200
    viewer = place.open_secure()
    assert viewer.text_to_the_end() == (1000, 1000)
    began = time.monotonic()
    assert viewer.sock.recv(1) == b""
    assert time.monotonic() - began < CLOSED_SECONDS
    viewer.close()
