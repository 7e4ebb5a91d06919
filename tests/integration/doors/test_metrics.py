"""GET /metrics: who may, and what database and disk say, or do not say."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import HttpCommunicator
from django.db import OperationalError
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from logviewer.doors.metrics import door, site
from logviewer.doors.routing import http_doors
from logviewer.models import DamagedLog, Job, LogForm, LogState
from tests.factories import make_delivery, make_log, make_project, make_step, make_token, make_webhook

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(http_doors)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(door, "scrapers", door.Scrapers())
    monkeypatch.setattr(door, "site", site.Site())
    yield
    door.site_collector.figures = site.SiteFigures()


async def scrape(token: str | None, method: str = "GET", query: str = "") -> Any:
    headers = [(b"host", b"localhost")] + ([(b"authorization", f"Bearer {token}".encode())] if token else [])
    return await HttpCommunicator(application, method, f"/metrics{query}", headers=headers).get_response(timeout=10)


async def families(token: str) -> dict[str, Metric]:
    answer = await scrape(token)
    assert answer["status"] == 200, answer
    assert (b"content-type", b"text/plain; version=0.0.4; charset=utf-8") in answer["headers"]
    assert (b"cache-control", b"no-store") in answer["headers"]
    return {family.name: family for family in text_string_to_metric_families(answer["body"].decode())}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    (sample,) = [sample for sample in found[name].samples if sample.labels == labels]
    return float(sample.value)


async def make(*args: Any, **options: Any) -> Any:
    return await asyncio.to_thread(*args, **options)


@pytest.mark.bad_input("a wrong token")
@pytest.mark.parametrize("token", [None, "bl_wrong"], ids=["none", "wrong"])
async def test_without_a_valid_token_it_is_401(token: str | None) -> None:
    answer = await scrape(token)
    assert answer["status"] == 401
    assert (b"www-authenticate", b"Bearer") in answer["headers"]
    assert b"buildlogs_" not in answer["body"]


@pytest.mark.bad_input("a token without the scope")
async def test_a_token_that_may_not_read_is_403() -> None:
    assert (await scrape(await make(make_token, scopes=["write"])))["status"] == 403


@pytest.mark.bad_input("a token for another project")
async def test_a_projects_token_is_403_as_metrics_are_of_all_projects() -> None:
    project = await make(make_project)
    assert (await scrape(await make(make_token, project=project)))["status"] == 403


@pytest.mark.bad_input("a method that an address does not take")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_other_methods_are_405(method: str) -> None:
    answer = await scrape(await make(make_token), method)
    assert answer["status"] == 405
    assert (b"allow", b"GET, HEAD") in answer["headers"]


async def test_head_has_the_headers_only() -> None:
    answer = await scrape(await make(make_token), "HEAD")
    assert (answer["status"], answer["body"]) == (200, b"")


async def test_logs_are_counted_by_state_and_weighed_by_form() -> None:
    def write() -> None:
        step = make_step()
        make_log(step=step, name="a", size=1000)
        make_log(step=step, name="b", size=500, state=LogState.FINISHED)
        make_log(step=step, name="c", size=90_000, stored_bytes=700, state=LogState.FINISHED, form=LogForm.SEALED)
        make_log(step=step, name="d", size=90_000, stored_bytes=60, state=LogState.FINISHED, form=LogForm.ARCHIVED)

    await make(write)
    found = await families(await make(make_token))
    assert value(found, "buildlogs_open_logs") == 1
    assert value(found, "buildlogs_seal_queue_logs") == 1
    stored = {form: value(found, "buildlogs_stored_bytes", form=form) for form in ("plain", "sealed", "archived")}
    assert stored == {"plain": 1500, "sealed": 700, "archived": 60}
    assert 0 < value(found, "buildlogs_disk_free_bytes") <= value(found, "buildlogs_disk_size_bytes")


async def test_deliveries_that_wait_are_counted_and_the_oldest_told() -> None:
    def write() -> None:
        webhook = make_webhook()
        make_delivery(webhook=webhook)
        make_delivery(webhook=webhook, created_at=timezone.now() - timedelta(hours=1))
        over = {"state": "delivered", "next_try_at": None}
        make_delivery(webhook=webhook, created_at=timezone.now() - timedelta(days=1), **over)

    token = await make(make_token)
    found = await families(token)
    assert value(found, "buildlogs_webhook_waiting_deliveries") == 0
    assert value(found, "buildlogs_webhook_oldest_waiting_seconds") == 0
    await make(write)
    door.site = site.Site()
    found = await families(token)
    assert value(found, "buildlogs_webhook_waiting_deliveries") == 2
    assert 3600 <= value(found, "buildlogs_webhook_oldest_waiting_seconds") < 3700
    attempts = {sample.labels["result"] for sample in found["buildlogs_webhook_deliveries"].samples}
    assert attempts == {"delivered", "failed", "given-up"}


async def test_what_the_database_said_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = site._logs
    monkeypatch.setattr(site, "_logs", lambda: asked.append(1) or ask())
    token = await make(make_token)
    for _ in range(3):
        await families(token)
    assert len(asked) == 1


async def test_a_database_that_needs_long_is_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "REMEMBERED_SECONDS", 0.0)
    figures, asked = site.LogFigures(1, 0, {}), []

    def slow() -> site.LogFigures:
        asked.append(1)
        time.sleep(0.2)
        return figures

    monkeypatch.setattr(site, "_logs", slow)
    for _ in range(5):
        assert (await door.site.figures()).logs == figures
    assert len(asked) == 1


def away(*_: Any, **__: Any) -> Any:
    raise OperationalError("connection refused")


async def test_without_the_database_the_rest_is_told_to_whom_it_was_told_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, stranger = await make(make_token), await make(make_token)
    assert "buildlogs_open_logs" in await families(token)
    monkeypatch.setattr(door, "site", site.Site())
    monkeypatch.setattr(door, "identify", away)
    monkeypatch.setattr(site, "_logs", away)
    found = await families(token)
    assert {"buildlogs_open_logs", "buildlogs_seal_queue_logs", "buildlogs_stored_bytes"}.isdisjoint(found)
    assert {"buildlogs_viewers", "buildlogs_disk_free_bytes", "process_open_fds"} <= set(found)
    assert (await scrape(stranger))["status"] >= 500
    monkeypatch.undo()
    assert "buildlogs_open_logs" in await families(token)


async def test_a_token_that_was_refused_meanwhile_is_not_believed_in_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    token = await make(make_token)
    await families(token)
    monkeypatch.setattr(door, "_check", lambda _: (_ for _ in ()).throw(door.Forbidden("no longer")))
    assert (await scrape(token))["status"] == 403
    monkeypatch.undo()
    monkeypatch.setattr(door, "identify", away)
    assert (await scrape(token))["status"] >= 500


async def test_a_database_and_a_disk_that_hang_hold_up_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "PATIENCE_SECONDS", 0.1)
    go_on = threading.Event()
    monkeypatch.setattr(site, "_disk", lambda _: go_on.wait(10))
    token = await make(make_token)
    try:
        for _ in range(3):
            assert "buildlogs_disk_free_bytes" not in await families(token)
    finally:
        go_on.set()


async def test_a_disk_that_cannot_be_asked_is_left_out(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.DATA_DIR = Path("/nonexistent")
    found = await families(await make(make_token))
    assert "buildlogs_disk_free_bytes" not in found
    assert "buildlogs_open_logs" in found


async def test_upkeeps_jobs_and_damaged_logs_are_told() -> None:
    def write() -> None:
        log = make_log()
        DamagedLog.objects.create(log=log, found_at=timezone.now(), detail="sealed-damaged")
        Job.objects.create(name="seal", succeeded_at=datetime(2026, 11, 29, tzinfo=UTC), failures=3, seconds=0.5)
        Job.objects.create(name="lost")
