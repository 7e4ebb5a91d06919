"""manage.py importlog: Buildbot's own logs, compressed or not; imports that are stopped, and files that are none."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from logviewer.chunkstore import encode_entry, encode_time
from logviewer.live.store import chunk_store
from logviewer.models import Build, Completeness, LogFile, LogState, Step
from tests.factories import make_build, make_log, make_step
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.logs import joined

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[2] / "data" / "buildbot-0.8.14"
NAMES = ["1-log-compile-stdio", "2-log-test-stdio", "3-log-compile-stdio.bz2", "4-log-test-stdio.gz"]
WHERE = ["--project", "old", "--builder", "linux", "--step", "compile", "--log", "stdio"]


def importlog(file: Path | str, *options: str) -> str:
    """Import a file; what the command said."""
    said = io.StringIO()
    call_command("importlog", str(file), *WHERE, *options, stdout=said)
    return said.getvalue()


def stored(log: LogFile, logs_dir: Path) -> list[tuple[int, bytes]]:
    return plain_format.joined(plain_format.extents(logs_dir, log.key))


def received(log: LogFile) -> int:
    with chunk_store().reader(log.key) as reader:
        return reader.end().received


@pytest.mark.parametrize("name", NAMES)
def test_a_log_of_buildbots_comes_in_whole_and_verified(name: str, logs_dir: Path) -> None:
    said = importlog(SAMPLES / name)
    log = LogFile.objects.get()
    listed = json.loads((SAMPLES / f"{name.split('.')[0]}.chunks.json").read_text())
    expected = joined((channel, base64.b64decode(data)) for channel, data in listed)
    payload = b"".join(data for _channel, data in expected)
    assert stored(log, logs_dir) == expected
    assert log.completeness == Completeness.VERIFIED
    assert log.sha256 == hashlib.sha256(payload).hexdigest()
    assert log.received == len(payload)
    assert f"log {log.pk} " in said
    assert "verified" in said


def test_the_coding_is_told_by_the_content_not_by_the_name(tmp_path: Path, logs_dir: Path) -> None:
    body = encode_entry(0, b"hello\n")
    for number, packed in enumerate([body, gzip.compress(body), bz2.compress(body)]):
        file = tmp_path / ["log.gz", "log.bz2", "log"][number]
        file.write_bytes(packed)
        importlog(file)
    assert [stored(log, logs_dir) for log in LogFile.objects.all()] == [[(0, b"hello\n")]] * 3


def test_the_same_import_again_changes_nothing(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"hello\n"))
    assert importlog(file) == importlog(file)
    assert (Build.objects.count(), Step.objects.count(), LogFile.objects.count()) == (1, 1, 1)


def test_an_import_into_a_build_that_is_there_adds_to_it(tmp_path: Path) -> None:
    log = make_log(step=make_step(build=make_build(number=7), name="compile"), name="other")
    file = tmp_path / "log"
    file.write_bytes(encode_entry(2, b"made by hand\n"))
    call_command(
        "importlog", str(file), "--project", "demo", "--builder", "linux", "--build", "7", "--step", "compile",
        "--log", "stdio", "--type", "text", "--results", "warnings", stdout=io.StringIO(),
    )  # fmt: skip
    added = LogFile.objects.exclude(pk=log.pk).get()
    assert (added.step_id, added.type) == (log.step_id, "text")
    assert (added.step.results, added.step.build.results) == ("warnings", "warnings")


def test_times_are_kept(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_time(5_000_000) + encode_entry(0, b"a\n") + encode_time(9_000_000) + encode_entry(0, b"b"))
    importlog(file)
    extents = plain_format.extents(logs_dir, LogFile.objects.get().key)
    assert [(extent.time_us, extent.data) for extent in extents[:2]] == [(5_000_000, b"a\n"), (9_000_000, b"b")]


def test_standard_input_needs_a_title(monkeypatch: pytest.MonkeyPatch, logs_dir: Path) -> None:
    with pytest.raises(CommandError, match="--title"):
        importlog("-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(encode_entry(1, b"piped")))))
    importlog("-", "--title", "from a pipe")
    assert stored(LogFile.objects.get(), logs_dir) == [(1, b"piped")]
    assert Build.objects.get().title == "from a pipe"


def test_a_log_that_is_kept_open_is_finished_by_importing_again(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"one\n"))
    importlog(file, "--keep-open")
    log = LogFile.objects.get()
    assert (log.state, log.received, log.size) == (LogState.OPEN, 4, 4)
    file.write_bytes(encode_entry(0, b"one\n") + encode_entry(1, b"two\n"))
    importlog(file)
    log.refresh_from_db()
    assert log.completeness == Completeness.VERIFIED
    assert stored(log, logs_dir) == [(0, b"one\n"), (1, b"two\n")]


def test_a_file_of_many_pieces_and_the_longest_entries(tmp_path: Path, logs_dir: Path) -> None:
    data = [bytes([65 + number % 26]) * (1024 * 1024 - number) for number in range(5)]
    file = tmp_path / "log"
    file.write_bytes(b"".join(encode_entry(number % 2, piece) for number, piece in enumerate(data)))
    importlog(file)
    assert stored(LogFile.objects.get(), logs_dir) == [(number % 2, piece) for number, piece in enumerate(data)]


@pytest.mark.bad_input("an import that is no chunk stream")
@pytest.mark.parametrize(
    ("content", "position"),
    [(b"hello", 0), (b"6:0hello;", 8), (b"7:0wor", 0), (gzip.compress(b"6:0hello,3:9hi,", mtime=0), 11), (b"0:,", 0)],
)
def test_a_file_that_is_no_chunk_stream_is_refused_at_its_byte_and_leaves_nothing(
    tmp_path: Path, logs_dir: Path, content: bytes, position: int
) -> None:
    file = tmp_path / "log"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=rf"at byte {position}: .*nothing was stored"):
        importlog(file)
    assert not LogFile.objects.exists()
    assert not Build.objects.exists()
    assert not logs_dir.exists()


@pytest.mark.bad_input("an import that is no chunk stream")
def test_what_came_before_the_fault_is_kept_and_can_be_continued(tmp_path: Path, logs_dir: Path) -> None:
    good = encode_entry(0, b"x" * 99 + b"\n") * 10_000
    file = tmp_path / "log"
    file.write_bytes(good + b"oops")
    with pytest.raises(CommandError, match=f"at byte {len(good)}.* stays open"):
        importlog(file)
    log = LogFile.objects.get()
    assert log.state == LogState.OPEN
    assert 0 < received(log) == log.received < 1_000_000
    file.write_bytes(good)
    importlog(file)
    log.refresh_from_db()
    assert (log.completeness, log.received) == (Completeness.VERIFIED, 1_000_000)


@pytest.mark.bad_input("an import that differs from what is stored")
def test_another_file_under_the_same_name_is_refused_at_the_first_byte_that_differs(
    tmp_path: Path, logs_dir: Path
) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"one\n"))
    importlog(file, "--keep-open")
    file.write_bytes(encode_entry(0, b"oNe\n"))
    with pytest.raises(CommandError, match=r"byte 1 .*stays open"):
        importlog(file)
    assert stored(LogFile.objects.get(), logs_dir) == [(0, b"one\n")]


@pytest.mark.bad_input("a decompression bomb")
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, logs_dir: Path, compress) -> None:
    entry = encode_entry(0, bytes(1024 * 1024))
    file = tmp_path / "bomb"
    file.write_bytes(compress(entry * 32))
    with pytest.raises(CommandError, match="--max-ratio"):
        importlog(file, "--max-ratio", "100")
    for log in LogFile.objects.all():
        assert received(log) <= 1024 * 1024 + 100 * file.stat().st_size


@pytest.mark.bad_input("a decompression bomb")
def test_a_bomb_of_bzip2_is_refused_at_a_thousand_times_its_size(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(bz2.compress(encode_entry(0, bytes(1024 * 1024)) * 64))
    assert file.stat().st_size * 1000 < 64 * 1024 * 1024
    with pytest.raises(CommandError, match="decompression bomb"):
        importlog(file)


@pytest.mark.bad_input("a decompression bomb")
def test_what_is_too_large_is_refused_and_nothing_beyond_is_stored(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"x" * 1000) * 3000)
    with pytest.raises(CommandError, match=r"more than 1048576 bytes.* stays open"):
        importlog(file, "--max-size", "1m")
    assert received(LogFile.objects.get()) <= 1024 * 1024
    importlog(file, "--max-size", "4M")
    assert received(LogFile.objects.get()) == 3_000_000


@pytest.mark.bad_input("a compressed import that is cut short or damaged")
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-20], lambda packed: packed[:30] + b"!!!!!" + packed[35:]])
def test_a_damaged_archive_says_so_and_leaves_nothing(tmp_path: Path, logs_dir: Path, compress, damage) -> None:
    file = tmp_path / "log"
    file.write_bytes(damage(compress(b"".join(encode_entry(0, b"%d\n" % number) for number in range(1000)))))
    with pytest.raises(CommandError, match=r"damaged or cut short.*nothing was stored"):
        importlog(file)
    assert not LogFile.objects.exists()
    assert not logs_dir.exists()


def test_a_log_that_the_store_refuses_is_gone_again(
    tmp_path: Path, logs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(chunk_store(), "append", full)
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"one\n"))
    with pytest.raises(CommandError, match=r"No space left.*nothing was stored"):
        importlog(file)
    assert not LogFile.objects.exists()
    assert not list(logs_dir.rglob("*.*"))


@pytest.mark.parametrize(
    "options",
    [
        ["--project", "Not a slug"], ["--builder", "../x"], ["--step", ""], ["--log", "a\nb"], ["--log", "x" * 201],
        ["--build", "0"], ["--max-size", "many"], ["--max-ratio", "0"], ["--type", "zip"], ["--title", "x" * 501],
        ["--finish", "--keep-open"],
    ],
    ids=str,
)  # fmt: skip
def test_wrong_options_are_refused_and_nothing_is_stored(tmp_path: Path, logs_dir: Path, options: list[str]) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"one\n"))
    with pytest.raises(CommandError):
        importlog(file, *options)
    assert not Build.objects.exists()
    with pytest.raises(CommandError, match="No such file"):
        importlog(tmp_path / "none")


def test_a_finished_build_takes_no_further_log(tmp_path: Path, logs_dir: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(encode_entry(0, b"one\n"))
    importlog(file, "--build", "3", "--results", "success")
    with pytest.raises(CommandError, match="takes nothing more"):
        call_command("importlog", str(file), *WHERE[:-1], "other", "--build", "3", stdout=io.StringIO())
    assert LogFile.objects.count() == 1
