"""The sealed text: any range of it, and what is refused."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logviewer.chunkstore import CorruptSealed
from logviewer.chunkstore.sealed import FRAME_BYTES, SealedText, compress_frame, pack_seek_table
from tests.unit.chunkstore.sealed_format import Memory, frame, restored_by_zstd, seal, table

TEXT = random.Random(8).randbytes(2500)
PIECES = [TEXT[:1000], TEXT[1000:2000], TEXT[2000:]]
SEALED = seal(PIECES)


def sealed_text(data: bytes) -> SealedText:
    return SealedText(Memory(data), "demo/log.log.zst")


def read_all(data: bytes) -> bytes:
    text = sealed_text(data)
    return text.read(0, text.size() + 1)


@given(
    text=st.binary(max_size=400),
    frame_bytes=st.integers(1, 150),
    reads=st.lists(st.tuples(st.integers(0, 450), st.integers(0, 450)), max_size=8),
)
def test_any_range_of_any_text_reads_as_of_the_text_itself(
    text: bytes, frame_bytes: int, reads: list[tuple[int, int]]
) -> None:
    source = sealed_text(seal([text[at : at + frame_bytes] for at in range(0, len(text), frame_bytes)]))
    assert source.size() == len(text)
    for offset, length in reads:
        assert source.read(offset, length) == text[offset : offset + length]


def test_a_table_with_checksums_is_read_as_well() -> None:
    frames = [frame(piece) for piece in PIECES]
    sizes = [(len(made), len(piece), 77) for made, piece in zip(frames, PIECES, strict=True)]
    assert read_all(b"".join(frames) + table(sizes, flags=0x80)) == TEXT


def test_what_the_store_writes_is_of_the_format() -> None:
    made = compress_frame(TEXT)
    assert made + pack_seek_table([len(made), len(TEXT)]) == made + table([(len(made), len(TEXT))])
    assert pack_seek_table([]) == table([])
    assert made[4] & 0b100  # RFC 8878, frame header descriptor: the content has a checksum


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES, FRAME_BYTES + 1])
def test_the_stock_zstd_command_restores_it(tmp_path: Path, size: int) -> None:
    text = (b"compiling %d\n" * (size // 10 + 1))[:size]
    frames = [compress_frame(text[at : at + FRAME_BYTES]) for at in range(0, size, FRAME_BYTES)]
    sizes = [part for at, made in enumerate(frames) for part in (len(made), min(FRAME_BYTES, size - at * FRAME_BYTES))]
    path = tmp_path / "text.log.zst"
    path.write_bytes(b"".join(frames) + pack_seek_table(sizes))
    assert restored_by_zstd(path) == text
    with path.open("rb") as file:
        assert read_all(file.read()) == text


def test_only_of_frames_that_are_decoded_can_text_be_had_at_once() -> None:
    source = sealed_text(SEALED)
    assert source.read_now(0, 1) is None
    text = source.read(0, 2500)
    source.read(999, 2)
    assert source.read_now(0, 2000) == text[:2000]
    assert source.read_now(1100, 7) == text[1100:1107]
    assert source.read_now(1500, 501) is None
    source.read(2100, 1)  # the first goes: two are kept
    assert source.read_now(1000, 1500) == text[1000:2500]
    assert source.read_now(2499, 100) == text[2499:2500]
    assert source.read_now(999, 1) is None


def test_closing_closes_the_file() -> None:
    memory = Memory(SEALED)
    SealedText(memory, "log").close()
    assert memory.is_closed


@pytest.mark.bad_input("a sealed file that is truncated")
def test_a_file_cut_short_anywhere_is_refused() -> None:
    for size in range(len(SEALED)):
        with pytest.raises(CorruptSealed):
            read_all(SEALED[:size])


@given(st.integers(0, len(SEALED) * 8 - 1))
@pytest.mark.bad_input("a sealed file with a flipped bit")
def test_a_flipped_bit_is_noticed_or_harmless(bit: int) -> None:
    damaged = bytearray(SEALED)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        text = read_all(bytes(damaged))
    except CorruptSealed:
        return
    assert text == TEXT


@given(st.binary(max_size=300), st.booleans())
@example(b"", True)
def test_any_bytes_at_all_are_refused_or_read(data: bytes, has_footer: bool) -> None:
    if has_footer:
        data += SEALED[-9:]
    with pytest.raises(CorruptSealed):
        read_all(data)


@pytest.mark.bad_input("a sealed file with a foreign seek table")
@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(500, 1000)],
        [(len(frame(PIECES[0])), 1000), (len(frame(PIECES[1])), 1000), (len(frame(PIECES[2])) + 1, 500)],
        [(0, 0), (len(SEALED), 1000)],
        [(2**32 - 1, 2**32 - 1)] * 3,
    ],
)
def test_a_foreign_seek_table_is_refused(sizes: list[tuple[int, int]]) -> None:
    with pytest.raises(CorruptSealed, match=r"seek table|add up"):
        read_all(SEALED[: -len(table([(0, 0)] * 3))] + table(sizes))


@pytest.mark.bad_input("a sealed file with a foreign seek table")
@pytest.mark.parametrize("lengths", [(1000, 1000, 0), (1000, 999, 501), (1000, 1000, 1001), (0, 0, 0), (2**21,) * 3])
def test_frames_that_are_not_all_of_one_size_are_refused(lengths: tuple[int, int, int]) -> None:
    frames = [frame(piece) for piece in PIECES]
    with pytest.raises(CorruptSealed, match="all of one size"):
        sealed_text(b"".join(frames) + table([(len(made), size) for made, size in zip(frames, lengths, strict=True)]))


@pytest.mark.bad_input("a sealed file with a wrong frame")
def test_a_frame_that_decodes_to_another_length_is_refused() -> None:
    frames = [frame(piece) for piece in PIECES]
    sizes = [(len(made), 900) for made in frames]
    source = sealed_text(b"".join(frames) + table(sizes))
    with pytest.raises(CorruptSealed, match="frame 0 is not of 900 bytes"):
        source.read(0, 1)


@pytest.mark.bad_input("a sealed file with a wrong frame")
def test_a_table_that_takes_two_frames_for_one_is_refused() -> None:
    two = frame(b"one") + frame(b"two")
    with pytest.raises(CorruptSealed, match="frame 0"):
        read_all(two + table([(len(two), 3)]))


@pytest.mark.bad_input("a sealed file with a foreign seek table")
def test_a_count_of_frames_beyond_all_measure_allocates_nothing() -> None:
    footer = (2**32 - 1).to_bytes(4, "little") + SEALED[-5:]
    with pytest.raises(CorruptSealed, match="4294967295 frames"):
        sealed_text(SEALED[:-9] + footer)
