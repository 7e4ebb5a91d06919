"""GET /logs/{id}."""

from __future__ import annotations

import pytest
from django.conf import settings

from logviewer.chunkstore import Entry
from logviewer.live.store import chunk_store
from tests.factories import make_log
from tests.integration.api.client import ApiClient


def test_an_open_log_stands_as_the_store_says_not_the_database(api: ApiClient) -> None:
    log = make_log(size=1, lines=1, received=1)
    chunk_store().append(log.key, [Entry(0, b"one\n", None), Entry(1, b"tw", None)])
    answer = api.get(f"/logs/{log.pk}")
    assert answer.status == 200
    expected = {"size": 6, "lines": 2, "received": 6, "state": "open", "completeness": None}
    assert answer.json | expected == answer.json


def test_a_log_that_the_store_knows_to_be_finished_is_shown_so_before_the_database_has_heard(api: ApiClient) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(0, b"one\n", None)])
    chunk_store().finish(log.key)
    shown = api.get(f"/logs/{log.pk}").json
    assert (shown["state"], shown["size"], shown["completeness"]) == ("finished", 4, "unverified")
    assert shown["finished_at"] is not None


def test_a_finished_log_stands_as_the_database_says(api: ApiClient) -> None:
    log = make_log(state="finished", size=12, lines=3, received=12, completeness="verified", file=False)
    shown = api.get(f"/logs/{log.pk}").json
    assert (shown["state"], shown["size"], shown["lines"], shown["completeness"]) == ("finished", 12, 3, "verified")


def test_a_log_without_a_file_is_empty(api: ApiClient) -> None:
    log = make_log(file=False, size=5)
    assert api.get(f"/logs/{log.pk}").json["size"] == 0


def test_a_log_that_was_given_up_is_shown_so(api: ApiClient) -> None:
    assert api.get(f"/logs/{make_log(state='abandoned').pk}").json["state"] == "abandoned"


def test_a_log_whose_index_is_damaged_is_still_shown(api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    log = make_log(size=5)
    (settings.LOGS_DIR / f"{log.key}.idx").write_bytes(b"not an index at all, but long enough to be looked at" * 10)
    answer = api.get(f"/logs/{log.pk}")
    assert (answer.status, answer.json["size"]) == (200, 5)
    assert "index cannot be read" in caplog.text


@pytest.mark.parametrize("log_id", [999, 2**63 - 1, 2**63, 10**30])
def test_an_unknown_log_is_not_found(api: ApiClient, log_id: int) -> None:
    assert api.get(f"/logs/{log_id}").problem() == (404, "not-found")
