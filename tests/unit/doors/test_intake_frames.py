"""Frames of a writer's socket: what is none, and what becomes of those of one log."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import (
    NO_LIMITS,
    Appended,
    ChunkStore,
    Entry,
    FsyncPolicy,
    LogLocked,
    MalformedChunks,
    OffsetGap,
    OverlapDiffers,
    StorageFull,
    encode_entry,
)
from logviewer.doors.intake_frames import (
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    IntakeFrame,
    MalformedFrame,
    Stored,
    parse_frame,
    store_frames,
)
from logviewer.doors.uploads import Target


def message(header: Any, stream: bytes = b"", length: int | None = None) -> bytes:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(data) if length is None else length) + data + stream


def test_a_frame_is_taken_apart() -> None:
    whole = message({"log": 7, "offset": 5, "skip": 2}, b"2:0x,")
    assert parse_frame(whole) == IntakeFrame(7, 5, 2, b"2:0x,", len(whole))
    assert parse_frame(message({"offset": 0, "log": 7})).skip == 0


@pytest.mark.bad_input("a message of a writer that is no frame")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0\0\0", id="cut inside the length"),
        pytest.param(message({"log": 1, "offset": 0}, length=99), id="a header beyond the frame"),
        pytest.param(message({"log": 1, "offset": 0}, length=2**32 - 1), id="a header of 4 GiB"),
        pytest.param(message(b" " * MAX_HEADER_BYTES + b"{}"), id="a header that is too long"),
        pytest.param(message(b"{"), id="no JSON"),
        pytest.param(message(b"\xff\xfe"), id="no text"),
        pytest.param(message(b"[" * 1000), id="nested without end"),
        pytest.param(message([1, 0]), id="a list"),
        pytest.param(message({"log": 1}), id="no offset"),
        pytest.param(message({"offset": 0}), id="no log"),
        pytest.param(message({"log": 1, "offset": -1}), id="a negative offset"),
        pytest.param(message({"log": 1, "offset": 2**63}), id="an offset beyond all measure"),
        pytest.param(message({"log": 1, "offset": 1.5}), id="half an offset"),
        pytest.param(message({"log": True, "offset": 0}), id="a log that is true"),
        pytest.param(message({"log": "1", "offset": 0}), id="a log as a text"),
        pytest.param(message({"log": 1, "offset": 0, "skip": None}), id="no skip"),
        pytest.param(message({"log": 1, "offset": 0, "channel": 0}), id="an unknown field"),
        pytest.param(message({"log": 1, "offset": 0}, b"x" * MAX_FRAME_BYTES), id="too large"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        parse_frame(data)


class StoreTarget:
    """A log of a chunk store of its own; counts appends, and fails the next one if told to."""

    def __init__(self, root: Path) -> None:
        self.store = ChunkStore(root, fsync=FsyncPolicy.NEVER)
        self.store.create("log")
        self.appends = 0
        self.failures: list[Exception] = []

    def append_at_once(self, entries: Sequence[Entry], offset: int | None, skip: int) -> Appended:
        self.appends += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.store.append("log", entries, offset=offset, skip=skip, limits=NO_LIMITS)

    def text(self) -> bytes:
        with self.store.reader("log") as reader:
            frame = reader.frame(0, max_bytes=2**20)
            return b"" if frame is None else frame.data


@pytest.fixture
def target(tmp_path: Path) -> StoreTarget:
    return StoreTarget(tmp_path)


def store(target: StoreTarget, *frames: IntakeFrame) -> Stored:
    return store_frames(cast(Target, target), frames)


def frame(offset: int, data: bytes | None, skip: int = 0) -> IntakeFrame:
    """A frame with `data` on stdout; None is no chunk stream."""
    stream = b"no stream" if data is None else encode_entry(0, data) if data else b""
    return IntakeFrame(1, offset, skip, stream, 40 + len(stream))


def kinds(stored: Stored) -> list[tuple[int, type[Exception]]]:
    return [(index, type(error)) for index, error in stored.errors]


def test_frames_that_join_on_are_one_append(target: StoreTarget) -> None:
    stored = store(target, frame(0, b"one\n"), frame(4, b""), frame(4, b"two\n"), frame(8, b"three\n"))
    assert (stored.done, stored.errors, target.appends) == (4, [], 1)
    assert stored.end is not None
    assert stored.end.received == 14
    assert target.text() == b"one\ntwo\nthree\n"


def test_after_a_gap_all_that_was_in_flight_is_refused_without_being_parsed(target: StoreTarget) -> None:
    stored = store(target, frame(0, b"12345"), frame(6, b"x"), frame(7, None), frame(8, b"x"), frame(5, b"6"))
    assert kinds(stored) == [(1, OffsetGap), (2, OffsetGap), (3, OffsetGap)]
    assert [error.received for _, error in stored.errors if isinstance(error, OffsetGap)] == [5, 5, 5]
    assert stored.done == 5
    assert target.text() == b"123456"


def test_one_that_is_malformed_costs_no_other_frame(target: StoreTarget) -> None:
    stored = store(target, frame(0, b"one\n"), frame(4, None), frame(4, b"two\n"))
    assert kinds(stored) == [(1, MalformedChunks)]
    assert target.text() == b"one\ntwo\n"


def test_one_that_differs_costs_no_other_frame_that_joined_on(target: StoreTarget) -> None:
    store(target, frame(0, b"one\ntwo\n"))
    stored = store(target, frame(0, b"one\n"), frame(4, b"TWO\n"), frame(8, b"three\n"))
    assert kinds(stored) == [(1, OverlapDiffers)]
    assert target.text() == b"one\ntwo\nthree\n"


def test_what_was_lost_is_said_in_its_place(target: StoreTarget) -> None:
    stored = store(target, frame(0, b"one\n"), frame(4, b"three\n", skip=4))
    assert stored.errors == []
    assert stored.end is not None
    assert stored.end.received == 14
    assert target.text() == b"one\n\n4 bytes of output were lost by the build machine here\nthree\n"


def test_where_another_writer_is_at_the_log_the_rest_waits(target: StoreTarget) -> None:
    target.failures = [LogLocked(Path("log"), 0)]
    stored = store(target, frame(0, b"one\n"), frame(4, b"two\n"))
    assert (stored.done, stored.errors, stored.end) == (0, [], None)
    assert isinstance(stored.locked, LogLocked)


def test_on_a_full_disk_each_is_refused_and_what_comes_later_is_stored(target: StoreTarget) -> None:
    full = StorageFull(Path("log"), "No space left on device")
    target.failures = [full, full, full]  # both together, then each by itself
    stored = store(target, frame(0, b"one\n"), frame(4, b"two\n"))
    assert kinds(stored)[0] == (0, StorageFull)
    assert stored.done == 2
    assert target.text() == b""
    assert store(target, frame(0, b"one\n")).errors == []


def test_many_that_differ_are_not_tried_together_again_and_again(target: StoreTarget) -> None:
    store(target, frame(0, b"x" * 500))
    target.appends = 0
    stored = store(target, *[frame(offset, b"y") for offset in range(500)])
    assert len(stored.errors) == 500
    assert target.appends == 501


FRAMES = st.lists(
    st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 12)), st.sampled_from([0, 0, 0, 3])), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(FRAMES)
def test_together_they_do_what_each_would_do_alone(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[int, int | None, int]]
) -> None:
    text = bytes(range(65, 65 + 50))
    frames = [
        frame(offset, None if size is None else text[offset + skip : offset + skip + size], skip)
        for offset, size, skip in shapes
    ]
    together, alone = StoreTarget(tmp_path_factory.mktemp("a")), StoreTarget(tmp_path_factory.mktemp("b"))
    stored = store(together, *frames)
    singly = [store(alone, one) for one in frames]
    assert together.text() == alone.text()
    assert stored.done == len(frames)
    gaps = [index for index, error in stored.errors if isinstance(error, OffsetGap)]
    assert [index for index, _ in stored.errors] == [index for index, one in enumerate(singly) if one.errors]
    for index, error in stored.errors:
        if index not in gaps:  # after a gap it is not looked at what else is wrong
            assert type(error) is type(singly[index].errors[0][1])
