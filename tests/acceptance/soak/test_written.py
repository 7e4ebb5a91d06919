"""The soak's own instruments: that they see what they are for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry, parse_chunk_stream
from tests.acceptance.soak.soak import check_files
from tests.acceptance.soak.written import WrittenLog


@pytest.fixture
def log() -> WrittenLog:
    """A log of some output, all of it sent."""
    written = WrittenLog(7)
    dice = random.Random(1)
    for _ in range(60):
        written.produce(dice)
    written.sent = len(written.produced)
    return written


def test_any_range_is_sent_with_its_bytes_and_channels(log: WrittenLog) -> None:
    dice = random.Random(2)
    for _ in range(100):
        start, stop = sorted(dice.randint(0, log.sent) for _ in range(2))
        entries = parse_chunk_stream(log.stream(start, stop))
        assert b"".join(entry.data for entry in entries) == log.produced[start:stop]
        assert b"".join(bytes([entry.channel]) * len(entry.data) for entry in entries) == log.channels[start:stop]


def test_what_differs_from_what_was_sent_is_seen(log: WrittenLog) -> None:
    data, channels = bytes(log.produced[100:200]), bytes(log.channels[100:200])
    log.check(100, data, channels)
    for offset, changed, of_channels in (
        (101, data, channels),
        (100, data[:50] + bytes([data[50] ^ 1]) + data[51:], channels),
        (100, data, channels[:50] + bytes([channels[50] ^ 1]) + channels[51:]),
        (log.sent - 50, data, channels),
    ):
        with pytest.raises(AssertionError, match="log 7"):
            log.check(offset, changed, of_channels)


def test_an_acknowledgement_that_goes_back_or_too_far_is_seen(log: WrittenLog) -> None:
    log.acknowledge(500)
    for received in (499, log.sent + 1):
        with pytest.raises(AssertionError, match="log 7"):
            log.acknowledge(received)


@pytest.mark.parametrize("fault", ["none", "a byte", "a channel", "the end"])
def test_a_file_that_differs_from_what_was_sent_is_seen(tmp_path: Path, log: WrittenLog, fault: str) -> None:
    stop = log.sent - (fault == "the end")
    entries = parse_chunk_stream(log.stream(0, stop))
    if fault in ("a byte", "a channel"):
        first = entries[0]
        entries[0] = Entry(
            first.channel ^ (fault == "a channel"), bytes([first.data[0] ^ (fault == "a byte")]) + first.data[1:]
        )
    store = ChunkStore(tmp_path)
    store.create("demo/stdio-7")
    store.append("demo/stdio-7", entries)
    store.finish("demo/stdio-7")
    store.close()
    size = log.sent
    log.forget()
    if fault == "none":
        assert check_files(tmp_path, [log]) == size
    else:
        with pytest.raises(AssertionError, match="log 7"):
            check_files(tmp_path, [log])
