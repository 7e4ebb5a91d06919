"""Writers and an administrator who do all that goes on on a site, and know what they did."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import httpx

from tests.acceptance.client import Writer, entry
from tests.acceptance.intake import IntakeSocket, intake

LINES_A_BODY = 40
BODIES_A_LOG = 12
PAUSE_SECONDS = 0.01
SECRET_EVERY = 25
"""Every so many lines one is an error with a secret, which insight keeps in the database."""


@dataclass
class Sent:
    """A log as those who wrote, redacted and deleted it know it. Lines count from 1."""

    id: int
    build: int
    number: int
    """The build's."""

    project: str
    lines: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    """Bytes."""

    finished: bool = False
    redacting: frozenset[int] = frozenset()
    redacted: frozenset[int] = frozenset()
    deleting: bool = False
    deleted: bool = False

    @property
    def payload(self) -> bytes:
        return b"".join(self.lines)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()

    def secret(self, line: int) -> bytes:
        """What such a line tells."""
        return b"secret-%d-%d-secret" % (self.id, line)

    def produce(self) -> list[bytes]:
        """Some lines more."""
        more = []
        for number in range(len(self.lines) + 1, len(self.lines) + 1 + LINES_A_BODY):
            words = b"error: " + self.secret(number) if number % SECRET_EVERY == 0 else b"x" * (number * 37 % 200)
            more.append(b"line %d of log %d %s\n" % (number, self.id, words))
        self.lines += more
        return more

    def secret_lines(self) -> list[int]:
        return [number for number in range(1, len(self.lines) + 1) if number % SECRET_EVERY == 0]


def stream(lines: list[bytes]) -> bytes:
    return b"".join(entry(number % 2, line) for number, line in enumerate(lines))


def ask(writer: Writer, method: str, path: str, body: dict[str, object] | None = None) -> httpx.Response:
    """Ask until no job of upkeep's holds the log."""
    while True:
        answer = writer.http.request(method, path, json=body)
        if answer.status_code != 409 or answer.json()["type"] != "locked":
            return answer


def redact(writer: Writer, log_id: int, line: int) -> httpx.Response:
    return ask(writer, "POST", f"/logs/{log_id}/redact", {"start": line, "end": line, "reason": "a secret"})


class BusySite:
    """Threads that write builds over HTTP and over the socket, redact, delete, and make tokens, until it is stopped."""

    def __init__(self, url: str, token: str, projects: tuple[str, ...]) -> None:
        self.url = url
        self.token = token
        self.projects = projects
        self.logs: dict[int, Sent] = {}
        self.tokens: list[str] = []
        self.stopping = threading.Event()
        self.failures: list[BaseException] = []
        self._mutex = threading.Lock()
        actors: list[Callable[[], None]] = [self._administer]
        for project in projects:
            actors += [partial(self._write, project), partial(self._write_frames, project)]
        self._threads = [threading.Thread(target=self._run, args=(actor,)) for actor in actors]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let everybody work, and come to an end; what one of them met is raised."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in self._threads:
                thread.join()
        if self.failures:
            raise self.failures[0]

    def snapshot(self) -> dict[int, Sent]:
        """What has been answered so far, of every log."""
        with self._mutex:
            return {number: replace(log, lines=list(log.lines)) for number, log in self.logs.items()}

    def finished(self, project: str, count: int) -> list[Sent]:
        """Wait for so many finished logs that nobody has touched; the first of them."""
        while True:
            assert not self.failures, self.failures
            found = self._untouched(project)
            if len(found) >= count:
                return found[:count]
            self.stopping.wait(PAUSE_SECONDS)

    def wait_for_bytes(self, more: int) -> None:
        """Wait until so many bytes more are acknowledged."""
        wanted = self._acknowledged() + more
        while self._acknowledged() < wanted:
            assert not self.failures, self.failures
            self.stopping.wait(PAUSE_SECONDS)

    def wait_for_acts(self) -> None:
        """Wait until something was redacted, something deleted, and a token made."""
        while not (
            self.tokens and any(log.redacted for log in self._all()) and any(log.deleted for log in self._all())
        ):
            assert not self.failures, self.failures
            self.stopping.wait(PAUSE_SECONDS)

    def new_log(self, project: str, builder: str = "by-hand", writer: Writer | None = None) -> Sent:
        """A log of its own, known to nobody else."""
        made = (writer or self.writer()).new_log(project=project, builder=builder)
        log = Sent(made["id"], made["build"], made["number"], project)
        with self._mutex:
            self.logs[log.id] = log
        return log

    def writer(self) -> Writer:
        return Writer(self.url, self.token)

    # What is done to one log.

    def send(self, log: Sent, writer: Writer) -> None:
        """A body more over HTTP."""
        body = stream(log.produce())
        answer = writer.chunks(log.id, body, log.acknowledged)
        assert answer.status_code == 200, answer.text
        log.acknowledged = answer.json()["received"]

    def finish(self, log: Sent, writer: Writer) -> None:
        """The log, then its build."""
        answer = writer.finish(log.id, received=len(log.payload), sha256=log.sha256)
        assert answer.status_code == 200, answer.text
        writer.post(f"/builds/{log.build}/finish", {"results": "success"})
        log.finished = True

    def redact(self, log: Sent, lines: frozenset[int], writer: Writer) -> None:
        log.redacting |= lines
        for line in lines:
            answer = redact(writer, log.id, line)
            assert answer.status_code == 200, answer.text
        log.redacted |= lines

    def delete(self, log: Sent, writer: Writer) -> None:
        """Its build."""
        log.deleting = True
        answer = ask(writer, "DELETE", f"/builds/{log.build}")
        assert answer.status_code == 204, answer.text
        log.deleted = True

    # The actors.

    def _run(self, actor: Callable[[], None]) -> None:
        try:
            actor()
        except BaseException as error:  # it is raised where the site is stopped
            self.failures.append(error)

    def _write(self, project: str) -> None:
        writer = self.writer()
        while not self.stopping.is_set():
            log = self.new_log(project, "http", writer)
            for _ in range(BODIES_A_LOG):
                if self.stopping.wait(PAUSE_SECONDS):
                    return
                self.send(log, writer)
            self.finish(log, writer)

    def _write_frames(self, project: str) -> None:
        asyncio.run(self._write_over_a_socket(project))

    async def _write_over_a_socket(self, project: str) -> None:
        writer = self.writer()
        async with intake(self.url.replace("http", "ws", 1), self.token) as socket:
            while not self.stopping.is_set():
                log = await asyncio.to_thread(self.new_log, project, "socket", writer)
                for _ in range(BODIES_A_LOG):
                    if self.stopping.is_set():
                        return
                    await self.send_frame(log, socket)
                    await asyncio.sleep(PAUSE_SECONDS)
                await asyncio.to_thread(self.finish, log, writer)

    async def send_frame(self, log: Sent, socket: IntakeSocket) -> None:
        """A frame more over the socket."""
        await socket.send(log.id, log.acknowledged, stream(log.produce()))
        await socket.received(log.id, len(log.payload))
        log.acknowledged = len(log.payload)

    def _administer(self) -> None:
        """Redact some, delete some, make tokens."""
        dice = random.Random(7)
        writer = self.writer()
        while not self.stopping.wait(10 * PAUSE_SECONDS):
            project = self.projects[0]
            logs = self._untouched(project)
            if len(logs) > 4:
                log = dice.choice(logs[2:-1])
                if dice.random() < 0.6:
                    self.redact(log, frozenset(dice.sample(log.secret_lines(), 3)), writer)
                else:
                    self.delete(log, writer)
            if dice.random() < 0.2:
                made = writer.post(f"/projects/{project}/tokens", {"name": "made meanwhile", "scopes": ["read"]})
                self.tokens.append(made["token"])

    def _untouched(self, project: str) -> list[Sent]:
        """Finished logs that nobody redacts or deletes."""
        logs = [log for log in self._all() if log.project == project and log.finished]
        return [log for log in logs if not log.redacting and not log.deleting]

    def _acknowledged(self) -> int:
        return sum(log.acknowledged for log in self._all())

    def _all(self) -> list[Sent]:
        with self._mutex:
            return list(self.logs.values())
