"""GET /healthz and /readyz."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from logviewer.api import health


def test_the_process_lives(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_living_needs_no_database(client: Client, settings: Any) -> None:
    # Without the mark `django_db`, pytest-django fails a test that touches the database.
    assert client.head("/healthz").status_code == 200


@pytest.mark.django_db
def test_a_server_that_can_work_is_ready(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "database": "ok", "layer": "ok", "data_directory": "ok"},
    )


@pytest.mark.django_db
def test_a_database_that_fails_is_named_and_its_reason_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("password authentication failed for user ann")

    monkeypatch.setitem(health.CHECKS, "database", fail)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "failed", "layer": "ok", "data_directory": "ok"}


@pytest.mark.django_db
def test_a_part_that_hangs_is_named_and_costs_one_thread_however_often_it_is_asked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, calls = threading.Event(), []

    def hang() -> None:
        calls.append(1)
        goes_on.wait(30)

    monkeypatch.setattr(health, "CHECK_SECONDS", 0.5)
    monkeypatch.setitem(health.CHECKS, "layer", hang)
    threads = threading.active_count()
    for _ in range(5):
        response = client.get("/readyz")
        assert (response.status_code, response.json()["layer"]) == (503, "failed")
    assert (len(calls), threading.active_count()) == (1, threads + 1)
    goes_on.set()
    monkeypatch.setattr(health, "CHECK_SECONDS", 10.0)
    deadline = time.monotonic() + 10
    while client.get("/readyz").json()["layer"] != "ok":
        assert time.monotonic() < deadline


@pytest.mark.django_db
def test_a_data_directory_that_is_gone_is_named(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "gone"
    response = client.get("/readyz")
    assert (response.status_code, response.json()["data_directory"]) == (503, "failed")


@pytest.mark.django_db
def test_a_redis_that_is_away_is_named_within_its_time(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()
    response = client.get("/readyz")
    assert (response.status_code, response.json()["layer"]) == (503, "failed")
    assert time.monotonic() - started < health.LAYER_TIMEOUT_SECONDS + 3


@pytest.mark.django_db
def test_a_redis_that_answers_is_fine(client: Client, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    assert client.get("/readyz").json()["layer"] == "ok"


def test_health_is_not_to_be_posted_to(client: Client) -> None:
    assert client.post("/healthz").status_code == 405


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_only_reading_is_answered(path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path).status_code == 405
