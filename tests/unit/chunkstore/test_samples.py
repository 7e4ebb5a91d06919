"""Logs that Buildbot 0.8.14 itself wrote: see the README beside them."""

import base64
import bz2
import gzip
import hashlib
import json
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, encode_entry, parse_chunk_stream
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import KEY, joined, read_back

SAMPLES = Path(__file__).parents[2] / "data" / "buildbot-0.8.14"
NAMES = ["1-log-compile-stdio", "2-log-test-stdio", "3-log-compile-stdio.bz2", "4-log-test-stdio.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_a_buildbot_log_reads_back_as_buildbot_says(store: ChunkStore, tmp_path: Path, name: str):
    body = (SAMPLES / name).read_bytes()
    body = bz2.decompress(body) if name.endswith(".bz2") else gzip.decompress(body) if name.endswith(".gz") else body
    listed = json.loads((SAMPLES / f"{name.split('.')[0]}.chunks.json").read_text())
    expected = [(channel, base64.b64decode(data)) for channel, data in listed]
    entries = parse_chunk_stream(body)
    payload = b"".join(data for _channel, data in expected)

    appended = store.append(KEY, entries, offset=0)
    finished = store.finish(KEY, len(payload), hashlib.sha256(payload).hexdigest())

    assert expected
    assert joined((entry.channel, entry.data) for entry in entries) == joined(expected)
    assert appended.received == len(payload)
    assert read_back(store) == joined(expected)
    assert assert_agreement(store, KEY).runs == joined(expected)
    assert finished.verified
    assert (tmp_path / f"{KEY}.log").read_bytes() == payload


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_buildbot_log_is_encoded_again_byte_for_byte(name: str):
    body = (SAMPLES / name).read_bytes()
    assert b"".join(encode_entry(entry.channel, entry.data) for entry in parse_chunk_stream(body)) == body
