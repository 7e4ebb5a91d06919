"""Pages whose database does not answer say so, and nothing of why."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_page_is_503_and_names_neither_host_nor_user(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away(*_arguments: object, **_values: object) -> None:
        raise error("connection to server at db.internal failed for user ann")

    monkeypatch.setattr("logviewer.pages.visible.visible_projects", away)
    answer = client.get("/")
    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["Cache-Control"]) == (
        503,
        "2",
        "no-store",
    )
    assert "The database does not answer" in text
    assert "db.internal" not in text
    assert "ann" not in text


def test_any_other_fault_is_still_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_values: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("logviewer.pages.visible.visible_projects", broken)
    client.raise_request_exception = False
    assert client.get("/").status_code == 500
