from collections.abc import Iterator
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore
from logviewer.insight import search
from logviewer.insight.remembered import Remembered
from tests.unit.chunkstore.logs import KEY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChunkStore]:
    store = ChunkStore(tmp_path)
    store.create(KEY)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "remembered", Remembered())
