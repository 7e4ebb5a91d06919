"""Limits: head, tail, headers, index. Buildbot's logMaxSize and logMaxTailSize are the model; the words are its own."""

import base64
import hashlib
import json
import logging
import os
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry, Limits, OverlapDiffers
from logviewer.chunkstore.digest import Digests
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.limits import MIN_INDEX_BYTES
from logviewer.chunkstore.verification import Verification
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.killed import killed_after
from tests.unit.chunkstore.logs import KEY, err, joined, out, read_back

LIMITS = Limits(10, 20)
NO_TAIL = Limits(10, 0)
EXCEEDED = (2, b"\nOutput exceeded 10 bytes, remaining output has been truncated\n")


def head(text: bytes, time_us: int | None = None) -> Entry:
    return Entry(2, text, time_us)


def tail_path(root: Path) -> Path:
    return root / f"{KEY}.tail"


def test_the_head_ends_at_exactly_its_limit_and_says_so_once(store: ChunkStore, tmp_path: Path):
    assert store.append(KEY, [out(b"01234567")], limits=NO_TAIL).end.omitted == 0
    appended = store.append(KEY, [err(b"89abc"), out(b"d")], limits=NO_TAIL)
    store.append(KEY, [out(b"e")], limits=NO_TAIL)
    assert (appended.received, appended.end.omitted) == (14, 4)
    assert read_back(store) == [(0, b"01234567"), (1, b"89"), EXCEEDED]
    assert [(extent.received, extent.flags, extent.data) for extent in plain_format.extents(tmp_path, KEY)] == [
        (8, 0, b"01234567"),
        (10, 0, b"89"),
        (10, 4, EXCEEDED[1]),
        (14, 1, b""),
        (15, 1, b""),
    ]
    assert not tail_path(tmp_path).exists()


def test_a_log_that_fits_exactly_says_nothing(store: ChunkStore):
    store.append(KEY, [out(b"0123456789")], limits=LIMITS)
    digest = hashlib.sha256(b"0123456789").hexdigest()
    assert store.finish(KEY, 10, digest).verified
    assert read_back(store) == [(0, b"0123456789")]


def test_zero_is_no_limit(store: ChunkStore):
    store.append(KEY, [out(b"x" * 1000)], limits=Limits(0, 20))
    assert store.finish(KEY).end[:5] == (1000, 1, 1000, True, 0)


def test_headers_are_not_counted_and_go_on_after_the_head(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [head(b"make\n"), out(b"0123456789ab"), head(b"rc 0\n"), out(b"c"), head(b"!")], limits=NO_TAIL)
    assert read_back(store) == [(2, b"make\n"), (0, b"0123456789"), (2, EXCEEDED[1] + b"rc 0\n!")]
    found = plain_format.extents(tmp_path, KEY)
    assert [(extent.received, extent.flags, len(extent.data)) for extent in found] == [
        (5, 0, 5),
        (15, 0, 10),
        (15, 4, len(EXCEEDED[1])),
        (17, 1, 0),
        (22, 0, 5),
        (23, 1, 0),
        (24, 0, 1),
    ]
    assert store.append(KEY, [head(b"rc 0\n"), out(b"?"), head(b"!")], offset=17).received == 24
    with pytest.raises(OverlapDiffers, match="byte 17 "):
        store.append(KEY, [head(b"RC 0\n")], offset=17)


def test_headers_have_a_limit_of_their_own(store: ChunkStore, tmp_path: Path):
    limits = Limits(0, 0, max_header_bytes=4)
    for _process in range(2):
        store.append(KEY, [head(b"abc"), out(b"1"), head(b"de")], limits=limits)
        store.append(KEY, [out(b"2"), head(b"f"), out(b"3")], limits=limits)
        store = ChunkStore(tmp_path)
    words = b"\nHeaders exceeded 4 bytes, remaining headers have been truncated\n"
    assert read_back(store) == [(2, b"abc"), (0, b"1"), (2, b"d" + words), (0, b"23123")]
    assert store.append(KEY, []).end.omitted == 8
    assert store.finish(KEY, 18).sha256 is None


def test_notices_of_lost_bytes_do_not_end_the_headers(store: ChunkStore):
    store.append(KEY, [head(b"a")], offset=0, skip=3)
    store.append(KEY, [head(b"b")], offset=4)
    assert read_back(store) == [(2, b"\n3 bytes of output were lost by the build machine here\nab")]


def test_an_index_that_is_too_large_ends_the_head_likewise(store: ChunkStore):
    limits = Limits(100, 0, min_index_bytes=64 + 48 * 3)
    store.append(KEY, [(out, err)[number % 2](b"x") for number in range(10)], limits=limits)
    words = b"\nOutput exceeded 4 bytes, remaining output has been truncated\n"
    assert read_back(store) == [(0, b"x"), (1, b"x"), (0, b"x"), (1, b"x"), (2, words)]


def test_that_does_not_hold_for_an_index_smaller_than_the_limit_on_bytes_nor_without_one(store: ChunkStore):
    body = [(out, err)[number % 2](b"x") for number in range(10)]
    store.append(KEY, body, limits=Limits(10_000, 0, min_index_bytes=64))
    store.append(KEY, body, limits=Limits(0, 0, min_index_bytes=64))
    assert store.append(KEY, []).end.omitted == 0


def test_one_byte_headers_cannot_make_the_index_grow_for_ever(store: ChunkStore, tmp_path: Path):
    limits = Limits(10, 0, min_index_bytes=64 + 48 * 8)
    for _body in range(20):
        store.append(KEY, [out(b"x"), head(b"h"), out(b"x"), head(b"h")], limits=limits)
    assert store.append(KEY, []).received == 80
    inner = [extent for extent in plain_format.extents(tmp_path, KEY) if not extent.flags]
    assert len(inner) < 20


def test_the_tail_follows_at_the_finish_with_its_channels_and_times(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"012345678\n", 5)], limits=LIMITS)
    store.append(KEY, [out(b"dropped\n", 1_000_000), err(b"oops\n", 2_000_000)], limits=LIMITS)
    store.append(KEY, [head(b"rc\n", 2_500_000), out(b"done\n", 3_000_000)], limits=LIMITS, arrived_us=7)
    assert tail_path(tmp_path).exists()
    finished = store.finish(KEY, 31)
    assert read_back(store) == [
        (0, b"012345678\n"),
        (2, EXCEEDED[1] + b"rc\n\nFinal 18 bytes follow below:\n"),
        (0, b"dropped\n"),
        (1, b"oops\n"),
        (0, b"done\n"),
    ]
    last = plain_format.extents(tmp_path, KEY)[-4:]
    assert [(extent.channel, extent.time_us, extent.received, extent.flags) for extent in last] == [
        (0, 1_000_000, 31, 1),
        (1, 2_000_000, 31, 1),
        (0, 3_000_000, 31, 1),
        (2, last[-1].time_us, 31, 2),
    ]
    assert (finished.end.omitted, finished.sha256, finished.verified) == (0, None, False)  # all there, in other order
    assert finished.text_sha256 == hashlib.sha256((tmp_path / f"{KEY}.log").read_bytes()).hexdigest()
    assert not tail_path(tmp_path).exists()
    assert store.finish(KEY) == finished
    assert ChunkStore(tmp_path).finish(KEY) == finished
    assert store.append(KEY, [out(b"????\n")], offset=26, limits=LIMITS).received == 31


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        (b"first\nsecond\nthird\n4th\n", b"second\nthird\n4th\n"),  # 17 bytes: `first` would be cut
        (b"first\n" + b"0123456789012345678\n", b"0123456789012345678\n"),  # exactly the tail, and a line
        (b"first\n" + b"01234567890123456789", b"01234567890123456789"),
        (b"x" * 50, b"x" * 20),  # no line starts in it
        (b"x" * 50 + b"\n", b"x" * 19 + b"\n"),  # none does either: nothing follows
        (b"short", b"short"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_the_tail_begins_at_a_lines_start_where_there_is_one_in_it(
    store: ChunkStore, output: bytes, kept: bytes, pieces: int
):
    for start in range(0, len(output), -(-len(output) // pieces)):
        store.append(KEY, [out(b"head line\n"[: 10 - start])], limits=LIMITS) if not start else None
        store.append(KEY, [out(output[start : start + -(-len(output) // pieces)])], limits=LIMITS)
    finished = store.finish(KEY)
    assert read_back(store)[-1] == (0, kept)
    assert finished.end.omitted == len(output) - len(kept)


def test_a_line_that_the_limit_cut_in_two_does_not_begin_the_tail(store: ChunkStore):
    store.append(KEY, [out(b"0123456789 cut\nwhole\n")], limits=LIMITS)
    store.finish(KEY)
    assert read_back(store)[-1] == (0, b"whole\n")


def test_the_tail_file_stays_small_and_keeps_the_very_end(store: ChunkStore, tmp_path: Path):
    limits = Limits(10, 1000)
    largest = 0
    for number in range(3000):
        store.append(KEY, [(out, err)[number % 2](b"%09d\n" % number, number)], limits=limits)
        largest = max(largest, tail_path(tmp_path).stat().st_size if number > 1 else 0)
    assert 2000 < largest <= 2 * 1000 + 4096
    assert not tail_path(tmp_path).with_suffix(".tail.new").exists()
    store.finish(KEY)
    kept = read_back(store)[-100:]
    assert kept == [(number % 2, b"%09d\n" % number) for number in range(2900, 3000)]


def test_a_body_larger_than_the_tail_leaves_its_end(store: ChunkStore, tmp_path: Path):
    limits = Limits(10, 1000)
    for _body in range(5):
        store.append(KEY, [out(b"x" * 100_000 + b"\n" + b"y" * 999)], limits=limits)
        assert tail_path(tmp_path).stat().st_size <= 2 * 1000 + 4096
    assert store.finish(KEY).end.omitted == 5 * 101_000 - 10 - 999
    assert read_back(store)[-1] == (0, b"y" * 999)


def test_extents_of_one_byte_each_cannot_make_the_tail_file_larger(store: ChunkStore, tmp_path: Path):
    limits = Limits(10, 4000)
    for start in range(0, 60_000, 6000):
        body = [(out, err)[number % 2](b"x", number * 10**9) for number in range(start, start + 6000)]
        store.append(KEY, body, limits=limits)
        assert tail_path(tmp_path).stat().st_size <= 2 * 4000 + 4096
    store.finish(KEY)
    last = plain_format.extents(tmp_path, KEY)[-2]
    assert (last.data, last.time_us) == (b"x", 59_999 * 10**9)


def test_two_processes_see_each_others_tail(tmp_path: Path):
    stores = [ChunkStore(tmp_path) for _ in range(2)]
    stores[0].create(KEY)
    limits = Limits(10, 200)
    for number in range(1000):
        stores[number % 3 % 2].append(KEY, [out(b"%09d\n" % number)], offset=10 * number, limits=limits)
    assert stores[1].append(KEY, [out(b"000000998\n000000999\n")], offset=9980).received == 10_000
    with pytest.raises(OverlapDiffers, match="byte 9988 "):
        stores[0].append(KEY, [out(b"000000990\n")], offset=9980)
    stores[0].finish(KEY)
    assert read_back(stores[1])[-1] == (0, b"".join(b"%09d\n" % number for number in range(980, 1000)))


def test_limits_that_change_hold_from_then_on(store: ChunkStore):
    store.append(KEY, [out(b"0123456789")], limits=Limits(100, 5))
    store.append(KEY, [out(b"dropped")], limits=Limits(3, 0))
    store.append(KEY, [out(b"dropped as well")], limits=Limits(100, 0))
    store.append(KEY, [out(b"the end")], limits=Limits(100, 3))
    words = b"\nOutput exceeded 10 bytes, remaining output has been truncated\n\nFinal 3 bytes follow below:\n"
    store.finish(KEY)
    assert read_back(store) == [(0, b"0123456789"), (2, words), (0, b"end")]


def test_a_deleted_log_takes_its_tail_along(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"x" * 50)], limits=LIMITS)
    tail_path(tmp_path).with_suffix(".tail.new").touch()
    store.delete(KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_tail_that_no_index_speaks_of_is_not_shown(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"x" * 50)], limits=LIMITS)
    os.truncate(tmp_path / f"{KEY}.idx", 64)  # killed after the tail, before the index
    store = ChunkStore(tmp_path)
    assert store.append(KEY, [out(b"01234567890\n")], offset=0, limits=LIMITS).received == 12
    store.finish(KEY)
    assert read_back(store)[-1] == (0, b"0\n")


def write_truncated_log(root: Path) -> ChunkStore:
    store = ChunkStore(root)
    store.create(KEY)
    for text in (b"012345678\n", b"one\n", b"two\n", b"three\n"):
        store.append(KEY, [out(text)], limits=LIMITS)
    store.close()
    return ChunkStore(root)


TAIL_BYTES = 32 + 3 * (28 + 1) + 4 + 4 + 6


@pytest.mark.bad_input("a tail that is cut")
@pytest.mark.parametrize("size", range(TAIL_BYTES))
def test_a_tail_cut_at_any_byte_costs_no_more_than_what_was_cut(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
):
    store = write_truncated_log(tmp_path)
    assert tail_path(tmp_path).stat().st_size == TAIL_BYTES
    os.truncate(tail_path(tmp_path), size)
    with caplog.at_level(logging.WARNING, "logviewer.chunkstore"):
        assert store.append(KEY, [out(b"4\n")], offset=24, limits=LIMITS).received == 26
        finished = store.finish(KEY, 26)
    kept = b"".join(
        text
        for text, end in ((b"one\n", 65), (b"two\n", 98), (b"three\n", TAIL_BYTES), (b"4\n", 0))
        if size >= end or not end
    )
    assert read_back(store)[-1] == (0, kept)
    assert finished.end.omitted == 16 - len(kept)
    assert bool(caplog.records) == (size not in (32, 65, 98))


@pytest.mark.bad_input("a tail with a flipped bit")
@pytest.mark.parametrize("place", range(TAIL_BYTES))
def test_a_tail_with_a_flipped_bit_costs_no_more_than_the_body_it_is_in(
    tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
):
    store = write_truncated_log(tmp_path)
    data = bytearray(tail_path(tmp_path).read_bytes())
    data[place] ^= 4
    tail_path(tmp_path).write_bytes(data)
    with caplog.at_level(logging.WARNING, "logviewer.chunkstore"):
        finished = store.finish(KEY, 24)
    assert caplog.records
    assert str(tail_path(tmp_path)) in caplog.text
    assert read_back(store)[0] == (0, b"012345678\n")
    kept = read_back(store)[-1][1] if finished.end.omitted < 14 else b""
    assert kept in (b"", b"one\n", b"two\nthree\n", b"one\nthree\n", b"one\ntwo\n", b"three\n")
    if place >= 65:
        assert kept.startswith(b"one\n")
    assert finished.end.omitted == 14 - len(kept)


@pytest.mark.bad_input("a tail that is missing")
def test_a_tail_that_is_missing_costs_what_was_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = write_truncated_log(tmp_path)
    tail_path(tmp_path).unlink()
    with caplog.at_level(logging.WARNING, "logviewer.chunkstore"):
        store.append(KEY, [out(b"cut\nthe end\n")], limits=LIMITS)
    assert f"{KEY}.tail is not there" in caplog.text
    assert store.finish(KEY).end.omitted == 18
    assert read_back(store)[-1] == (0, b"the end\n")


def test_with_always_the_tail_is_on_stable_storage_before_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = ChunkStore(tmp_path, fsync="always")
    store.create(KEY)
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().suffix))
    store.append(KEY, [out(b"x" * 50)], limits=LIMITS)
    assert synced == [".log", ".tail", ".idx"]
    assert plain_format.synced(tmp_path, KEY) == 3


def test_the_index_alone_tells_where_a_log_stands(tmp_path: Path):
    limits = Limits(10, 20, 5, MIN_INDEX_BYTES)
    with_one = ChunkStore(tmp_path, fsync="always")
    with_one.create(KEY)
    for body in ([out(b"0123"), head(b"abc")], [err(b"45678"), head(b"def")], [out(b"9ab")], [head(b"g"), out(b"c\n")]):
        ChunkStore(tmp_path, fsync="always").append(KEY, body, limits=limits)
    with_one.finish(KEY)
    headers = b"\nHeaders exceeded 5 bytes, remaining headers have been truncated\n"
    assert read_back(with_one) == [
        (0, b"0123"),
        (2, b"abc"),
        (1, b"45678"),
        (2, b"de" + headers),
        (0, b"9"),
        (2, EXCEEDED[1] + b"\nFinal 4 bytes follow below:\n"),
        (0, b"abc\n"),
    ]


SAMPLES = Path(__file__).parents[2] / "data" / "buildbot-0.8.14"


def sample(name: str) -> list[tuple[int, bytes]]:
    """A log as Buildbot 0.8.14 itself says it is: see the README beside it."""
    listed = json.loads((SAMPLES / f"{name}.chunks.json").read_text())
    return [(channel, base64.b64decode(data)) for channel, data in listed]


@pytest.mark.parametrize("entries_in_a_body", [1, 3, 100])
def test_what_buildbot_limited_is_limited_to_the_same_text(store: ChunkStore, entries_in_a_body: int):
    """Samples 2 and 4 are of one writer, with logMaxSize=20000 and logMaxTailSize=3000, and without."""
    entries = [Entry(channel, data) for channel, data in sample("4-log-test-stdio")]
    for start in range(0, len(entries), entries_in_a_body):
        store.append(KEY, entries[start : start + entries_in_a_body], limits=Limits(20_000, 3000))
    finished = store.finish(KEY, sum(len(entry.data) for entry in entries))
    by_buildbot, stored = sample("2-log-test-stdio"), read_back(store)
    assert b"".join(data for _channel, data in stored) == b"".join(data for _channel, data in by_buildbot)
    assert stored[:10] == joined(by_buildbot)[:10]
    # Buildbot gives all of the tail to one channel; one of its lines was stderr.
    assert [(channel, len(data)) for channel, data in stored[10:]] == [(0, 650), (1, 65), (0, 2275)]
    assert finished.end.omitted == 78_000 - 20_000 - 2990


def test_a_log_whose_tail_holds_all_the_rest_is_verified_and_sealed_as_any_other(store: ChunkStore, tmp_path: Path):
    store.append(KEY, [out(b"head line\ntail\n"), head(b"rc 0\n"), out(b"more\n")], limits=LIMITS)
    finished = store.finish(KEY)
    assert (finished.end.omitted, finished.sha256) == (0, None)
    found = assert_agreement(store, KEY)
    assert found.sha256 is None
    verification = Verification(log_files(tmp_path, KEY))
    assert list(verification.findings()) == []
    assert verification.digests == Digests(None, finished.text_sha256)
    store.seal(KEY)
    assert store.finish(KEY) == finished
    assert store.append(KEY, [out(b"head line\nTAIL\n"), head(b"rc 0\n")], offset=0).received == 25
    with pytest.raises(OverlapDiffers, match="byte 15 "):
        store.append(KEY, [out(b"head line\nTAIL\n"), head(b"RC 0\n")], offset=0)


ONCE = [out(b"head line\nfirst line\n"), err(b"second\n")]
THEN = [out(b"third\n"), head(b"rc 0\n"), out(b"the fourth\n")]


@pytest.mark.parametrize("rest_is_sent", [True, False])
@pytest.mark.parametrize("room", range(200))
def test_a_process_killed_at_any_byte_past_the_limit_costs_nothing_acknowledged(
    tmp_path: Path, room: int, rest_is_sent: bool
):
    store = ChunkStore(tmp_path)
    store.create(KEY)
    store.append(KEY, ONCE, offset=0, limits=LIMITS)
    with killed_after(room):
        store.append(KEY, THEN, offset=28, limits=LIMITS)
    store = ChunkStore(tmp_path)
    received = store.append(KEY, []).received
    assert received in (28, 34, 39, 50)
    if rest_is_sent:
        received = store.append(KEY, [*ONCE, *THEN], offset=0, limits=LIMITS).received
        assert received == 50
    finished = store.finish(KEY, received)
    kept = {
        28: b"first line\nsecond\n",
        34: b"second\nthird\n",
        39: b"second\nthird\n",
        50: b"third\nthe fourth\n",
    }[received]
    assert (tmp_path / f"{KEY}.log").read_bytes().endswith(b"\nFinal %d bytes follow below:\n" % len(kept) + kept)
    assert finished.end.omitted == {28: 18, 34: 24, 39: 24, 50: 35}[received] - len(kept)


@pytest.mark.parametrize("room", range(250))
def test_a_process_killed_at_any_byte_of_a_finish_leaves_a_log_that_goes_on_or_is_finished(tmp_path: Path, room: int):
    store = ChunkStore(tmp_path)
    store.create(KEY)
    store.append(KEY, ONCE, offset=0, limits=LIMITS)
    with killed_after(room):
        store.finish(KEY)
    store = ChunkStore(tmp_path)
    end = store.append(KEY, []).end
    expected = [(0, b"head line\n"), EXCEEDED]
    if not end.finished:
        assert read_back(store) == expected
        assert store.append(KEY, THEN, offset=28, limits=LIMITS).received == 50
    store.finish(KEY)
    kept = [(0, b"first line\n"), (1, b"second\n")] if end.finished else [(0, b"third\nthe fourth\n")]
    words = b"\nFinal %d bytes follow below:\n" % sum(len(data) for _channel, data in kept)
    between = b"" if end.finished else b"rc 0\n"
    assert read_back(store) == [expected[0], (2, EXCEEDED[1] + between + words), *kept]
    assert list(tmp_path.rglob("*.tail*")) == []
