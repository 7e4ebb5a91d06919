"""The independent reader itself: it must see whatever is wrong, or its agreement says nothing."""

import subprocess
from pathlib import Path

import pytest
import zstandard

from logviewer.chunkstore import ChunkStore
from tests import independent_reader
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import KEY, err, out


@pytest.fixture
def log(store: ChunkStore) -> str:
    store.append(KEY, [out(b"one\n", 5), err(b"two\n", 6)], offset=0)
    store.append(KEY, [out(b"three\n")], offset=8, skip=10)
    store.finish(KEY)
    return KEY


def test_what_a_log_holds_is_read(store: ChunkStore, log: str):
    found = assert_agreement(store, log)
    notice = b"\n10 bytes of output were lost by the build machine here\n"
    assert found.runs == [(0, b"one\n"), (1, b"two\n"), (2, notice), (0, b"three\n")]
    assert found.payload == b"one\ntwo\nthree\n"
    assert (found.received, found.omitted, found.finished, found.lines) == (24, 10, True, 5)
    assert found.sha256 is None
    assert [extent.time_us for extent in found.extents[:2]] == [5, 6]
    assert [extent.flags for extent in found.extents] == [0, 0, 5, 0, 2]


@pytest.mark.parametrize("suffix", [".log", ".idx"])
def test_a_flipped_bit_anywhere_is_seen(tmp_path: Path, log: str, suffix: str):
    path = tmp_path / f"{KEY}{suffix}"
    whole = path.read_bytes()
    for place in range(len(whole)):
        if suffix == ".idx" and 16 <= place < 24:  # `synced` is no one's but the store's: any number up to the records'
            continue
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(AssertionError):
            independent_reader.extents(tmp_path, KEY)


@pytest.mark.parametrize("suffix", [".log", ".idx"])
def test_a_file_that_was_cut_is_seen(tmp_path: Path, log: str, suffix: str):
    path = tmp_path / f"{KEY}{suffix}"
    whole = path.read_bytes()
    for size in range(len(whole)):
        if suffix == ".idx" and size == len(whole) - 48:  # all but the end record: a log that is open
            continue
        path.write_bytes(whole[:size])
        with pytest.raises(AssertionError):
            independent_reader.extents(tmp_path, KEY)


def test_the_stock_zstd_command_restores_a_sealed_log(store: ChunkStore, tmp_path: Path, zstd_command: str):
    text = b"".join(b"line %d of more than one frame\n" % number for number in range(100_000))
    store.append(KEY, [out(text)], offset=0)
    store.finish(KEY)
    store.seal(KEY)
    sealed = tmp_path / f"{KEY}.log.zst"
    subprocess.run([zstd_command, "-d", "-q", str(sealed), "-o", str(tmp_path / "restored")], check=True)
    assert (tmp_path / "restored").read_bytes() == text
    assert len(independent_reader.seek_table(sealed.read_bytes())) > 1
    assert assert_agreement(store, KEY).text == text


def test_a_flipped_byte_of_a_sealed_log_is_seen(store: ChunkStore, tmp_path: Path, log: str):
    store.seal(log)
    path = tmp_path / f"{log}.log.zst"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        with pytest.raises((AssertionError, zstandard.ZstdError)):
            independent_reader.extents(tmp_path, log)
