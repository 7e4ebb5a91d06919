"""What pages say of retention, and what they note for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from logviewer.live.viewings import PRECISION
from logviewer.models import Build, Builder, Project
from tests.factories import make_build, make_log, make_project

pytestmark = pytest.mark.django_db


def test_a_projects_page_says_how_long_builds_are_kept(client: Client) -> None:
    make_project()
    assert "All builds are kept." in client.get("/p/demo/").content.decode()
    Project.objects.update(keep_days=30, keep_successful=5)
    page = client.get("/p/demo/").content.decode()
    assert "Builds are kept for 30 days. The last 5 successful ones of each builder and pinned ones always" in page


def test_a_builders_page_says_what_holds_for_it(client: Client) -> None:
    make_build()
    assert "are kept" not in client.get("/p/demo/linux/").content.decode()
    Project.objects.update(keep_days=30)
    Builder.objects.update(keep_builds=10)
    page = client.get("/p/demo/linux/").content.decode()
    assert "Builds are kept for 30 days. The last 10 builds and pinned ones always stay." in page


@pytest.mark.parametrize("address", ["/p/demo/linux/1/", "/p/demo/linux/1/compile/stdio/"])
def test_that_a_build_was_looked_at_is_written_once_an_hour(client: Client, address: str) -> None:
    make_log()
    client.get(address)
    first = Build.objects.get().viewed_at
    assert first is not None
    client.get(address)
    assert Build.objects.get().viewed_at == first
    Build.objects.update(viewed_at=timezone.now() - PRECISION - timedelta(seconds=1))
    client.get(address)
    assert Build.objects.get().viewed_at >= first


def test_a_time_from_before_the_clock_went_back_is_put_right(client: Client) -> None:
    make_log()
    Build.objects.update(viewed_at=timezone.now() + timedelta(days=400))
    client.get("/p/demo/linux/1/")
    viewed_at = Build.objects.get().viewed_at
    assert viewed_at is not None
    assert viewed_at <= timezone.now()
