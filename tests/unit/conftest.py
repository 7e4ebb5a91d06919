from collections.abc import Iterator
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore
from tests.unit.chunkstore.logs import KEY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChunkStore]:
    """A store with one empty log."""
    store = ChunkStore(tmp_path)
    store.create(KEY)
    yield store
    store.close()
