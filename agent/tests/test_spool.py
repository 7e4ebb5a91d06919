"""The spool on disk: order, holes, limits, and what an earlier process left."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from buildlogs_agent import segment
from buildlogs_agent import spool as spool_module
from buildlogs_agent.spool import Batch, Spool
from buildlogs_agent.wire import HEADER, MAX_BODY_BYTES, STDOUT, Piece
from contract_server import parse_chunk_stream
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL_LIMIT_BYTES = 64 * 1024


def output(data: bytes, channel: int = STDOUT) -> list[Piece]:
    return [Piece(channel, 1, data)]


def payload(batch: Batch) -> bytes:
    return b"".join(data for _, _, data in parse_chunk_stream(bytes(batch.body)))


def read_all(spool: Spool, offset: int = 0) -> list[Batch]:
    batches = []
    while offset < spool.end:
        batches.append(spool.read(offset))
        offset = batches[-1].end
    return batches


def test_what_goes_in_comes_out_in_bodies_that_the_server_takes(tmp_path: Path) -> None:
    spool, text = Spool(tmp_path), os.urandom(3_000_000)
    spool.append(output(text))
    batches = read_all(spool)
    assert b"".join(map(payload, batches)) == text
    assert max(len(batch.body) for batch in batches) <= MAX_BODY_BYTES
    assert len(batches) == 3


def test_many_tiny_pieces_come_out_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([Piece(number % 3, number, b"%d," % number) for number in range(5000)])
    assert b"".join(map(payload, read_all(spool))) == b"".join(b"%d," % number for number in range(5000))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40), st.data())
def test_reading_from_any_offset_begins_at_or_before_it(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    spool, text = Spool(tmp_path_factory.mktemp("spool")), b""
    for size in sizes:
        piece = os.urandom(size)
        text += piece
        spool.append(output(piece))
    offset = data.draw(st.integers(0, len(text) - 1))
    batch = spool.read(offset)
    assert batch.offset <= offset < batch.end
    assert payload(batch) == text[batch.offset : batch.end]
    spool.remove()


def test_beyond_its_limit_new_bytes_are_dropped_and_counted(tmp_path: Path) -> None:
    spool, line = Spool(tmp_path, SMALL_LIMIT_BYTES), b"x" * 999 + b"\n"
    for _ in range(200):
        spool.append(output(line))
    spool.append(output(b"the end\n", HEADER))
    kept, end = read_all(spool)[:-1], read_all(spool)[-1]
    stored = sum(batch.payload for batch in kept)
    assert spool.dropped == end.skip == 200_000 - stored > 100_000
    assert payload(end) == b"the end\n"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < SMALL_LIMIT_BYTES + 100


def test_acknowledged_bytes_make_room_for_new_ones(tmp_path: Path) -> None:
    spool, text, read = Spool(tmp_path, SMALL_LIMIT_BYTES), b"", b""
    for number in range(500):
        line = b"%d %s\n" % (number, b"x" * 900)
        text += line
        spool.append(output(line))
        batch = spool.read(len(read))
        read += payload(batch)
        spool.acknowledge(len(read))
    assert read == text
    assert spool.dropped == 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= SMALL_LIMIT_BYTES


def test_a_server_that_goes_back_behind_what_was_deleted_is_told_of_a_hole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, SMALL_LIMIT_BYTES)
    for _ in range(200):
        spool.append(output(b"x" * 999 + b"\n"))
        spool.acknowledge(spool.end)
    batch = spool.read(0)
    assert batch.offset == 0
    assert batch.skip > 0
    assert batch.skip + sum(later.payload for later in read_all(spool)) == spool.end


def test_a_full_disk_leaves_whole_units_and_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(output(b"before\n"))

    def half_a_write(descriptor: int, buffers: list[bytes]) -> int:
        os.write(descriptor, b"17:t17000")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segment, "_write_all", half_a_write)
    spool.append(output(b"lost\n"))
    monkeypatch.undo()
    spool.append(output(b"header\n", HEADER))
    first, second = read_all(spool)
    assert payload(first) == b"before\n"
    assert (second.offset, second.skip, payload(second)) == (7, 5, b"header\n")
    assert spool.dropped == 5


def test_a_spool_left_by_another_process_goes_on_after_its_last_whole_unit(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(output(b"kept\n"))
    spool.append(output(b"torn\n"))
    path = next(tmp_path.glob("*.chunks"))
    path.write_bytes(path.read_bytes()[:-3])
    again = Spool(tmp_path)
    again.append(output(b"new\n"))
    assert b"".join(map(payload, read_all(again))) == b"kept\nnew\n"


def test_the_first_output_is_due_at_once_and_the_next_at_its_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(output(b"first\n"))
    assert spool.wait(0, 0.0)
    spool.append(output(b"second\n"))
    due = time.monotonic() + 0.05
    assert spool.wait(6, due)
    assert time.monotonic() >= due


def test_64_kib_are_not_kept_waiting(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    far_away = time.monotonic() + 60
    spool.append(output(b"x" * 1000))
    threading.Timer(0.05, lambda: spool.append(output(b"x" * 65_000))).start()
    assert spool.wait(0, far_away)


def test_a_closed_spool_is_sent_to_its_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(output(b"all\n"))
    spool.close()
    assert spool.wait(0, time.monotonic() + 60)
    assert not spool.wait(4, 0.0)


def test_a_disk_that_stays_full_leaves_no_segment_for_each_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, buffers: list[bytes]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segment, "_write_all", full)
    monkeypatch.setattr(spool_module, "DISK_FULL_PAUSE_SECONDS", 0)
    spool = Spool(tmp_path)
    for _ in range(10):
        spool.append(output(b"lost\n"))
    assert list(tmp_path.glob("*.chunks")) == []
    monkeypatch.undo()
    spool.append(output(b"kept\n"))
    [batch] = read_all(spool)
    assert (batch.skip, payload(batch)) == (50, b"kept\n")


def test_a_spool_directory_deleted_under_a_command_that_runs_does_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    spool = Spool(tmp_path / "spool", SMALL_LIMIT_BYTES)
    while not spool.dropped:
        spool.append(output(b"x" * 999 + b"\n"))
    spool.acknowledge(spool.end)
    shutil.rmtree(tmp_path / "spool")
    end = spool.end
    spool.append(output(b"room has to be made for this\n"))
    assert spool.end == end + 29


def test_what_a_power_cut_made_of_a_segment_is_cut_off(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(output(b"kept\n"))
    path = next(tmp_path.glob("*.chunks"))
    path.write_bytes(path.read_bytes() + b"\0\0:garbage")
    (tmp_path / "notes.chunks").write_text("of somebody else")
    again = Spool(tmp_path)
    again.append(output(b"new\n"))
    assert b"".join(map(payload, read_all(again))) == b"kept\nnew\n"
