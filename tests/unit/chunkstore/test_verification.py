"""What verification finds, and that it changes nothing and cries no wolf."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, CorruptIndex, Entry, Limits
from logviewer.chunkstore.findings import Fault, Finding
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.sealed import FRAME_BYTES, compress_frame, pack_seek_table
from logviewer.chunkstore.shapes import Form
from logviewer.chunkstore.verification import Verification
from tests.unit.chunkstore.logs import KEY, err, out
from tests.unit.chunkstore.test_recovery import ENDS, PAYLOAD, flip, write_log

INDEX, TEXT, SEALED = f"{KEY}.idx", f"{KEY}.log", f"{KEY}.log.zst"


def verify(root: Path) -> tuple[list[Finding], Verification]:
    verification = Verification(log_files(root, KEY))
    return list(verification.findings()), verification


def faults(root: Path) -> list[Fault]:
    return [finding.fault for finding in verify(root)[0]]


def write_finished(root: Path) -> None:
    store = ChunkStore(root, fsync="never")
    store.create(KEY)
    for number in range(30):
        store.append(KEY, [out(b"%d " % number * 20_000), err(b"\n")])
    store.finish(KEY)
    store.close()


def seal(root: Path) -> None:
    """Seal as sealed.py describes it, without the store's own sealing."""
    text = (root / TEXT).read_bytes()
    pieces = [text[start : start + FRAME_BYTES] for start in range(0, len(text), FRAME_BYTES)]
    frames = [compress_frame(piece) for piece in pieces]
    sizes = [size for frame, piece in zip(frames, pieces, strict=True) for size in (len(frame), len(piece))]
    (root / SEALED).write_bytes(b"".join(frames) + pack_seek_table(sizes))


@pytest.mark.parametrize("policy", ["never", "always"])
def test_a_whole_log_has_no_findings_and_is_known_to_its_end(tmp_path: Path, policy: str):
    write_log(tmp_path, policy)
    found, verification = verify(tmp_path)
    sha256 = hashlib.sha256(PAYLOAD).hexdigest()
    store = ChunkStore(tmp_path)
    assert found == []
    assert verification.form is Form.PLAIN
    assert verification.digests == (sha256, sha256)
    assert verification.end == store.append(KEY, []).end


def test_notices_belong_to_the_text_and_not_to_the_payload(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"a")], offset=0)
    store.append(KEY, [out(b"b")], offset=1, skip=5)
    finished = store.finish(KEY)
    found, verification = verify(tmp_path)
    assert (found, verification.end) == ([], finished.end)
    assert verification.digests == (None, finished.text_sha256)


def test_an_empty_log_is_whole(store: ChunkStore, tmp_path: Path):
    assert faults(tmp_path) == []


@pytest.mark.bad_input("a text that ends before its index does")
@pytest.mark.parametrize("cut", range(len(PAYLOAD)))
def test_a_text_cut_at_any_byte_is_a_torn_end_and_verification_changes_nothing(tmp_path: Path, cut: int):
    write_log(tmp_path)
    os.truncate(tmp_path / TEXT, cut)
    before = [(path, path.read_bytes()) for path in sorted(tmp_path.rglob("*.*"))]
    found, verification = verify(tmp_path)
    assert [finding.fault for finding in found] == [Fault.TORN]
    assert verification.end is not None
    assert verification.end.received == max(end for end in ENDS if end <= cut)
    assert [(path, path.read_bytes()) for path in sorted(tmp_path.rglob("*.*"))] == before
    assert_recovery_mends(tmp_path)


@pytest.mark.bad_input("an index that ends before its text does")
@pytest.mark.parametrize("cut", range(64, 64 + 5 * 48))
def test_an_index_cut_at_any_byte_is_a_torn_end(tmp_path: Path, cut: int):
    write_log(tmp_path)
    os.truncate(tmp_path / INDEX, cut)
    assert faults(tmp_path) == [Fault.TORN]
    assert_recovery_mends(tmp_path)


@pytest.mark.bad_input("an index cut inside its header")
@pytest.mark.parametrize("cut", range(64))
def test_an_index_cut_inside_its_header_is_unreadable_and_says_so_everywhere(tmp_path: Path, cut: int):
    write_log(tmp_path)
    os.truncate(tmp_path / INDEX, cut)
    store = ChunkStore(tmp_path)
    assert faults(tmp_path) == [Fault.BAD_INDEX]
    with pytest.raises(CorruptIndex, match=f"{cut} bytes"):
        store.reader(KEY)
    assert (tmp_path / TEXT).read_bytes() == PAYLOAD


@pytest.mark.bad_input("an index with a wrong magic, version or record size")
@pytest.mark.parametrize("place", range(16))
def test_an_index_of_another_format_is_left_alone_by_everybody(tmp_path: Path, place: int):
    write_log(tmp_path, "always")
    flip(tmp_path / INDEX, place)
    before = (tmp_path / INDEX).read_bytes()
    store = ChunkStore(tmp_path)
    assert faults(tmp_path) == [Fault.BAD_INDEX]
    for touch in (store.reader, store.create, store.finish, lambda key: store.append(key, [out(b"x")])):
        with pytest.raises(CorruptIndex, match=r"begins with|version|records of"):
            touch(KEY)
    assert (tmp_path / INDEX).read_bytes() == before
    assert (tmp_path / TEXT).read_bytes() == PAYLOAD


@pytest.mark.bad_input("bits flipped in the index")
@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", range(64, 64 + 5 * 48, 7))
def test_any_flipped_bit_of_a_stable_record_is_found_and_where_reading_goes_on(tmp_path: Path, place: int, bit: int):
    write_log(tmp_path, "always")
    flip_bit(tmp_path / INDEX, place, bit)
    record = (place - 64) // 48
    found, verification = verify(tmp_path)
    assert [finding.fault for finding in found] == [Fault.DAMAGED]
    assert found[0].detail.startswith(f"record {record}, from byte {ENDS[record]} ")
    assert found[0].resume_offset == (ENDS[record + 1] if record < 4 else None)
    assert (verification.end, verification.digests) == (None, None)
    if found[0].resume_offset:
        assert_reads_on(tmp_path, found[0].resume_offset)


@pytest.mark.bad_input("bits flipped in the text")
@pytest.mark.parametrize("place", range(len(PAYLOAD)))
def test_any_flipped_bit_of_the_text_is_found(tmp_path: Path, place: int):
    write_log(tmp_path, "always")
    flip_bit(tmp_path / TEXT, place, 5)
    found, _verification = verify(tmp_path)
    assert [finding.fault for finding in found] == [Fault.DAMAGED]
    assert "CRC differs" in found[0].detail


def test_damage_in_several_places_is_named_in_each(tmp_path: Path):
    write_log(tmp_path, "always")
    flip(tmp_path / TEXT, 1)
    flip(tmp_path / INDEX, 64 + 2 * 48)
    flip(tmp_path / INDEX, 64 + 3 * 48)
    found, _verification = verify(tmp_path)
    assert [finding.resume_offset for finding in found] == [ENDS[1], ENDS[4]]
    assert "records 2 to 3" in found[1].detail


@pytest.mark.parametrize("cut", [0, 1, 4, 17])
def test_a_text_that_lost_stable_bytes_is_damaged_not_torn(tmp_path: Path, cut: int):
    write_log(tmp_path, "always")
    os.truncate(tmp_path / TEXT, cut)
    assert faults(tmp_path) == [Fault.DAMAGED]


def test_an_index_that_lost_stable_records_is_short(tmp_path: Path):
    write_log(tmp_path, "always")
    os.truncate(tmp_path / INDEX, 64 + 4 * 48)
    assert faults(tmp_path) == [Fault.SHORT_INDEX]


def test_missing_files_are_told_apart(tmp_path: Path):
    assert faults(tmp_path) == [Fault.MISSING]
    write_log(tmp_path)
    (tmp_path / INDEX).rename(tmp_path / "aside")
    assert faults(tmp_path) == [Fault.NO_INDEX]
    (tmp_path / "aside").rename(tmp_path / INDEX)
    (tmp_path / TEXT).unlink()
    assert faults(tmp_path) == [Fault.NO_TEXT]


def test_a_sealed_log_is_decoded_wholly(tmp_path: Path):
    write_finished(tmp_path)
    _found, plain = verify(tmp_path)
    seal(tmp_path)
    assert faults(tmp_path) == [Fault.TEXT_LEFT]
    (tmp_path / TEXT).unlink()
    found, verification = verify(tmp_path)
    assert (found, verification.form) == ([], Form.SEALED)
    assert (verification.end, verification.digests) == (plain.end, plain.digests)
    assert verification.stored_bytes == (tmp_path / SEALED).stat().st_size


@pytest.mark.bad_input("a damaged sealed file")
@pytest.mark.parametrize("place", [0, 5, 100, -1, -9, -20])
def test_a_damaged_sealed_file_is_found_wherever_it_is(tmp_path: Path, place: int):
    write_finished(tmp_path)
    seal(tmp_path)
    (tmp_path / TEXT).unlink()
    flip(tmp_path / SEALED, place % (tmp_path / SEALED).stat().st_size)
    found, verification = verify(tmp_path)
    assert len(found) == 1
    assert found[0].fault in (Fault.SEALED, Fault.DAMAGED)
    if found[0].fault is Fault.DAMAGED:
        assert found[0].resume_offset is not None
        assert found[0].resume_offset >= FRAME_BYTES
    assert verification.digests is None


@pytest.mark.bad_input("a damaged sealed file")
def test_a_sealed_file_of_another_log_is_found(tmp_path: Path):
    write_finished(tmp_path)
    seal(tmp_path)
    other = (tmp_path / SEALED).read_bytes()
    (tmp_path / SEALED).unlink()
    (tmp_path / TEXT).write_bytes((tmp_path / TEXT).read_bytes() + b"more")
    seal(tmp_path)
    (tmp_path / TEXT).unlink()
    assert faults(tmp_path) == [Fault.SEALED_DIFFERS]
    (tmp_path / SEALED).write_bytes(other)
    assert faults(tmp_path) == []


def test_a_log_that_was_sealed_after_its_index_was_copied_is_told(tmp_path: Path):
    write_finished(tmp_path)
    seal(tmp_path)
    index = (tmp_path / INDEX).read_bytes()
    (tmp_path / INDEX).write_bytes(index[:16] + bytes(8) + index[24 : 64 + 20 * 48])  # as it was before the finish
    assert faults(tmp_path) == [Fault.TORN, Fault.SEALED_EARLY]
    (tmp_path / TEXT).unlink()
    assert faults(tmp_path) == [Fault.SEALED_EARLY]


def test_a_log_that_is_being_written_is_whole_at_every_look(tmp_path: Path):
    store = ChunkStore(tmp_path, fsync="interval", sync_interval_seconds=0.001)
    store.create(KEY)
    seen_enough = threading.Event()

    def write() -> None:
        number = 0
        while not seen_enough.is_set():
            number += 1
            store.append(KEY, [out(b"%d\n" % number * 50), err(b"x" * number)])

    writer = threading.Thread(target=write)
    writer.start()
    sizes: list[int] = []
    try:
        while len(set(sizes)) < 5:
            found, verification = verify(tmp_path)
            assert found == []
            assert verification.end is not None
            sizes.append(verification.end.size)
    finally:
        seen_enough.set()
        writer.join()
        store.close()
    assert sizes == sorted(sizes)


def flip_bit(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def assert_recovery_mends(root: Path) -> None:
    store = ChunkStore(root, fsync="never")
    store.append(KEY, [])
    store.close()
    assert faults(root) == []


def assert_reads_on(root: Path, offset: int) -> None:
    store = ChunkStore(root)
    with store.reader(KEY) as reader:
        frame = reader.frame(offset)
    store.close()
    assert frame is not None
    assert frame.data == PAYLOAD[offset : frame.end]


def test_a_log_past_its_limit_is_whole_before_and_after_its_finish(store: ChunkStore, tmp_path: Path):
    limits = Limits(100, 50)
    for number in range(60):
        store.append(KEY, [out(b"line %d\n" % number), err(b"oops\n"), Entry(2, b"header\n")], limits=limits)
    found, verification = verify(tmp_path)
    assert (found, verification.end) == ([], store.append(KEY, [], limits=limits).end)
    finished = store.finish(KEY)
    found, verification = verify(tmp_path)
    assert (found, verification.end) == ([], finished.end)
    assert verification.digests == (finished.sha256, finished.text_sha256)


def test_a_tail_that_fills_the_gap_leaves_nothing_omitted(store: ChunkStore, tmp_path: Path):
    limits = Limits(100, 50)
    payload = b"x" * 99 + b"\n" + b"y" * 39 + b"\n"
    store.append(KEY, [out(payload)], limits=limits)
    finished = store.finish(KEY, len(payload), hashlib.sha256(payload).hexdigest())
    found, verification = verify(tmp_path)
    assert finished.end.omitted == 0
    assert (found, verification.end) == ([], finished.end)
    assert verification.digests == (finished.sha256, finished.text_sha256)


@pytest.mark.parametrize("place", range(64, 64 + 12 * 48, 5))
def test_damage_to_a_log_past_its_limit_is_found_and_passed_over(tmp_path: Path, place: int):
    store = ChunkStore(tmp_path, fsync="always")
    store.create(KEY)
    for number in range(4):
        store.append(KEY, [out(b"line %d %s\n" % (number, b"x" * 40))], limits=Limits(100, 50))
    store.finish(KEY)
    store.close()
    size = (tmp_path / INDEX).stat().st_size
    place = 64 + (place - 64) % (size - 64)
    flip(tmp_path / INDEX, place)
    found, _verification = verify(tmp_path)
    assert [finding.fault for finding in found] == [Fault.DAMAGED]
    assert found[0].detail.startswith(f"record {(place - 64) // 48}, ")
