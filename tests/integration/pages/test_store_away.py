"""Pages of a log whose text cannot be had: they say why, and everything else is there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from logviewer.chunkstore import ArchiveAway, CorruptIndex
from logviewer.live import chunk_store
from logviewer.models import LogFile
from tests.factories import make_log

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> LogFile:
    return make_log()


@pytest.mark.parametrize("page", ["log", "build"])
def test_a_page_says_that_the_store_is_away_and_nothing_of_where_it_is(
    client: Client, log: LogFile, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def away(_key: str) -> Any:
        raise ArchiveAway(f"{log.key}.idx", "the log store s3://secret-bucket: it does not answer")

    monkeypatch.setattr(chunk_store(), "reader", away)
    answer = client.get(address(log, page))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "This log lies in another store, which does not answer at the moment. Nothing is lost" in text
    assert "Refresh" in text
    assert "secret-bucket" not in text


def test_a_page_of_a_damaged_log_says_that_it_cannot_be_read(
    client: Client, log: LogFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def damaged(_key: str) -> Any:
        raise CorruptIndex(tmp_path / "secret.idx", "the header is none")

    monkeypatch.setattr(chunk_store(), "reader", damaged)
    text = client.get(address(log, "log")).content.decode()
    assert "This log is damaged on the server: the header is none." in text
    assert "secret.idx" not in text


def address(log: LogFile, page: str) -> str:
    return log.get_absolute_url() if page == "log" else log.step.build.get_absolute_url()
