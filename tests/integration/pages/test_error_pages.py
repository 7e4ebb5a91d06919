"""When something goes wrong the page is still the site's own."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client

from logviewer.pages import visible
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("the secret reason"), 500, "Something broke on our side"),
        (PermissionDenied("the secret reason"), 403, "You may not do that"),
        (SuspiciousOperation("the secret reason"), 400, "The server did not understand that"),
    ],
)
def test_an_error_has_a_page_that_tells_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(visible, "projects", fail)
    make_project()
    answer = Client(raise_request_exception=False).get("/p/demo/")
    page = answer.content.decode()
    assert answer.status_code == status
    assert words in page
    assert "secret reason" not in page
    assert "css/base.css" in page


def test_a_form_from_elsewhere_gets_the_sites_own_page() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ada"})
    assert answer.status_code == 403
    assert "That form is no longer good" in answer.content.decode()
