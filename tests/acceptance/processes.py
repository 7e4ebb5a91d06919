"""Several server processes on one data directory and one database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.server import APPLICATION, Server


@contextmanager
def two_processes(
    data_dir: Path, environment: Mapping[str, str], *, kind: str = "daphne", application: str = APPLICATION
) -> Iterator[list[Server]]:
    """Two migrated, started processes; stopped at the end."""
    servers = [Server(data_dir, kind=kind, environment=environment, application=application) for _ in range(2)]
    servers[0].migrate()
    with ThreadPoolExecutor(len(servers)) as at_once:
        try:
            list(at_once.map(Server.start, servers))
            yield servers
        finally:
            list(at_once.map(Server.stop, servers))
