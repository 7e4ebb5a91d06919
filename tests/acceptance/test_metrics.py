"""/metrics of a real server: what happens is seen there."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.peers import Place
from tests.acceptance.scrape import scrape, scrape_until
from tests.acceptance.server import Server

MIB = 1024 * 1024


@pytest.fixture
def counted(place: Place) -> Server:
    """A server whose numbers nobody else moves now."""
    return place.server


@pytest.fixture
def scraper(place: Place) -> str:
    return place.token


@pytest.fixture
def build(place: Place) -> Writer:
    return place.writer


def test_bytes_that_come_in_and_go_out_are_counted_once(counted: Server, scraper: str, build: Writer) -> None:
    log = build.new_log()
    before = scrape(counted, scraper)
    body = entry(0, b"x" * 700) + entry(1, b"y" * 300)
    for _ in range(2):
        assert build.chunks(log["id"], body, 0).status_code == 200
    text = build.http.get(f"/logs/{log['id']}/raw", headers={"Accept-Encoding": "identity"}).content
    assert len(text) == 1000
    assert build.chunks(log["id"], b"malformed", 1000).status_code == 400
    after = scrape(counted, scraper)

    def moved(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert moved("buildlogs_received_bytes_total") == 1000
    assert moved("buildlogs_received_chunks_total") == 2
    assert moved("buildlogs_received_bodies_total") == 1
    assert moved("buildlogs_http_requests_total", door="chunks", method="POST", code="2xx") == 2
    assert moved("buildlogs_http_requests_total", door="chunks", method="POST", code="4xx") == 1
    assert moved("buildlogs_http_requests_total", door="raw", method="GET", code="2xx") == 1
    assert moved("buildlogs_http_sent_bytes_total", door="raw") == 1000
    assert after("buildlogs_http_requests_open") == 1  # the scrape itself


async def test_viewers_and_how_far_behind_they_are_are_seen(counted: Server, scraper: str, build: Writer) -> None:
    log = await asyncio.to_thread(build.new_log)
    before = scrape(counted, scraper)
    viewer = await Viewer(counted.websocket_url, log["id"], token=scraper, window=65536).open()
    scrape_until(counted, scraper, lambda now: now("buildlogs_log_streams") == 1)
    for number in range(3):
        await asyncio.to_thread(build.chunks, log["id"], entry(0, b"z" * MIB), number * MIB)
    during = scrape_until(
        counted,
        scraper,
        lambda now: now("buildlogs_slowest_viewer_lag_bytes") == 3 * MIB - 65536,
    )
    assert during("buildlogs_viewers", kind="log") == 1
    assert during("buildlogs_watched_logs") == 1
    sent = during("buildlogs_frames_sent_bytes_total", kind="log")
    assert sent > before("buildlogs_frames_sent_bytes_total", kind="log") + 65536
    await viewer.stop()
    after = scrape_until(counted, scraper, lambda now: now("buildlogs_viewers", kind="log") == 0)
    opened = before("buildlogs_sockets_opened_total", kind="log") + 1
    assert after("buildlogs_sockets_opened_total", kind="log") == opened
    scrape_until(counted, scraper, lambda now: now("buildlogs_asyncio_tasks") <= before("buildlogs_asyncio_tasks"))
    assert scrape(counted, scraper)("buildlogs_slowest_viewer_lag_bytes") == 0


def test_the_process_and_its_loop_are_seen(counted: Server, scraper: str) -> None:
    now = scrape_until(counted, scraper, lambda now: now("buildlogs_event_loop_lag_seconds_count") > 2)
    assert abs(now("process_resident_memory_bytes") - counted.rss_bytes()) < 16 * MIB
    assert now("process_open_fds") > 0
    assert now("buildlogs_disk_free_bytes") > 0
    assert now("buildlogs_build_info", version="0.1.0") == 1


@pytest.mark.bad_input("a wrong token")
def test_nobody_else_sees_them(counted: Server, build: Writer) -> None:
    assert httpx.get(f"{counted.url}/metrics").status_code == 401
    wrong = {"Authorization": "Bearer bl_wrong"}
    assert httpx.get(f"{counted.url}/metrics", headers=wrong).status_code == 401
    assert httpx.post(f"{counted.url}/metrics", headers=build.http.headers).status_code == 405
