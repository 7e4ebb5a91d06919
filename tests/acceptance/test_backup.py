"""The backup of docs/storage.md, taken while a site does all that it does, restores: nothing is lost or comes back.

On SQLite with all logs here, and on PostgreSQL with sealed logs in another store.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.busy_site import BusySite, Sent
from tests.acceptance.client import Writer
from tests.acceptance.intake import intake
from tests.acceptance.restored_site import RestoredSite
from tests.acceptance.server import DATABASE_NAME, Server
from tests.backup_commands import Backup, backup, load_dump, manage, needs_commands, restore, shell
from tests.receiver import Receiver, running_receiver
from tests.services import empty_database

DEMO, SHORT = "demo", "short"
"""The projects: of the second, retention keeps the last two builds of each builder, and looks every second."""

BYTES = 150_000
"""That are written between one command and the next."""

WAIT_SECONDS = 30
STILL_SECONDS = 6.0
"""`verifylogs` says nothing of a row whose log was written within the last five."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_commands]


@dataclass(frozen=True)
class Place:
    """Where a site lies: its data directory, its database if that is PostgreSQL, its other store if it has one."""

    data: Path
    database_url: str | None = None
    other: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "BUILDLOGS_WEBHOOK_ALLOW": "127.0.0.0/8",
            "BUILDLOGS_RETENTION_INTERVAL": "1",
            **({"DATABASE_URL": self.database_url} if self.database_url else {}),
            **({"BUILDLOGS_LOG_STORE": f"file://{self.other}"} if self.other else {}),
        }

    def files_of(self, log: Sent) -> set[str]:
        """The endings of the files that a log has here; directories may vanish meanwhile."""
        names = [name for _directory, _directories, files in os.walk(self.data / "logs") for name in files]
        return {name.partition(".")[2] for name in names if name.partition(".")[0].endswith(f"-{log.id}")}


@contextmanager
def on_sqlite(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    yield Place(tmp_path / "data"), Place(tmp_path / "restored")


@contextmanager
def on_postgresql_with_another_store(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    for name in ("other", "other-copy"):
        (tmp_path / name).mkdir()
    with empty_database() as first, empty_database() as second:
        yield (
            Place(tmp_path / "data", first, tmp_path / "other"),
            Place(tmp_path / "restored", second, tmp_path / "other-copy"),
        )


@pytest.fixture(
    params=[on_sqlite, pytest.param(on_postgresql_with_another_store, marks=pytest.mark.postgres)],
    ids=lambda kind: kind.__name__,
)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """The site, and where it is restored."""
    with request.param(tmp_path) as both:
        both[0].data.mkdir()
        yield both


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def server(places: tuple[Place, Place]) -> Iterator[Server]:
    """The site's server, which tells no webhook: what there is to tell waits in the database."""
    server = Server(places[0].data, environment={**places[0].environment, "BUILDLOGS_WEBHOOKS_IN_SERVER": "0"})
    server.migrate()
    server.start()
    yield server
    server.stop()


def set_up(server: Server, writer: Writer, receiver: Receiver) -> None:
    """Two projects, retention in one; a member and a webhook of the other."""
    for project in (DEMO, SHORT):
        assert writer.finish(writer.new_log(project=project, builder="first")["id"]).status_code == 200
    server.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import User; from logviewer.models import Project; "
        f"Project.objects.filter(slug={SHORT!r}).update(keep_builds=2); User.objects.create_user('mary')",
    )
    writer.post(f"/projects/{DEMO}/members", {"user": "mary", "role": "viewer"})
    writer.post(f"/projects/{DEMO}/webhooks", {"url": receiver.url, "events": ["buildFinished", "logFinished"]})


class Late:
    """Logs to which something happens between the copy of the indexes and that of the rest."""

    def __init__(self, site: BusySite) -> None:
        self.site, self.writer = site, site.writer()
        self.redacted, self.deleted = site.finished(DEMO, 2)
        self.open, self.sealed, self.gone, self.over_a_socket = (site.new_log(DEMO) for _ in range(4))
        self.write()

    def write(self) -> None:
        """More of those that are open."""
        for log in (self.open, self.sealed, self.gone):
            if not log.finished:
                self.site.send(log, self.writer)
        asyncio.run(self._write_a_frame())

    async def _write_a_frame(self) -> None:
        async with intake(self.site.url.replace("http", "ws", 1), self.site.token) as socket:
            await self.site.send_frame(self.over_a_socket, socket)

    def happen(self, place: Place) -> None:
        self.site.redact(self.redacted, frozenset(self.redacted.secret_lines()[:2]), self.writer)
        self.site.delete(self.deleted, self.writer)
        for log in (self.sealed, self.gone):
            self.write()
            self.site.finish(log, self.writer)
        self.site.delete(self.gone, self.writer)
        wanted = set() if place.other else {"idx", "log.zst"}
        wait_until(lambda: place.files_of(self.sealed) - {"marks"} == wanted)


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not what():
        assert time.monotonic() < deadline
        os.sched_yield()


@dataclass(frozen=True)
class Taken:
    """What had been answered when the copy began: it has to be there."""

    logs: dict[int, Sent]
    tokens: list[str]


def take(lines: Backup, place: Place, copy: Path, other_copy: Path | None, site: BusySite) -> Taken:
    """Make the backup; something goes on between each command and the next."""

    def run(line: str) -> None:
        shell(line, DATA=str(place.data), BACKUP=str(copy), DATABASE_URL=place.database_url or "")

    late = Late(site)
    run(lines.directory)
    site.wait_for_bytes(BYTES)
    taken = Taken(site.snapshot(), list(site.tokens))
    run(lines.dump if place.database_url else lines.database)
    site.wait_for_bytes(BYTES)
    late.write()
    run(lines.indexes)
    site.wait_for_bytes(BYTES)
    late.happen(place)
    run(lines.rest)
    site.wait_for_bytes(BYTES)
    late.write()
    if other_copy:
        shell('rsync -a "$OTHER/" "$COPY/" || [ $? = 24 ]', OTHER=str(place.other), COPY=str(other_copy))
    run(lines.rest_again)
    run(lines.key)
    return taken


def put_back(copy: Path, place: Place) -> Server:
    """The server of the restored site, not started yet."""
    shutil.copytree(copy, place.data)
    if place.database_url:
        shell(load_dump(), DATABASE_URL=place.database_url, BACKUP=str(copy))
    return Server(place.data, environment=place.environment)


def test_a_backup_of_a_busy_site_restores(
    places: tuple[Place, Place], server: Server, receiver: Receiver, tmp_path: Path
) -> None:
    place, restored_place = places
    token = server.token("--scopes", "write,read,admin")
    set_up(server, Writer(server.url, token), receiver)
    site = BusySite(server.url, token, (DEMO, SHORT))
    copy = tmp_path / "backup"
    with site.running():
        site.wait_for_acts()
        taken = take(backup(), place, copy, restored_place.other, site)
        site.wait_for_bytes(BYTES)
    server.kill()
    for log in taken.logs.values():  # what was redacted by then is in no copy of the database
        database = (copy / ("buildlogs.sql" if place.database_url else DATABASE_NAME)).read_bytes()
        assert not [line for line in log.redacted if log.secret(line) in database]

    restored_server = put_back(copy, restored_place)
    time.sleep(STILL_SECONDS)
    *before, verify = restore()
    for command in before:
        done = manage(restored_server.environment, *command)
        assert done.returncode == 0, done.stderr
    verified = manage(restored_server.environment, *verify, "--json")
    *findings, _summary = map(json.loads, verified.stdout.splitlines())
    restored_server.start()
    try:
        restored = RestoredSite(restored_server, token, taken.logs, site.logs, findings, {SHORT})
        restored.check_logs()
        restored.check_who_may(taken.tokens, DEMO, "mary")
        restored.check_audit(DEMO)
        restored.check_webhooks(receiver, DEMO)
        restored.do_again()
        restored.go_on()
        restored.check_new_ids()
        clean = manage(restored_server.environment, "verifylogs")
        assert clean.returncode == 0, clean.stdout
        upkeep = manage(restored_server.environment, "upkeep")
        assert upkeep.returncode == 0, upkeep.stderr
    finally:
        restored_server.stop()
    assert "Traceback" not in restored_server.log_path.read_text()
    assert "Traceback" not in server.log_path.read_text()
