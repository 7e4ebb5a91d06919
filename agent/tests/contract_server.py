"""A small real server for the agent's tests: the writing half of the HTTP contract, over real sockets.

It keeps everything in memory, checks what the contract says about offsets, and can be made to fail on purpose:
`faults` is asked before each request is carried out, `after` once it has been.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional

from contract_socket import SocketDoor

MAX_BODY_BYTES = 1024 * 1024 + 64 * 1024


class Hangup(Exception):
    """Close the connection without an answer."""


@dataclass
class Problem(Exception):
    """Answer with this problem document."""

    status: int
    type: str = "about:blank"
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Log:
    id: int
    step: int
    name: str
    type: str = "stdio"
    received: int = 0
    payload: bytearray = field(default_factory=bytearray)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    entries: list[tuple[int, int, bytes]] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    finish: Optional[dict[str, Any]] = None
    posts: int = 0
    """Bodies that came over HTTP."""

    def channel(self, number: int) -> bytes:
        return b"".join(data for channel, _, data in self.entries if channel == number)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    stop_reading: bool = False


def parse_chunk_stream(body: bytes) -> list[tuple[int, int, bytes]]:
    """A second reading of the wire form, apart from the agent's: `(channel, time_us, data)`."""
    entries, position, time_us = [], 0, 0
    while position < len(body):
        match = re.compile(rb"(0|[1-9]\d{0,6}):").match(body, position)
        assert match, f"no length at byte {position}"
        start = match.end()
        stop = start + int(match.group(1))
        assert body[stop : stop + 1] == b",", f"no comma at byte {stop}"
        channel, data = body[start : start + 1], body[start + 1 : stop]
        if channel == b"t":
            time_us = int(data)
        else:
            entries.append((int(channel), time_us, data))
        position = stop + 1
    return entries


class ContractServer:
    """Use as a context manager, or `start`, `stop`, and `start` again on the same port."""

    def __init__(self, token: Optional[str] = None) -> None:
        self.token = token
        self.port = 0
        self.builds: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.logs: list[Log] = []
        self.requests: list[tuple[str, str]] = []
        self.faults: Callable[[Request], None] = lambda request: None
        self.after: Callable[[Request], None] = lambda request: None
        self.door: Optional[SocketDoor] = None  # of `/ws/intake/`: an older server has none
        self.changed = threading.Condition()
        self._httpd: Optional[ThreadingHTTPServer] = None
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ContractServer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def reserve_port(self) -> None:
        """Choose the port now, serve later."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                server._connections.add(self.connection)

            def finish(self) -> None:
                server._connections.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                server._handle(self)

            def do_GET(self) -> None:
                if self.path != "/ws/intake/":
                    server._handle(self)
                elif server.door is None:
                    self.send_error(404)
                else:
                    server.door.serve(server, self)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args: object) -> None:
                pass

        self._httpd = Server(("127.0.0.1", self.port), Handler)
        self.port = self._httpd.server_address[1]
        threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """As if killed: open connections end in the middle of whatever they are doing."""
        if self._httpd is None:
            return
        self._httpd.shutdown()
        self._httpd.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._httpd = None

    def wait_for(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "the server did not see it in time"

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, headers, handler.rfile.read(length))
        try:
            with self.changed:
                self.requests.append((request.method, request.path))
                self.faults(request)
                status, body, extra = self._answer(request)
                self.after(request)
        except Hangup:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        except Problem as problem:
            status, extra = problem.status, problem.headers
            body = {"type": problem.type, "title": "no", "status": status, "detail": "on purpose", **problem.extra}
        finally:
            with self.changed:
                self.changed.notify_all()
        data = json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **extra}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def _answer(self, request: Request) -> tuple[int, dict[str, Any], dict[str, str]]:
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            raise Problem(401, "unauthorized")
        for pattern, method in self._routes():
            match = re.fullmatch(f"/api/v1{pattern}", request.path)
            if match:
                status, body, *extra = method(request, *map(int, match.groups()))
                return status, body, extra[0] if extra else {}
        raise Problem(404, "not-found")

    def _routes(self) -> list[tuple[str, Callable[..., Any]]]:
        return [
            ("/builds", self._create_build),
            (r"/builds/(\d+)", self._show_build),
            (r"/builds/(\d+)/heartbeat", lambda request, build: (200, {})),
            (r"/builds/(\d+)/finish", lambda request, build: self._finish(self.builds[build - 1], request)),
            (r"/builds/(\d+)/steps", self._create_step),
            (r"/steps/(\d+)/finish", lambda request, step: self._finish(self.steps[step - 1], request)),
            (r"/steps/(\d+)/logs", self._create_log),
            (r"/logs/(\d+)/chunks", self._append),
            (r"/logs/(\d+)/finish", self._finish_log),
        ]

    def _create_build(self, request: Request) -> tuple[int, dict[str, Any]]:
        wanted = json.loads(request.body)
        known = {"project", "builder", "external_id", "number", "title", "branch", "revision", "reason", "origin_url"}
        if set(wanted) - known:
            raise Problem(400, "unknown-field")
        for build in self.builds:
            if build["external_id"] == wanted["external_id"]:
                return 200, build
            if "number" in wanted and build.get("number") == wanted["number"]:
                raise Problem(409, "number-taken")
        self.builds.append({**wanted, "id": len(self.builds) + 1, "results": None})
        return 201, self.builds[-1]

    def _show_build(self, request: Request, build: int) -> tuple[int, dict[str, Any]]:
        if request.method != "GET" or build > len(self.builds):
            raise Problem(404, "not-found")
        steps = [step for step in self.steps if step["build"] == build]
        return 200, {**self.builds[build - 1], "steps": sorted(steps, key=lambda step: step["number"])}

    def _create_step(self, request: Request, build: int) -> tuple[int, dict[str, Any]]:
        if build > len(self.builds):
            raise Problem(404, "not-found")
        wanted = json.loads(request.body)
        mine = [step for step in self.steps if step["build"] == build]
        number = wanted.get("number") or max([step["number"] for step in mine], default=0) + 1
        for step in mine:
            if step["number"] == number:
                if step["name"] != wanted["name"]:
                    raise Problem(409, "number-taken")
                return 200, step
        self._refuse_finished(build)
        fields = {"id": len(self.steps) + 1, "build": build, "name": wanted["name"], "number": number, "results": None}
        self.steps.append(fields)
        return 201, fields

    def _create_log(self, request: Request, step: int) -> tuple[int, dict[str, Any]]:
        wanted = json.loads(request.body)
        for log in self.logs:
            if (log.step, log.name) == (step, wanted["name"]):
                return 200, {"id": log.id}
        self._refuse_finished(self.steps[step - 1]["build"])
        self.logs.append(Log(len(self.logs) + 1, step, wanted["name"], wanted["type"]))
        return 201, {"id": self.logs[-1].id}

    def _refuse_finished(self, build: int) -> None:
        if self.builds[build - 1]["results"] is not None:
            raise Problem(409, "finished")

    def _append(self, request: Request, number: int) -> tuple[int, dict[str, Any], dict[str, str]]:
        assert request.headers["content-type"] == "application/vnd.buildlogs.chunks"
        if len(request.body) > MAX_BODY_BYTES:
            raise Problem(413, "too-large")
        log = self.logs[number - 1]
        offset, skip = int(request.headers["upload-offset"]), int(request.headers.get("upload-skip", 0))
        self.store(log, offset, skip, request.body)
        log.posts += 1
        return 200, {"received": log.received}, {"Upload-Offset": str(log.received)}

    def store(self, log: Log, offset: int, skip: int, body: bytes) -> None:
        """Append what the log does not have yet, as the contract says, whichever way it came."""
        entries = parse_chunk_stream(body)
        payload = b"".join(data for _, _, data in entries)
        if offset > log.received:
            raise Problem(409, "https://example.org/problems/offset-gap", {"Upload-Offset": str(log.received)})
        end = offset + skip + len(payload)
        known = log.received - (offset + skip)
        if log.finish is not None and end > log.received:
            raise Problem(409, "finished")
        if known > 0 and payload[:known] != bytes(log.payload[offset + skip : log.received])[: len(payload)]:
            raise Problem(409, "overlap-differs")
        if known < 0:
            log.skipped.append((log.received, -known))
            log.payload += bytes(-known)
        position = offset + skip
        for channel, time_us, data in entries:
            fresh = data[max(0, log.received - position) :]
            position += len(data)
            if fresh:
                log.entries.append((channel, time_us, fresh))
                log.payload += fresh
        log.received = max(log.received, end)
        log.bodies.append(len(body))
        log.arrivals.append(time.time())

    def _finish_log(self, request: Request, number: int) -> tuple[int, dict[str, Any]]:
        log, wanted = self.logs[number - 1], json.loads(request.body)
        same = wanted.get("received") == log.received
        if "sha256" in wanted:
            same = same and wanted["sha256"] == hashlib.sha256(log.payload).hexdigest()
        if not same and not wanted.get("unverified"):
            raise Problem(409, "mismatch", extra={"received": log.received})
        log.finish = wanted
        return 200, {"id": log.id}

    def _finish(self, row: dict[str, Any], request: Request) -> tuple[int, dict[str, Any]]:
        results = json.loads(request.body)["results"]
        if row["results"] not in (None, results):
            raise Problem(409, "finished")
        row["results"] = results
        return 200, row
