from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import ChunkStore, NoSuchLog
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.killed import vanish


@pytest.fixture(autouse=True)
def stores_end_with_their_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what dropped stores leave open: tests drop them as a killed process does, which leaves nothing open."""
    made: list[ChunkStore] = []
    make = ChunkStore.__init__

    def remember(store: ChunkStore, *args: Any, **options: Any) -> None:
        made.append(store)
        make(store, *args, **options)

    monkeypatch.setattr(ChunkStore, "__init__", remember)
    yield
    for store in made:
        vanish(store)


@pytest.fixture
def read_independently_afterwards(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """After the test, and whatever repairs a new process makes, the independent reader agrees with the store.

    For the crash suite. A test that is marked `damaged` leaves behind what no reader takes.
    """
    yield
    monkeypatch.undo()
    if request.node.get_closest_marker("damaged"):
        return
    store = ChunkStore(tmp_path)
    for index in sorted(tmp_path.rglob("*.idx")):
        key = str(index.relative_to(tmp_path).with_suffix(""))
        with suppress(NoSuchLog):
            store.append(key, [])
            assert_agreement(store, key)
    store.close()
