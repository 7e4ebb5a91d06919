"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logviewer.live.store import chunk_store

pytest_plugins = ["tests.services", "tests.object_store", "tests.archives"]


@pytest.fixture(autouse=True)
def logs_dir(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A chunk store of its own for each test: a database that is rolled back gives out the same ids again."""
    settings.LOGS_DIR = tmp_path / "logs"
    chunk_store.cache_clear()
    yield settings.LOGS_DIR
    if chunk_store.cache_info().currsize:
        chunk_store().close()
    chunk_store.cache_clear()
