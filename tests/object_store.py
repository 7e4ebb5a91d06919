"""A server that speaks S3, in a process of its own, behind a proxy that can be away, hang, or break off.

moto's server keeps what it has in memory, so for being away it is the proxy that goes: to a client that is the same.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

START_SECONDS = 30
STOP_SECONDS = 10
PIECE_BYTES = 65536
BUCKET = "sealed-logs"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "of no use", "AWS_EC2_METADATA_DISABLED": "true"}


class Proxy:
    """Hands connections through to `target`, as long as it feels like it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._mutex = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.holds = threading.Event()
        self.held = threading.Event()
        self.break_off_after: int | None = None
        self.requests = 0
        self.bytes_answered = 0
        self.come()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def come(self) -> None:
        """Be there, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def go(self) -> None:
        """Be away: connections are refused, those that were open are cut."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.release()
        with self._mutex:
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """From now on requests are taken and not answered; `held` is set with the first."""
        self.holds.set()

    def release(self) -> None:
        """Answer what was held."""
        self.holds.clear()
        self.held.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with self._mutex:
                self._sockets |= {client, server}
            for source, sink, is_request in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, is_request), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(PIECE_BYTES):
                if is_request:
                    self.requests += 1
                    while self.holds.is_set():
                        self.held.set()
                        time.sleep(0.01)
                elif self.break_off_after is not None and passed + len(data) > self.break_off_after:
                    sink.sendall(data[: self.break_off_after - passed])
                    self.break_off_after = None
                    break
                elif not is_request:
                    self.bytes_answered += len(data)
                sink.sendall(data)
                passed += len(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with self._mutex:
                self._sockets.discard(each)


class ObjectStore:
    """The server and its proxy; `client` goes past the proxy, for tests that look at or spoil what is stored."""

    def __init__(self, port: int) -> None:
        import boto3  # slow to import, and only these tests need it

        self.proxy = Proxy(port)
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=REGION,
            aws_access_key_id="tests",
            aws_secret_access_key="of no use",
        )

    def names(self) -> list[str]:
        """The names of all objects."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def empty(self) -> None:
        """Remove all objects."""
        for name in self.names():
            self.client.delete_object(Bucket=BUCKET, Key=name)

    def variables(self, prefix: str = "here") -> dict[str, str]:
        """What a server's environment must say to keep its sealed logs here."""
        return {
            **CREDENTIALS,
            "BUILDLOGS_LOG_STORE": f"s3://{BUCKET}/{prefix}",
            "BUILDLOGS_S3_ENDPOINT": self.proxy.url,
            "BUILDLOGS_S3_REGION": REGION,
        }

    def storages(self, bucket: str = BUCKET) -> dict[str, Any]:
        """The same as an entry of Django's STORAGES."""
        options = {"bucket_name": bucket, "location": "here", "endpoint_url": self.proxy.url, "region_name": REGION}
        return {"BACKEND": "logviewer.live.s3.S3Logs", "OPTIONS": options}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """A server with an empty bucket; ended by its process id."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            assert process.poll() is None, "moto's server did not start"
            assert time.monotonic() < deadline, "moto's server does not answer"
            time.sleep(0.05)
        store = ObjectStore(port)
        store.client.create_bucket(Bucket=BUCKET)
        yield store
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


@pytest.fixture(scope="session")
def object_store_server() -> Iterator[ObjectStore]:
    """One server for all tests that need one."""
    with running_object_store() as store:
        yield store


@pytest.fixture
def object_store(object_store_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """A server that speaks S3, with an empty bucket; credentials for it are in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    object_store_server.empty()
    proxy = object_store_server.proxy
    yield object_store_server
    proxy.go()  # whatever a test left held or cut
    proxy.break_off_after = None
    proxy.come()
