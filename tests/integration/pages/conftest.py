"""What the tests of the pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import SettingsWrapper

from logviewer.live.store import chunk_store


@pytest.fixture(autouse=True)
def empty_store(settings: SettingsWrapper, tmp_path: Path) -> Iterator[None]:
    """A chunk store of each test's own: ids, and so storage keys, come again when a test is rolled back."""
    settings.LOGS_DIR = tmp_path
    chunk_store.cache_clear()
    yield
    chunk_store().close()
    chunk_store.cache_clear()
