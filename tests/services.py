"""What some tests need of the machine: PostgreSQL, Redis, Chromium, zstd, nginx. Found here, in one place.

A test asks for the fixture (`postgres_url`, `redis_url`, `chromium`, `zstd_command`, `nginx`). Where the thing is
missing the test is skipped with the reason; where the environment says `CI=true` it fails instead, so that nothing goes
untested unnoticed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

DATABASE_URL = os.environ.get("BUILDLOGS_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("BUILDLOGS_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CONNECT_SECONDS = 3


def missing(what: str, why: object) -> NoReturn:
    """Skip the test that needs it; in CI, fail it."""
    reason = f"{what} is not to be had: {' '.join(str(why).split())}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def empty_database() -> Iterator[str]:
    """The address of an empty PostgreSQL database that is dropped at the end."""
    try:
        connection = psycopg.connect(DATABASE_URL, autocommit=True, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        missing("PostgreSQL", error)
    name = f"buildlogs_test_{secrets.token_hex(6)}"
    with connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(DATABASE_URL)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The address of an empty PostgreSQL database that is dropped after the test."""
    with empty_database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The address of a Redis server that answers."""
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=CONNECT_SECONDS) as client:
            client.ping()
    except redis.RedisError as error:
        missing("Redis", error)
    return REDIS_URL


def find_chromium() -> Path | None:
    """The browser's executable: $BUILDLOGS_TEST_CHROMIUM, or the first one on PATH; None where there is none."""
    named = os.environ.get("BUILDLOGS_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return Path(found) if found is not None and os.access(found, os.X_OK) else None


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's executable."""
    found = find_chromium()
    if found is None:
        missing("Chromium", os.environ.get("BUILDLOGS_TEST_CHROMIUM") or f"none of {', '.join(CHROMIUM_NAMES)} is here")
    return found


@pytest.fixture(scope="session")
def zstd_command() -> str:
    """The path of zstd's own command."""
    command = shutil.which("zstd")
    if command is None:
        missing("zstd", "the command is not in PATH")
    return command


@pytest.fixture(scope="session")
def nginx() -> str:
    """The path of nginx, of which Debian's smallest package will do."""
    command = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if command is None:
        missing("nginx", "the command is not in PATH; on Debian, apt-get install nginx-light")
    return command
