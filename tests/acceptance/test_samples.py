"""Logs that Buildbot 0.8.14 itself wrote go in through the chunk-stream door and come out as they were."""

from __future__ import annotations

import base64
import bz2
import gzip
import itertools
import json
from pathlib import Path

import pytest

from tests.acceptance.client import Viewer, Writer
from tests.acceptance.server import Server

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "buildbot-0.8.14"
NAMES = [
    "1-log-compile-stdio",
    "2-log-test-stdio",
    "3-log-compile-stdio.bz2",
    "4-log-test-stdio.gz",
]


def unpacked(name: str) -> bytes:
    content = (SAMPLES / name).read_bytes()
    return {".bz2": bz2.decompress, ".gz": gzip.decompress}.get(Path(name).suffix, bytes)(content)


def expected_chunks(name: str) -> list[tuple[int, bytes]]:
    """What Buildbot says is in the sample, neighbours of one channel joined."""
    stem = name.removesuffix(".bz2").removesuffix(".gz")
    chunks = json.loads((SAMPLES / f"{stem}.chunks.json").read_text())
    decoded = [(channel, base64.b64decode(text)) for channel, text in chunks]
    return joined([(channel, data) for channel, data in decoded if data])


def joined(chunks: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [
        (channel, b"".join(data for _, data in group))
        for channel, group in itertools.groupby(chunks, key=lambda chunk: chunk[0])
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_log_of_buildbot_reads_back_chunk_for_chunk(
    server: Server, writer: Writer, token: str, name: str
) -> None:
    log = writer.new_log()
    answer = writer.chunks(log["id"], unpacked(name), 0)
    assert answer.status_code == 200, answer.text
    assert writer.finish(log["id"]).status_code == 200

    viewer = await Viewer(server.websocket_url, log["id"], token=token).watch()

    chunks, position = [], 0
    for channel, length, _time in viewer.runs:
        chunks.append((channel, bytes(viewer.data[position : position + length])))
        position += length
    assert joined(chunks) == expected_chunks(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_channels_is_buildbots_get_text(writer: Writer, name: str) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], unpacked(name)).status_code == 200
    text = writer.http.get(f"/logs/{log['id']}/raw", params={"channels": "stdout,stderr"}).content
    assert text == b"".join(data for channel, data in expected_chunks(name) if channel != 2)
