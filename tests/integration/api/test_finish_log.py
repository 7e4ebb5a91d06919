"""POST /logs/{id}/finish."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from logviewer.chunkstore import Entry
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from tests.factories import make_log, make_token
from tests.integration.api.client import ApiClient, stored

TEXT = b"one\ntwo"
SHA256 = hashlib.sha256(TEXT).hexdigest()
OTHER_SHA256 = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


@pytest.fixture
def log(db: None) -> LogFile:
    """An open log that holds TEXT."""
    log = make_log()
    chunk_store().append(log.key, [Entry(0, TEXT, None)])
    return log


def test_a_log_whose_count_and_hash_agree_is_verified(writer: ApiClient, log: LogFile) -> None:
    answer = writer.post(f"/logs/{log.pk}/finish", {"received": len(TEXT), "sha256": SHA256})
    assert answer.status == 200
    expected = {
        **{"state": "finished", "completeness": "verified", "size": 7, "lines": 2, "received": 7, "omitted": 0},
        **{"sha256": SHA256, "text_sha256": SHA256},
    }
    assert answer.json | expected == answer.json
    assert answer.json["finished_at"] >= answer.json["started_at"]
    assert writer.get(f"/logs/{log.pk}").json == answer.json


@pytest.mark.parametrize("body", [None, {}, {"received": None, "sha256": None}, {"received": 7}], ids=str)
def test_a_log_finished_without_both_is_unverified(
    writer: ApiClient, log: LogFile, body: dict[str, Any] | None
) -> None:
    answer = writer.post(f"/logs/{log.pk}/finish", body)
    assert (answer.status, answer.json["state"], answer.json["completeness"]) == (200, "finished", "unverified")


def test_a_hash_may_be_written_in_capitals(writer: ApiClient, log: LogFile) -> None:
    answer = writer.post(f"/logs/{log.pk}/finish", {"received": 7, "sha256": SHA256.upper()})
    assert answer.json["completeness"] == "verified"


@pytest.mark.bad_input("a count or hash that differs")
@pytest.mark.parametrize(
    "said", [{"received": 8, "sha256": SHA256}, {"received": 7, "sha256": OTHER_SHA256}, {"received": 0}], ids=str
)
def test_where_they_differ_both_values_are_told_and_the_log_stays_open(
    writer: ApiClient, log: LogFile, said: dict[str, Any]
) -> None:
    before = stored()
    answer = writer.post(f"/logs/{log.pk}/finish", said)
    assert answer.problem() == (409, "mismatch")
    assert answer.json["received"] == 7
    assert answer.json["expected"]["received"] == said["received"]
    if "sha256" in said:
        assert (answer.json["sha256"], answer.json["expected"]["sha256"]) == (SHA256, said["sha256"])
    assert writer.get(f"/logs/{log.pk}").json["state"] == "open"
    assert stored() == before


def test_with_unverified_it_is_finished_all_the_same_and_says_so(writer: ApiClient, log: LogFile) -> None:
    answer = writer.post(f"/logs/{log.pk}/finish", {"received": 8, "sha256": SHA256, "unverified": True})
    assert (answer.status, answer.json["state"], answer.json["completeness"]) == (200, "finished", "unverified")


def test_finishing_again_gives_the_same(writer: ApiClient, log: LogFile) -> None:
    body = {"received": 7, "sha256": SHA256}
    first = writer.post(f"/logs/{log.pk}/finish", body)
    before = stored()
    again = writer.post(f"/logs/{log.pk}/finish", body)
    assert (again.status, again.json) == (200, first.json)
    assert stored() == before


def test_a_finished_log_is_still_a_mismatch_where_the_values_differ(writer: ApiClient, log: LogFile) -> None:
    writer.post(f"/logs/{log.pk}/finish", {"received": 7, "sha256": SHA256})
    assert writer.post(f"/logs/{log.pk}/finish", {"received": 9}).problem() == (409, "mismatch")


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"received": -1}, "received"),
        ({"received": "7"}, "received"),
        ({"received": 7.5}, "received"),
        ({"received": 2**63}, "received"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": SHA256 + "\n"}, "sha256"),
        ({"sha256": "g" * 64}, "sha256"),
        ({"sha256": 7}, "sha256"),
        ({"unverified": "yes"}, "unverified"),
        ({"unverified": 1}, "unverified"),
        ({"size": 7}, "size"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_value_is_refused_and_the_log_stays_open(
    writer: ApiClient, log: LogFile, body: dict[str, Any], field: str
) -> None:
    before = stored()
    answer = writer.post(f"/logs/{log.pk}/finish", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert writer.get(f"/logs/{log.pk}").json["state"] == "open"
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
@pytest.mark.parametrize("log_id", [999, 2**63, 10**30])
def test_an_unknown_log_is_not_found(writer: ApiClient, log_id: int) -> None:
    assert writer.post(f"/logs/{log_id}/finish", {}).problem() == (404, "not-found")
