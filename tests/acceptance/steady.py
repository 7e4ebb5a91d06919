"""Whether a server comes back to where it was: its memory, its descriptors, its tasks."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.server import Server

MIB = 1024 * 1024
MEMORY_ALLOWANCE_BYTES = 8 * MIB
"""What the allocator may keep of what passed through; where bytes are what a test is about, many times as much did."""

SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Condition:
    """What a server process holds at one moment."""

    rss_bytes: int
    descriptors: Counter[str]
    tasks: int
    sockets: int
    requests: int

    def exceeds(self, other: Condition, memory_bytes: int) -> list[str]:
        """What there is more of than in `other`."""
        more = [
            f"{name}: {getattr(self, name)} after {getattr(other, name)}"
            for name in ("tasks", "sockets", "requests")
            if getattr(self, name) > getattr(other, name)
        ]
        if self.descriptors.total() > other.descriptors.total():
            more.append(f"descriptors: {dict(self.descriptors - other.descriptors)}")
        grown = self.rss_bytes - other.rss_bytes
        return more + ([f"memory: {grown / MIB:.1f} MiB more"] if grown > memory_bytes else [])


class Watcher:
    """Looks at one server over one connection of its own; `before` is what it saw first."""

    before: Condition

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def look(self) -> Condition:
        """The server's condition now."""
        answer = self._client.get("/metrics")
        assert answer.status_code == 200, answer.text
        samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
        return Condition(
            rss_bytes=self._server.rss_bytes(),
            descriptors=_descriptors(self._server.pid),
            tasks=_sum(samples, "buildlogs_asyncio_tasks"),
            sockets=_sum(samples, "buildlogs_viewers") + _sum(samples, "buildlogs_intake_sockets"),
            requests=_sum(samples, "buildlogs_http_requests_open"),
        )

    def settled(self) -> Condition:
        """The condition as soon as it is that of the look before, but for memory."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before = self.look()
        while True:
            time.sleep(POLL_SECONDS)
            now = self.look()
            if not now.exceeds(before, now.rss_bytes) and not before.exceeds(now, now.rss_bytes):
                return now
            assert time.monotonic() < deadline, f"it never settles: {before}, {now}"
            before = now

    def grown_bytes(self) -> int:
        """How much more memory there is now."""
        return self._server.rss_bytes() - self.before.rss_bytes

    def close(self) -> None:
        self._client.close()


@contextmanager
def steady_state(
    server: Server, token: str, *, memory_bytes: int = MEMORY_ALLOWANCE_BYTES, seconds: float = SETTLE_SECONDS
) -> Iterator[Watcher]:
    """What happens inside leaves the server, `seconds` later at the most, with no more than it had before."""
    watcher = Watcher(server, token)
    try:
        before = watcher.before = watcher.settled()
        yield watcher
        ended = time.monotonic()
        while more := watcher.look().exceeds(before, memory_bytes):
            waited = time.monotonic() - ended
            print(f"after {waited:.1f} s the server has more of {more}")
            assert waited < seconds, f"after {waited:.1f} s the server still has more of {more}"
            time.sleep(POLL_SECONDS)
    finally:
        watcher.close()


def _sum(samples: list, name: str) -> int:
    return int(sum(sample.value for sample in samples if sample.name == name))


def _descriptors(pid: int) -> Counter[str]:
    """Open descriptors by what they lead to.

    Not counted are the logs that the store keeps open to append to, at most 256, and the connections to the database,
    one for each of the threads that ask it.
    """
    found: Counter[str] = Counter()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = descriptor.readlink()
            flags = int(Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text().split()[3], 8)
        except FileNotFoundError:  # closed just now
            continue
        is_log = target.suffix in (".log", ".idx", ".tail", ".marks")
        is_database = ".sqlite3" in target.name
        if not is_database and not (is_log and flags & os.O_ACCMODE != os.O_RDONLY):
            found[target.name.partition(":")[0]] += 1
    return found
