"""A reader of text and index that shares no code with the store: storage.md in forty lines."""

import zlib
from pathlib import Path
from typing import NamedTuple


class Extent(NamedTuple):
    offset: int
    line: int
    received: int
    time_us: int
    channel: int
    flags: int
    data: bytes


def number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def synced(root: Path, key: str) -> int:
    return number((root / f"{key}.idx").read_bytes()[16:24])


def extents(root: Path, key: str) -> list[Extent]:
    """Return all extents, having checked every field of every record against the text."""
    text = (root / f"{key}.log").read_bytes()
    index = (root / f"{key}.idx").read_bytes()
    assert index[:8] == b"BLOGIDX1"
    assert number(index[8:12]) == 1
    assert number(index[12:16]) == 48
    assert index[24:64] == bytes(40)
    assert (len(index) - 64) % 48 == 0
    found: list[Extent] = []
    at = received = 0
    for place in range(64, len(index), 48):
        record = index[place : place + 48]
        offset, line, upto, time_us = (number(record[part : part + 8]) for part in (0, 8, 16, 24))
        length, crc = number(record[32:36]), number(record[36:40])
        channel, flags = record[40], record[41]
        data = text[offset : offset + length]
        assert offset == at
        assert len(data) == length
        assert line == text[:offset].count(b"\n")
        assert crc == zlib.crc32(record[:36] + record[40:] + data)
        assert channel in (0, 1, 2)
        assert flags < 8
        assert record[42:] == bytes(6)
        assert upto >= received
        if not flags:
            assert upto == received + length
        at, received = offset + length, upto
        found.append(Extent(offset, line, upto, time_us, channel, flags, data))
    assert at == len(text)
    return found


def joined(found: list[Extent]) -> list[tuple[int, bytes]]:
    """Return [(channel, bytes), …], neighbours of one channel joined, nothing for empty extents."""
    runs: list[tuple[int, bytes]] = []
    for extent in found:
        if not extent.data:
            continue
        if runs and runs[-1][0] == extent.channel:
            runs[-1] = (extent.channel, runs[-1][1] + extent.data)
        else:
            runs.append((extent.channel, extent.data))
    return runs
