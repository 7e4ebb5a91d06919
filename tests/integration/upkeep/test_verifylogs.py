"""manage.py verifylogs: what it reports of files and rows, and what --repair makes of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import Archive, ChunkStore, Entry
from logviewer.chunkstore.marking import extend_marks
from logviewer.chunkstore.verification import Verification
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import Completeness, Inspection, LogFile, LogState
from tests.factories import make_build, make_builder, make_log, make_project, make_step
from tests.unit.chunkstore import plain_format, test_verification
from tests.unit.chunkstore.logs import joined
from tests.unit.chunkstore.test_recovery import flip

pytestmark = pytest.mark.django_db

HOURS_AGO = time.time() - 7200


def verifylogs(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was said as objects: findings, then the summary."""
    said = io.StringIO()
    try:
        call_command("verifylogs", *arguments, "--json", stdout=said)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, [json.loads(line) for line in said.getvalue().splitlines()]


def faults(*arguments: str) -> list[str]:
    return [finding["fault"] for finding in verifylogs(*arguments)[1][:-1]]


def written_log(name: str = "stdio", *, finished: bool = True) -> LogFile:
    """A log with bytes in it, as intake leaves it, untouched for hours."""
    log = make_log(name=name)
    for number in range(3):
        append_output(log.pk, log.key, [Entry(0, b"line %d\n" % number), Entry(1, b"oops\n")])
    if finished:
        log = finish_log(log, received=36, sha256=hashlib.sha256(payload()).hexdigest(), unverified=False)
    else:
        LogFile.objects.filter(pk=log.pk).update(size=36, lines=6, received=36)
    age(log)
    log.refresh_from_db()
    return log


def payload() -> bytes:
    return b"".join(b"line %d\noops\n" % number for number in range(3))


def files(log: LogFile) -> tuple[Path, Path, Path]:
    root = chunk_store().root
    return root / f"{log.key}.log", root / f"{log.key}.idx", root / f"{log.key}.log.zst"


def age(log: LogFile) -> None:
    """Make all that is left of a log's files, and of the way to them, look as if nothing had moved for hours."""
    directory = files(log)[0].parent
    beside = directory.iterdir() if directory.exists() else ()
    for path in (*beside, *(path for path in directory.parents[:5] if path.exists())):
        os.utime(path, (HOURS_AGO, HOURS_AGO))


def seal(log: LogFile) -> None:
    text, _index, sealed = files(log)
    pieces = [text.read_bytes()]
    frame = test_verification.compress_frame(pieces[0])
    sealed.write_bytes(frame + test_verification.pack_seek_table([len(frame), len(pieces[0])]))
    text.unlink()
    LogFile.objects.filter(pk=log.pk).update(form="sealed", stored_bytes=sealed.stat().st_size)
    age(log)


def test_whole_logs_have_no_findings(logs_dir: Path) -> None:
    written_log()
    written_log("open", finished=False)
    make_log(name="empty")
    seal(written_log("sealed"))
    assert verifylogs() == (0, [{"logs": 4, "findings": 0, "repaired": 0, "remaining": 0}])
    assert verifylogs("--repair")[0] == 0


def test_the_report_is_a_line_for_each_finding_and_a_summary(logs_dir: Path) -> None:
    log = written_log()
    flip(files(log)[0], 0)
    said = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verifylogs", stdout=said)
    assert ended.value.code == 1
    assert said.getvalue() == (
        f"log {log.pk} {log.key}: damaged: record 0, from byte 0 of the text: record 0: CRC differs; "
        "reading goes on from byte 7\nchecked: 1 logs, 1 findings, 0 repaired, 1 remaining\n"
    )


def test_logs_are_chosen_by_id_key_and_project(logs_dir: Path) -> None:
    one, two = written_log("one"), written_log("two")
    other_build = make_build(builder=make_builder(project=make_project("other")))
    other = make_log(step=make_step(build=other_build))
    flip(files(one)[0], 0)
    flip(files(other)[1], 0)
    assert faults(str(one.pk)) == ["damaged"]
    assert faults(two.key) == []
    assert faults(two.key, str(one.pk)) == ["damaged"]
    assert faults("--project", "other") == ["index-unreadable"]


@pytest.mark.parametrize("arguments", [["999"], ["no/such/key-1"], ["--project", "none"]], ids=str)
def test_wrong_names_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("verifylogs", *arguments)
    assert refused.value.returncode == 2


DAMAGES: list[tuple[Callable[[Path, Path], object], str]] = [
    (lambda text, _index: flip(text, 3), "damaged"),
    (lambda _text, index: flip(index, 64 + 48 + 5), "damaged"),
    (lambda _text, index: flip(index, 0), "index-unreadable"),
    (lambda _text, index: os.truncate(index, 64 + 48), "index-short"),
    (lambda text, _index: os.truncate(text, 5), "damaged"),
    (lambda text, _index: text.unlink(), "text-missing"),
    (lambda _text, index: index.unlink(), "index-missing"),
]


@pytest.mark.parametrize(("damage", "fault"), DAMAGES)
def test_damage_to_what_was_stable_is_reported_and_repair_changes_nothing(
    logs_dir: Path, damage: Callable[[Path, Path], object], fault: str
) -> None:
    log = written_log()
    damage(*files(log)[:2])
    left = {path: path.read_bytes() for path in logs_dir.rglob("*.*")}
    before = LogFile.objects.values().get()
    for arguments in ([], ["--repair"]):
        code, said = verifylogs(*arguments)
        assert code == 1
        assert [finding["fault"] for finding in said[:-1]] == [fault]
        assert {path: path.read_bytes() for path in logs_dir.rglob("*.*")} == left
        assert LogFile.objects.values().get() == before


@pytest.mark.bad_input("an index that ends before its text does")
@pytest.mark.bad_input("a text that ends before its index does")
@pytest.mark.parametrize("which", [0, 1])
def test_a_torn_end_is_cut_and_the_row_follows(logs_dir: Path, which: int) -> None:
    log = written_log(finished=False)
    path = files(log)[which]
    os.truncate(path, path.stat().st_size - 3)
    age(log)
    before = path.read_bytes()
    assert faults() == ["torn-end", "row-differs"]
    assert path.read_bytes() == before
    chunk_store.cache_clear()  # as another process
    code, said = verifylogs("--repair")
    log.refresh_from_db()
    assert code == 0
    assert said[-1]["remaining"] == 0
    assert (log.received, log.size, log.state) == (31, 31, LogState.OPEN)
    assert files(log)[0].read_bytes() == payload()[:31]
    assert append_output(log.pk, log.key, [Entry(1, b"oops\n")], offset=31).received == 36


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 1}, {"lines": 7}, {"received": 0}, {"omitted": 4}, {"form": "sealed"}, {"stored_bytes": 9},
        {"sha256": None}, {"text_sha256": "0" * 64}, {"state": "open", "finished_at": None, "completeness": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_differs_is_brought_to_what_the_files_say(logs_dir: Path, wrong: dict[str, Any]) -> None:
    log = written_log()
    LogFile.objects.filter(pk=log.pk).update(**wrong)
    code, said = verifylogs()
    assert code == 1
    assert [finding["fault"] for finding in said[:-1]] == ["row-differs"]
    assert next(iter(wrong)) in said[0]["detail"]
    assert verifylogs("--repair")[0] == 0
    assert faults() == []
    assert LogFile.objects.get().state == LogState.FINISHED


def test_a_row_that_is_finished_before_its_files_are_is_opened_again(logs_dir: Path) -> None:
    log = written_log(finished=False)
    Inspection.objects.create(log=log)
    LogFile.objects.filter(pk=log.pk).update(
        state="finished", completeness="verified", sha256="0" * 64, looked_bytes=7, looked_through=True
    )
    assert verifylogs("--repair")[0] == 0
    assert not Inspection.objects.exists()  # else insight would go on in the middle
    log.refresh_from_db()
    assert (log.state, log.completeness, log.sha256) == (LogState.OPEN, None, None)
    assert (log.looked_bytes, log.looked_through) == (0, False)


def test_a_hash_that_does_not_hold_any_more_verifies_nothing(logs_dir: Path) -> None:
    log = written_log()
    assert log.completeness == Completeness.VERIFIED
    LogFile.objects.update(sha256="0" * 64, text_sha256="0" * 64)
    assert verifylogs("--repair")[0] == 0
    log.refresh_from_db()
    assert (log.sha256, log.completeness) == (hashlib.sha256(payload()).hexdigest(), Completeness.UNVERIFIED)


def test_a_row_that_tells_of_no_redaction_is_repaired_without_emptying_the_databases_log(logs_dir: Path) -> None:
    written_log()
    LogFile.objects.update(sha256="0" * 64)
    with CaptureQueriesContext(connection) as queries:
        assert verifylogs("--repair")[0] == 0
    assert not [query["sql"] for query in queries if "PRAGMA secure_delete" in query["sql"]]
    assert faults() == []


def test_a_row_that_lags_by_a_moment_is_no_finding(logs_dir: Path) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(0, b"just now\n")])
    assert faults() == []


@pytest.mark.parametrize(
    "behind", [{"size": 0, "lines": 0, "received": 0}, {"size": 31, "lines": 5, "received": 31}], ids=str
)
def test_the_row_of_an_open_log_may_lag_for_good_after_a_crash(logs_dir: Path, behind: dict[str, Any]) -> None:
    log = written_log(finished=False)
    LogFile.objects.update(**behind)
    assert verifylogs()[0] == 0
    assert append_output(log.pk, log.key, [Entry(1, b"more\n")], offset=36).received == 41


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 37}, {"lines": 7}, {"received": 37}, {"omitted": 1}, {"size": 1, "received": 37}, {"form": "sealed"},
        {"stored_bytes": 9}, {"sha256": "0" * 64}, {"state": "finished", "size": 1},
    ],
    ids=str,
)  # fmt: skip
def test_the_row_of_an_open_log_that_says_more_than_its_files_is_a_finding(
    logs_dir: Path, wrong: dict[str, Any]
) -> None:
    written_log(finished=False)
    LogFile.objects.update(**wrong)
    assert faults() == ["row-differs"]
    assert verifylogs("--repair")[0] == 0
    row = LogFile.objects.get()
    assert (row.size, row.lines, row.received, row.omitted, row.state) == (36, 6, 36, 0, LogState.OPEN)
    assert faults() == []


def test_an_empty_log_without_files_gets_them_back(logs_dir: Path) -> None:
    log = make_log(file=False)
    assert faults() == ["missing"]
    assert verifylogs("--repair")[0] == 0
    assert append_output(log.pk, log.key, [Entry(0, b"x")]).received == 1


def test_a_log_with_bytes_whose_files_are_gone_stays_a_finding(logs_dir: Path) -> None:
    log = written_log()
    for path in files(log)[:2]:
        path.unlink()
    assert faults("--repair") == ["missing"]
    assert not files(log)[1].exists()


@pytest.mark.parametrize("left", ["nothing", "the index"])
def test_an_open_log_whose_text_is_gone_goes_on_and_says_what_it_lost(logs_dir: Path, left: str) -> None:
    log = written_log(finished=False)
    log.annotations.create(line=2, level="error", message="oops")
    Inspection.objects.create(log=log)
    LogFile.objects.filter(pk=log.pk).update(received=30, errors=1, looked_bytes=36)  # it lags
    chunk_store().close()
    chunk_store.cache_clear()
    text, index, _sealed = files(log)
    text.unlink()
    if left == "nothing":
        index.unlink()
    lost = 36 if left == "the index" else 30
    code, said = verifylogs("--repair")
    assert code == 0
    assert [finding["repaired"] for finding in said if "fault" in finding] == [True] * (len(said) - 1)
    assert faults() == []
    with chunk_store().reader(log.key) as reader:
        assert b"%d bytes" % lost in reader.read(0, 1000)
        assert (reader.end().received, reader.end().omitted) == (lost, lost)
    log.refresh_from_db()
    assert (log.errors, log.looked_bytes, log.annotations.count(), Inspection.objects.count()) == (0, 0, 0, 0)
    assert append_output(log.pk, log.key, [Entry(0, b"on\n")], offset=lost).received == lost + 3
    log.refresh_from_db()
    finished = finish_log(log, received=lost + 3, sha256=None, unverified=False)
    assert finished.completeness == Completeness.OMITTED
    aside = logs_dir.parent / "lost+found"
    assert [path.name for path in aside.rglob("*.idx")] == ([index.name] if left == "the index" else [])


def test_the_text_beside_a_whole_sealed_file_goes(logs_dir: Path) -> None:
    log = written_log()
    seal(log)
    files(log)[0].write_bytes(payload())
    age(log)
    assert "text-left" in faults()
    assert verifylogs("--repair")[0] == 0
    assert not files(log)[0].exists()
    assert faults() == []


@pytest.mark.bad_input("a damaged sealed file")
def test_a_damaged_sealed_file_beside_its_text_is_put_aside(logs_dir: Path) -> None:
    log = written_log()
    seal(log)
    files(log)[0].write_bytes(payload())
    flip(files(log)[2], 10)
    damaged = files(log)[2].read_bytes()
    age(log)
    assert "sealed-damaged" in faults()
    assert verifylogs("--repair")[0] == 0
    assert (logs_dir.parent / "lost+found" / f"{log.key}.log.zst").read_bytes() == damaged
    assert files(log)[0].read_bytes() == payload()


@pytest.mark.bad_input("a damaged sealed file")
def test_a_damaged_sealed_file_without_its_text_is_left_as_it_is(logs_dir: Path) -> None:
    log = written_log()
    seal(log)
    flip(files(log)[2], 10)
    left = files(log)[2].read_bytes()
    for arguments in ([], ["--repair"]):
        assert verifylogs(*arguments)[0] == 1
    assert files(log)[2].read_bytes() == left


def test_a_log_sealed_after_its_index_was_copied_becomes_plain_again(logs_dir: Path) -> None:
    log = written_log(finished=False)
    copied = files(log)[1].read_bytes()
    finish_log(log, received=None, sha256=None, unverified=True)
    seal(log)
    LogFile.objects.update(form="plain", stored_bytes=0, state="open", finished_at=None, text_sha256=None, sha256=None)
    LogFile.objects.update(completeness=None)
    files(log)[1].write_bytes(copied)
    age(log)
    chunk_store.cache_clear()
    assert "sealed-unfinished" in faults()
    code, said = verifylogs("--repair")
    assert (code, said[-1]["remaining"]) == (0, 0)
    assert files(log)[0].read_bytes() == payload()
    assert append_output(log.pk, log.key, [Entry(0, b"on\n")], offset=36).received == 39


def test_a_row_from_before_a_redaction_forgets_what_it_quotes(logs_dir: Path) -> None:
    log = written_log()
    log.annotations.create(line=2, level="error", message="oops")
    LogFile.objects.filter(pk=log.pk).update(errors=1, looked_bytes=36, looked_through=True)
    chunk_store().redact(log.key, 2, 2)
    age(log)
    assert faults() == ["row-differs"]
    assert verifylogs("--repair")[0] == 0
    log.refresh_from_db()
    assert not log.annotations.exists()
    assert (log.errors, log.looked_bytes, log.looked_through, log.redactions) == (0, 0, False, 1)
    assert (log.completeness, log.omitted, log.sha256) == (Completeness.OMITTED, 5, None)
    assert faults() == []


@pytest.mark.parametrize("is_old", ["without its end", "from before a redaction"])
def test_an_old_index_of_a_log_that_has_moved_is_put_aside(
    logs_dir: Path, file_archive: Archive, archive_directory: Path, is_old: str
) -> None:
    log = written_log(finished=False)
    index = files(log)[1]
    if is_old == "without its end":
        old = index.read_bytes()
        finish_log(log, received=None, sha256=None, unverified=True)
    else:
        finish_log(log, received=None, sha256=None, unverified=True)
        old = index.read_bytes()
        chunk_store().redact(log.key, 2, 2)
    chunk_store().seal(log.key)
    chunk_store().move(log.key)
    LogFile.objects.filter(pk=log.pk).update(state="open", finished_at=None, text_sha256=None, completeness=None)
    index.parent.mkdir(parents=True)
    index.write_bytes(old)
    age(log)
    chunk_store.cache_clear()
    assert verifylogs()[0] == 1
    code, said = verifylogs("--repair")
    assert (code, said[-1]["remaining"]) == (0, 0)
    log.refresh_from_db()
    assert (log.state, log.form) == ("finished", "archived")
    assert not index.exists()
    assert (logs_dir.parent / "lost+found" / f"{log.key}.idx").read_bytes() == old
    with chunk_store().reader(log.key) as reader:
        expected = payload() if is_old == "without its end" else payload().replace(b"oops", b"****", 1)
        assert reader.read(0, 1000) == expected
    assert (archive_directory / f"{log.key}.idx").is_file()


def test_files_without_a_row_are_put_aside_never_deleted(logs_dir: Path) -> None:
    log = written_log()
    content = {path.name: path.read_bytes() for path in files(log)[0].parent.iterdir()}
    key = log.key
    log.delete()
    code, said = verifylogs()
    assert (code, [(finding["key"], finding["fault"]) for finding in said[:-1]]) == (1, [(key, "orphan")])
    assert verifylogs("--repair")[0] == 0
    moved = (logs_dir.parent / "lost+found" / key).parent
    assert {path.name: path.read_bytes() for path in moved.iterdir()} == content
    assert faults() == []


def test_young_files_without_a_row_are_left_their_hour(logs_dir: Path) -> None:
    chunk_store().create("demo/linux/1/1-compile/stdio-9999")
    (logs_dir / "demo/linux/1/1-compile/stdio-9999.log.zst.tmp").write_bytes(b"sealing")
    assert faults("--repair") == []


def test_an_unfinished_file_that_nobody_works_at_goes(logs_dir: Path) -> None:
    log = written_log()
    unfinished = files(log)[2].with_name(f"{files(log)[2].name}.tmp")
    unfinished.write_bytes(b"half")
    age(log)
    assert faults() == ["leftover"]
    assert unfinished.exists()
    assert verifylogs("--repair")[0] == 0
    assert not unfinished.exists()


def test_what_lost_and_found_holds_already_is_not_overwritten(logs_dir: Path) -> None:
    for text in (b"one", b"two"):
        path = logs_dir / "gone/x/1/1-a/stdio-1.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        os.utime(path, (HOURS_AGO, HOURS_AGO))
        assert verifylogs("--repair")[0] == 0
    kept = sorted((logs_dir.parent / "lost+found/gone/x/1/1-a").iterdir())
    assert [path.read_bytes() for path in kept] == [b"one", b"two"]


@pytest.mark.bad_input("a key with ..")
def test_a_row_whose_key_leads_elsewhere_is_a_finding(logs_dir: Path) -> None:
    log = written_log()
    LogFile.objects.filter(pk=log.pk).update(storage_key="../../etc/passwd")
    outside = logs_dir.parent.parent / "etc"
    code, said = verifylogs("--repair", str(log.pk))
    assert (code, said[0]["fault"]) == (1, "key-refused")
    assert not outside.exists()


def test_a_log_that_is_written_all_the_while_is_no_finding(logs_dir: Path) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(0, b"x\n")])
    other = ChunkStore(logs_dir, fsync="never")
    with other._appenders.exclusive(log.key), files(log)[0].open("ab") as text:  # a body of another process, half-way
        text.write(b"its text is there, its record is not")
        text.flush()
        assert faults() == []
    assert faults() == ["torn-end"]
    other.close()


def test_a_log_that_is_finished_and_sealed_at_the_worst_instant_stays_whole(
    logs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = written_log(finished=False)
    look = Verification._check_sealed_beside

    def sealed_meanwhile(self: Verification, index: Any, opened: Any) -> Any:
        if not files(log)[2].exists():
            finish_log(log, received=None, sha256=None, unverified=True)
            chunk_store().seal(log.key)
        return look(self, index, opened)

    monkeypatch.setattr(Verification, "_check_sealed_beside", sealed_meanwhile)
    assert "sealed-unfinished" not in faults("--repair")
    assert files(log)[2].exists()
    monkeypatch.undo()
    assert verifylogs("--repair")[0] == 0
    with chunk_store().reader(log.key) as reader:
        assert reader.read(0, 100) == payload()


def test_damaged_marks_go_and_are_made_anew(logs_dir: Path) -> None:
    log = make_log()
    for _turn in range(4):
        append_output(log.pk, log.key, [Entry(0, b"x" * 99 + b"\n")] * 10_000)
    finish_log(log, received=None, sha256=None, unverified=True)
    with chunk_store().reader(log.key) as reader:
        extend_marks(reader)
    marks = chunk_store().root / f"{log.key}.marks"
    age(log)
    assert faults() == []
    flip(marks, 64)
    assert faults() == ["marks-damaged"]
    assert verifylogs("--repair")[0] == 0
    assert not marks.exists()


def test_a_log_in_the_archive_is_decoded_from_there(
    logs_dir: Path, file_archive: Archive, archive_directory: Path
) -> None:
    log = written_log()
    chunk_store().seal(log.key)
    chunk_store().move(log.key)
    assert not files(log)[1].exists()
    assert faults() == []  # the row of a log that moved just now is written next
    age(log)
    assert faults() == ["row-differs"]
    assert verifylogs("--repair")[0] == 0
    log.refresh_from_db()
    assert (log.form, log.stored_bytes > 0) == ("archived", True)
    assert faults() == []
    flip(archive_directory / f"{log.key}.log.zst", 10)
    assert faults("--repair") == ["damaged"]


def test_every_sample_of_a_log_agrees_with_an_independent_reader(logs_dir: Path) -> None:
    log = written_log()
    assert faults() == []
    assert plain_format.joined(plain_format.extents(logs_dir, log.key)) == joined(
        [(channel, data) for number in range(3) for channel, data in [(0, b"line %d\n" % number), (1, b"oops\n")]]
    )
