"""manage.py exportlog: what it writes is a Buildbot 0.8 log file, and importing it gives the same log again."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ChunkStore, Entry, encode_entry, parse_chunk_stream
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from logviewer.upkeep.exporting import export_log
from tests.factories import make_log
from tests.integration.upkeep.test_importlog import NAMES, SAMPLES, importlog, stored
from tests.unit.chunkstore.logs import joined

pytestmark = pytest.mark.django_db


def exportlog(log: LogFile, file: Path, *options: str) -> bytes:
    """Export to a file; what it holds then."""
    call_command("exportlog", str(log.pk), "-o", str(file), *options, stderr=io.StringIO())
    return file.read_bytes()


def netstrings(stream: bytes) -> list[tuple[int, bytes]]:
    """Buildbot's rules, taken from its own `basic.NetstringReceiver` and `LogFile`, not from the store."""
    found: list[tuple[int, bytes]] = []
    while stream:
        length, _colon, rest = stream.partition(b":")
        assert re.fullmatch(rb"[1-9][0-9]*", length)
        body, comma, stream = rest[: int(length)], rest[int(length) : int(length) + 1], rest[int(length) + 1 :]
        assert len(body) == int(length)
        assert comma == b","
        assert body[:1] in (b"0", b"1", b"2")
        found.append((int(body[:1]), body[1:]))
    return found


def merged(stream: bytes) -> bytes:
    return b"".join(encode_entry(channel, data) for channel, data in joined(netstrings(stream)))


@pytest.mark.parametrize("name", NAMES)
def test_a_log_of_buildbots_goes_out_byte_for_byte_as_it_came_in(name: str, tmp_path: Path, logs_dir: Path) -> None:
    packed = (SAMPLES / name).read_bytes()
    plain = {".bz2": bz2.decompress, ".gz": gzip.decompress}.get(Path(name).suffix, bytes)(packed)
    importlog(SAMPLES / name)
    log = LogFile.objects.get()
    assert exportlog(log, tmp_path / "plain") == merged(plain)
    assert gzip.decompress(exportlog(log, tmp_path / "gz", "--compress", "gz")) == merged(plain)
    assert bz2.decompress(exportlog(log, tmp_path / "bz2", "--compress", "bz2")) == merged(plain)
    assert exportlog(log, tmp_path / "text", "--text") == b"".join(data for _channel, data in netstrings(plain))


@pytest.mark.parametrize("options", [[], ["--times"], ["--compress", "bz2"], ["--compress", "gz", "--times"]], ids=str)
def test_what_was_exported_is_imported_as_the_same_log(tmp_path: Path, logs_dir: Path, options: list[str]) -> None:
    log = make_log(name="first")
    chunk_store().append(
        log.key,
        [Entry(0, b"a\n", 1), Entry(1, b"", 2), Entry(1, b"b" * 200_000, 1_000_000), Entry(0, b"c", 3_000_000)],
    )
    chunk_store().append(log.key, [Entry(0, b"later\n", 9_000_000), Entry(2, b"\xff\0", 9_000_001)])
    chunk_store().finish(log.key)
    once = exportlog(log, tmp_path / "once", *options)
    importlog(tmp_path / "once")
    other = LogFile.objects.exclude(pk=log.pk).get()
    assert stored(other, logs_dir) == stored(log, logs_dir)
    assert exportlog(other, tmp_path / "twice", *options) == once
    assert (logs_dir / f"{other.key}.log").read_bytes() == (logs_dir / f"{log.key}.log").read_bytes()


entries = st.lists(
    st.builds(Entry, st.integers(0, 2), st.binary(max_size=50), st.integers(0, 10**6) | st.none()), max_size=20
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=5), st.booleans())
def test_any_log_reads_the_same_from_its_export(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[Entry]], times: bool
) -> None:
    store = ChunkStore(tmp_path_factory.mktemp("logs"), fsync="never")
    store.create("a")
    for body in bodies:
        store.append("a", body, arrived_us=500_000)
    out = io.BytesIO()
    with store.reader("a") as reader:
        export_log(reader, out, times=times, progress=int)
        frame = reader.frame(0, precision_us=1)
    store.close()
    again = parse_chunk_stream(out.getvalue())
    sent = [entry for body in bodies for entry in body]
    assert joined((entry.channel, entry.data) for entry in again) == joined((e.channel, e.data) for e in sent)
    if times and frame:
        assert [(e.channel, len(e.data), e.time_us) for e in again] == frame.runs
    else:
        assert netstrings(out.getvalue()) == joined((entry.channel, entry.data) for entry in sent)


def test_standard_output_gets_the_stream_and_nothing_else(monkeypatch: pytest.MonkeyPatch, logs_dir: Path) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(1, b"oops\n")])
    out, said = io.BytesIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    call_command("exportlog", log.key, stderr=said)
    assert out.getvalue() == b"6:1oops\n,"
    assert "still open" in said.getvalue()


@pytest.mark.bad_input("an export of a damaged log")
def test_a_log_that_cannot_be_read_leaves_no_file_and_harms_none(tmp_path: Path, logs_dir: Path) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(0, b"one\n")])
    chunk_store().append(log.key, [Entry(1, b"two\n")])
    chunk_store().finish(log.key)
    with (logs_dir / f"{log.key}.idx").open("r+b") as index:
        index.seek(64 + 48)
        index.write(b"\xff" * 8)
    (tmp_path / "out").write_bytes(b"before")
    with pytest.raises(CommandError, match="no whole record covers byte 4"):
        exportlog(log, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out"]


def test_what_cannot_be_named_or_written_is_said(tmp_path: Path, logs_dir: Path) -> None:
    log = make_log()
    for name in ("99999", "9" * 40, "../etc/passwd", "demo/none-1"):
        with pytest.raises(CommandError, match="there is no log"):
            call_command("exportlog", name, "-o", str(tmp_path / "out"))
    with pytest.raises(CommandError, match="No such file"):
        exportlog(log, tmp_path / "none" / "out")
    with pytest.raises(CommandError, match="--times"):
        exportlog(log, tmp_path / "out", "--text", "--times")
    assert not os.path.lexists(tmp_path / "out")
