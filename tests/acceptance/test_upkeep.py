"""Upkeep in processes of its own: killed in the middle, told to end, and several at once."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.server import DATABASE_NAME, ROOT, Server

BUILDS = 160
KEPT = 5
LEASE_SECONDS = 2
PATIENCE_SECONDS = 60
PREPARE = """
import django; django.setup()
from django.utils import timezone
from datetime import timedelta
from logviewer.chunkstore import Entry
from logviewer.intake.builds import NewBuild, create_build
from logviewer.intake.logs import create_log
from logviewer.intake.steps import create_step
from logviewer.live.store import chunk_store
from logviewer.models import Build, LogFile, Project
from django.db import transaction
with transaction.atomic():
    for _ in range({builds}):
        build = create_build(NewBuild(project="demo", builder="linux")).build
        step = create_step(build.pk, "compile").step
        for name in ("stdio", "test.log"):
            log = create_log(step.pk, name).log
            chunk_store().append(log.key, [Entry(0, b"gcc -c file.c" * 100, None)])
            chunk_store().finish(log.key)
LogFile.objects.update(state="finished", size=1300, finished_at=timezone.now())
Build.objects.update(state="finished", results="success", finished_at=timezone.now() - timedelta(days=100))
Build.objects.filter(number=1).update(pinned=True)
Project.objects.update(keep_days=30, keep_builds={kept})
"""


ENVIRONMENT = {
    "BUILDLOGS_UPKEEP_LEASE": str(LEASE_SECONDS),
    "BUILDLOGS_RETENTION_INTERVAL": "1",
    "BUILDLOGS_FSYNC": "never",
    "DJANGO_SETTINGS_MODULE": "buildlogs.settings",
}


@pytest.fixture(scope="module")
def with_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with builds to be deleted, to be copied."""
    server = Server(tmp_path_factory.mktemp("builds"), environment=ENVIRONMENT)
    server.migrate()
    script = PREPARE.format(builds=BUILDS, kept=KEPT)
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=server.environment, check=True, timeout=60)
    return server.data_dir


@pytest.fixture
def site(with_builds: Path, data_dir: Path) -> Server:
    """A copy of it; no server runs."""
    shutil.copytree(with_builds, data_dir, dirs_exist_ok=True)
    return Server(data_dir, environment=ENVIRONMENT)


@contextmanager
def running(site: Server, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (site.data_dir / "upkeep.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=site.environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ask(site: Server, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(site.data_dir / DATABASE_NAME, timeout=20)) as database:
        return database.execute(question).fetchall()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def builds(site: Server) -> list[int]:
    return [number for (number,) in ask(site, "SELECT number FROM logviewer_build ORDER BY number")]


def builds_with_files(site: Server) -> set[int]:
    found = (path for path in (site.data_dir / "logs").rglob("*") if path.is_file())
    return {int(path.parts[-3]) for path in found}


EXPECTED = [1, *range(BUILDS - KEPT + 1, BUILDS + 1)]


def test_killed_in_the_middle_of_retention_and_started_again_it_ends_with_the_expected_builds(site: Server) -> None:
    with running(site, "upkeep", "--forever") as upkeep:
        wait_for(lambda: len(EXPECTED) < len(builds(site)) < BUILDS - 20)
        upkeep.send_signal(signal.SIGKILL)
        upkeep.wait()
    assert len(builds(site)) > len(EXPECTED), "it was over before it was killed"
    with running(site, "upkeep", "--forever") as upkeep:
        done = "SELECT count(*) FROM logviewer_jobrun WHERE job_id = 'retention' AND outcome = 'done'"
        wait_for(lambda: builds(site) == EXPECTED and ask(site, done)[0][0] >= 1)
        began = time.monotonic()
        upkeep.send_signal(signal.SIGTERM)
        assert upkeep.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - began < 5
    assert builds_with_files(site) == set(EXPECTED)
    told = ask(site, "SELECT sum(json_extract(details, '$.builds')) FROM logviewer_auditentry WHERE act = 'expire'")
    completed = ask(site, "SELECT count(*) FROM logviewer_auditentry WHERE act = 'delete'")
    assert told[0][0] + completed[0][0] == BUILDS - len(EXPECTED)
    outcomes = [word for (word,) in ask(site, "SELECT outcome FROM logviewer_jobrun WHERE job_id = 'retention'")]
    assert outcomes.count("lost") == 1


def test_two_that_delete_at_once_delete_each_build_once(site: Server) -> None:
    with running(site, "retention") as one, running(site, "retention") as other:
        assert [one.wait(PATIENCE_SECONDS), other.wait(PATIENCE_SECONDS)] == [0, 0]
    assert builds(site) == EXPECTED
    assert builds_with_files(site) == set(EXPECTED)
    told = ask(site, "SELECT sum(json_extract(details, '$.builds')) FROM logviewer_auditentry WHERE act = 'expire'")
    assert told[0][0] == BUILDS - len(EXPECTED)
    said = (site.data_dir / "upkeep.log").read_text()
    assert "Traceback" not in said
