"""Lighthouse on the pages that people come to most: what keeps people out, and what browsers frown on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lighthouse import PAGES, fill, look_at, why_missing
from tests.browser.site import Site, serving
from tests.services import missing

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEAST_SCORE = 95


@pytest.fixture(scope="module")
def filled_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if (why := why_missing()) is not None:
        missing("Lighthouse", why)
    with serving(tmp_path_factory.mktemp("lighthouse")) as site:
        fill(site)
        yield site


@pytest.mark.parametrize("page", PAGES)
def test_lighthouse_is_content_with(filled_site: Site, chromium: Path, page: str) -> None:
    report = look_at(filled_site.url + PAGES[page], chromium, ["accessibility", "best-practices"])
    assert min(report.scores.values()) >= LEAST_SCORE, (report.scores, report.faults)
