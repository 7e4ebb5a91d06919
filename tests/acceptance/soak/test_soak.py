"""In bad weather, on one process and on two: no viewer misses a byte, and no file differs from what was sent.

BUILDLOGS_TEST_SOAK_SECONDS is for how long it blows in all, BUILDLOGS_TEST_SOAK_SEED the seed of a run to be repeated.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.outages import OwnRedis, Way
from tests.acceptance.soak.site import Database, Redis, Site
from tests.acceptance.soak.soak import Soak, check_files
from tests.acceptance.soak.trace import Trace

SECONDS = float(os.environ.get("BUILDLOGS_TEST_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("BUILDLOGS_TEST_SOAK_SEED") or random.SystemRandom().randrange(10**9))
SHARES = {"BUILDLOGS_TEST_DROP": "0.2", "BUILDLOGS_TEST_DOUBLE": "0.2", "BUILDLOGS_TEST_DELAY": "0.1"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 400)]


@pytest.fixture
def one_process(data_dir: Path) -> Iterator[Site]:
    """The embedded default: SQLite, announcements in memory."""
    site = Site(data_dir, 1, {})
    yield site
    site.stop()


@pytest.fixture
def two_processes(data_dir: Path, postgres_url: str) -> Iterator[Site]:
    """A PostgreSQL that goes, and a Redis that does and whose announcements get lost, doubled and late."""
    redis, way = OwnRedis(data_dir), Way(postgres_url, 5432)
    environment = {"DATABASE_URL": way.url, "REDIS_URL": redis.url, **SHARES}
    site = Site(data_dir, 2, environment, [Redis(redis), Database(way)], "tests.acceptance.lossy:application")
    with ExitStack() as stack:
        stack.callback(way.close)
        way.open()
        stack.callback(redis.stop)
        redis.start()
        stack.callback(site.stop)
        yield site


def soak(site: Site) -> None:
    trace = Trace(SEED)
    token = site.start()
    one = Soak(site, token, trace)
    try:
        asyncio.run(one.run(SECONDS / 2))
        site.stop()
        size = check_files(site.data_dir / "logs", one.logs)
    except BaseException:
        path = Path(tempfile.gettempdir()) / f"buildlogs-soak-{SEED}.txt"
        trace.write(path)
        print(f"{trace}\nall of it: {path}; again: script/soak {SECONDS:g} {SEED}")
        raise
    counts = "\n".join(f"{count:8} {name}" for name, count in sorted(trace.counts.items()))
    print(f"seed {SEED}: {len(one.logs)} logs, {size} bytes\n{counts}\n{Counter(site.tracebacks())}")
    assert len(one.logs) > 0
    assert trace.counts["viewer: has all of it"] > 0
    assert trace.counts["server: is gone"] + trace.counts["server: is frozen"] > 0


def test_one_process_with_sqlite(one_process: Site) -> None:
    soak(one_process)


@pytest.mark.postgres
@pytest.mark.redis
def test_two_processes_whose_postgresql_and_redis_cannot_be_relied_on(two_processes: Site) -> None:
    soak(two_processes)
