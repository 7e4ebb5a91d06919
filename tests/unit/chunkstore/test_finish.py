import hashlib
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Mismatch, NoSuchLog
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import KEY, err, out


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_finish_that_agrees_is_verified_and_ends_the_log(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc\n"), err(b"def")])
    finished = store.finish(KEY, 7, sha256(b"abc\ndef").upper())

    assert finished.verified
    assert finished.sha256 == finished.text_sha256 == sha256(b"abc\ndef")
    assert finished.end.finished
    assert finished.end[:3] == (7, 2, 7)
    *_others, last = plain_format.extents(tmp_path, KEY)
    assert last[:3] == (7, 1, 7)
    assert last[4:] == (2, 0b10, b"")
    assert last.time_us > 1_600_000_000_000_000


@pytest.mark.parametrize(("received", "digest"), [(None, None), (3, None), (None, sha256(b"abc"))])
def test_a_finish_without_count_and_hash_is_not_verified(store: ChunkStore, received: int | None, digest: str | None):
    store.append(KEY, [out(b"abc")])
    assert not store.finish(KEY, received, digest).verified


def test_an_empty_log_can_be_finished_and_verified(store: ChunkStore):
    assert store.finish(KEY, 0, sha256(b"")).verified


@pytest.mark.parametrize(
    ("received", "digest"), [(2, None), (2, sha256(b"abc")), (3, sha256(b"abd")), (4, sha256(b"x"))]
)
def test_a_finish_that_differs_leaves_the_log_open(
    store: ChunkStore, tmp_path: Path, received: int, digest: str | None
):
    store.append(KEY, [out(b"abc")])
    with pytest.raises(Mismatch) as caught:
        store.finish(KEY, received, digest)
    error = caught.value
    assert (error.expected_received, error.expected_sha256) == (received, digest)
    assert (error.received, error.sha256) == (3, sha256(b"abc"))
    assert store.append(KEY, [out(b"d")], offset=3).received == 4
    assert len(plain_format.extents(tmp_path, KEY)) == 2


def test_what_one_store_has_written_is_not_read_again_at_the_finish(store: ChunkStore, monkeypatch: pytest.MonkeyPatch):
    store.append(KEY, [out(b"abc\n"), err(b"def")])
    with monkeypatch.context() as patched:
        patched.setattr("logviewer.chunkstore.digest.SLAB_BYTES", None)  # whoever reads the text compares with it
        assert store.finish(KEY, 7, sha256(b"abc\ndef")).verified


@pytest.mark.parametrize("first_size", [0, 3])
def test_a_log_that_two_stores_have_written_in_turn_is_hashed_whole(store: ChunkStore, tmp_path: Path, first_size: int):
    other = ChunkStore(tmp_path)
    pieces = [bytes([97 + number]) * (first_size + number) for number in range(6)]
    for number, piece in enumerate(pieces):
        (store, other)[number % 2].append(KEY, [out(piece)])
    whole = b"".join(pieces)
    assert store.finish(KEY, len(whole), sha256(whole)).verified
    other.close()


def test_a_finish_that_differs_goes_through_unverified(store: ChunkStore):
    store.append(KEY, [out(b"abc")])
    finished = store.finish(KEY, 4, sha256(b"abcd"), unverified=True)
    assert finished.end.finished
    assert not finished.verified
    assert finished.sha256 == sha256(b"abc")


def test_a_finish_may_be_repeated_with_the_same_outcome(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")])
    first = store.finish(KEY, 3, sha256(b"abc"))
    size = (tmp_path / f"{KEY}.idx").stat().st_size
    assert store.finish(KEY, 3, sha256(b"abc")) == first
    again = ChunkStore(tmp_path)
    assert again.finish(KEY, 3, sha256(b"abc")) == first
    again.close()
    assert (tmp_path / f"{KEY}.idx").stat().st_size == size
    with pytest.raises(Mismatch):
        store.finish(KEY, 2)
    assert not store.finish(KEY, 2, unverified=True).verified


def test_a_log_that_lost_bytes_has_no_hash_of_its_payload(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"abc")], offset=0)
    store.append(KEY, [out(b"def")], offset=3, skip=10)
    with pytest.raises(Mismatch):
        store.finish(KEY, 6, sha256(b"abcdef"))
    finished = store.finish(KEY, 16, sha256(b"abc0123456789def"))
    assert finished.sha256 is None
    assert not finished.verified
    assert finished.end.omitted == 10
    assert finished.text_sha256 == sha256((tmp_path / f"{KEY}.log").read_bytes())


def test_hashes_of_a_log_of_many_slabs_are_right(store: ChunkStore):
    payload = bytes(range(256)) * 4096 * 3 + b"rest"
    for start in range(0, len(payload), 1_000_000):
        store.append(KEY, [out(payload[start : start + 1_000_000])], offset=start)
    assert store.finish(KEY, len(payload), sha256(payload)).verified


def test_a_finish_puts_the_log_on_stable_storage_whatever_the_policy(tmp_path: Path):
    store = ChunkStore(tmp_path, fsync="never")
    store.create(KEY)
    store.append(KEY, [out(b"abc")])
    assert plain_format.synced(tmp_path, KEY) == 0
    store.finish(KEY)
    assert plain_format.synced(tmp_path, KEY) == 2


def test_what_is_not_there_cannot_be_finished(store: ChunkStore):
    with pytest.raises(NoSuchLog):
        store.finish("other")
