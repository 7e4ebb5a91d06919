"""The machine loses power: what was synced is there, and of the rest each page of each file is as it was at some time.

A file system may write pages back in any order and has only some of them on the disk when the power goes: here each
page of each file, by itself, is taken from any moment since the sync, and the file's length likewise.
"""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, Entry, Limits
from logviewer.chunkstore.limits import NO_LIMITS
from tests import independent_reader
from tests.unit.chunkstore import killed_writers
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import KEY
from tests.unit.chunkstore.test_kills import expected

PAGE_BYTES = 4096
TAIL_FOLLOWS = b"\nFinal "
SUFFIXES = (".log", ".idx", ".tail")
LIMITS = Limits(max_bytes=20_000, max_tail_bytes=6_000)
Files = dict[str, bytes]


@contextmanager
def temporary_root() -> Iterator[Path]:
    """A directory for one example."""
    root = Path(tempfile.mkdtemp())
    try:
        yield root
    finally:
        shutil.rmtree(root)


def files_of(root: Path) -> Files:
    paths = [(suffix, root / f"{KEY}{suffix}") for suffix in SUFFIXES]
    return {suffix: path.read_bytes() for suffix, path in paths if path.exists()}


def write_history(root: Path, synced_bodies: int, more_bodies: int, limits: Limits = NO_LIMITS) -> list[Files]:
    """Write a log whose first bodies are synced; return the files as they were then and after each further body."""
    store = ChunkStore(root, fsync="never")
    store.create(KEY)
    for number in range(synced_bodies):
        if number == synced_bodies - 1:
            store.close()
            store = ChunkStore(root, fsync="always")
        store.append(KEY, killed_writers.body(number), limits=limits)
    store.close()
    store = ChunkStore(root, fsync="never")
    history = [files_of(root)]
    for number in range(synced_bodies, synced_bodies + more_bodies):
        store.append(KEY, killed_writers.body(number), limits=limits)
        history.append(files_of(root))
    store.close()
    return history


def lose_power(root: Path, history: list[Files], chance: random.Random) -> None:
    """Leave each file with any mixture of pages of its history; zeros are what a page has that never was written."""
    for suffix in SUFFIXES:
        versions = [files[suffix] for files in history if suffix in files]
        if not versions:
            continue
        versions = [version for version in versions if versions[-1].startswith(version)]  # not of a file replaced since
        length = chance.choice([len(chance.choice(versions)), chance.randint(len(versions[0]), len(versions[-1]))])
        stays = chance.random()
        pages = b""
        for start in range(0, length, PAGE_BYTES):
            version = versions[-1] if chance.random() < stays else chance.choice(versions)
            pages += version[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\0")
        (root / f"{KEY}{suffix}").write_bytes(pages[:length])


@given(synced_bodies=st.integers(0, 6), more_bodies=st.integers(1, 8), seed=st.integers(0, 2**32), reads=st.booleans())
@settings(deadline=None, max_examples=100)
def test_what_was_synced_is_there_and_the_rest_is_a_beginning(
    synced_bodies: int, more_bodies: int, seed: int, reads: bool
):
    with temporary_root() as root:
        history = write_history(root, synced_bodies, more_bodies)
        lose_power(root, history, random.Random(seed))
        store = ChunkStore(root)
        if reads:  # a reader may be the first to meet the log
            with store.reader(KEY) as reader:
                assert reader.end().size <= len(history[-1][".log"])
        received = store.append(KEY, []).received
        assert received >= killed_writers.size(killed_writers.payload(synced_bodies))
        assert independent_reader.read(root, KEY).runs == expected(received)
        assert_agreement(store, KEY)

        whole = killed_writers.payload(synced_bodies + more_bodies)
        assert store.append(KEY, whole, offset=0).received == killed_writers.size(whole)
        payload = b"".join(entry.data for entry in whole)
        assert store.finish(KEY, len(payload), hashlib.sha256(payload).hexdigest()).verified
        assert assert_agreement(store, KEY).payload == payload
        store.close()


@given(synced_bodies=st.integers(6, 14), more_bodies=st.integers(1, 8), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_a_limited_log_keeps_its_head_and_what_was_synced_of_its_tail(synced_bodies: int, more_bodies: int, seed: int):
    with temporary_root() as root:
        history = write_history(root, synced_bodies, more_bodies, LIMITS)
        lose_power(root, history, random.Random(seed))
        store = ChunkStore(root)
        received = store.append(KEY, []).received
        synced = killed_writers.payload(synced_bodies)
        assert received >= killed_writers.size(synced)
        assert_agreement(store, KEY)
        resent = received > killed_writers.size(synced)
        if resent:
            synced = killed_writers.payload(synced_bodies + more_bodies)
            assert store.append(KEY, synced, offset=0, limits=LIMITS).received == killed_writers.size(synced)
        store.finish(KEY, killed_writers.size(synced))
        found, whole = (assert_agreement(store, key) for key in (KEY, undisturbed(store, synced)))
        assert found.received == whole.received
        head, _, ending = found.text.partition(TAIL_FOLLOWS)
        whole_head, _, whole_ending = whole.text.partition(TAIL_FOLLOWS)
        assert head == whole_head
        tail, whole_tail = ending.partition(b":\n")[2], whole_ending.partition(b":\n")[2]
        if not resent:
            assert whole_tail.endswith(tail)
            if history[-1][".tail"].startswith(history[0][".tail"]):  # else made anew since, to have room for more
                assert tail == whole_tail
        store.close()


def undisturbed(store: ChunkStore, entries: list[Entry]) -> str:
    """The key of a log of these entries to which nothing ever happened."""
    store.create("undisturbed")
    store.append("undisturbed", entries, limits=LIMITS)
    store.finish("undisturbed")
    return "undisturbed"


@pytest.mark.parametrize("lost_bytes", [1, 100, PAGE_BYTES, 10 * PAGE_BYTES])
def test_losing_what_was_synced_is_told_apart(tmp_path: Path, lost_bytes: int):
    history = write_history(tmp_path, 6, 0)
    text = history[0][".log"]
    (tmp_path / f"{KEY}.log").write_bytes(text[: len(text) - lost_bytes])
    with pytest.raises(AssertionError):
        independent_reader.read(tmp_path, KEY)
