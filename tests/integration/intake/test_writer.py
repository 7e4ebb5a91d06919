"""LogWriter: steps inside the server's own process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import Appended, Channel, LogFinished, LogLocked
from logviewer.intake.writer import LogWriter
from logviewer.live import chunk_store
from logviewer.models import Completeness, LogFile, LogState
from tests.factories import make_log

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 5
ROOT = Path(__file__).parents[3]


@pytest.fixture
def log() -> LogFile:
    made = make_log()
    chunk_store().create(made.key)
    return made


def runs(log: LogFile) -> list[tuple[int, bytes]]:
    """What is stored, as (channel, bytes) of each extent's run."""
    with chunk_store().reader(log.key) as reader:
        frame = reader.frame(0, max_bytes=2**20)
    if frame is None:
        return []
    found, position = [], 0
    for channel, length, _time in frame.runs:
        found.append((channel, frame.data[position : position + length]))
        position += length
    return found


def extents(log: LogFile) -> int:
    """How many records the index has."""
    return (chunk_store().root / f"{log.key}.idx").stat().st_size // 48 - 1


def test_text_and_bytes_arrive_on_their_channels_in_order(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_header("make all\n")
    writer.add_stdout("grüße\n")
    writer.add_stderr(b"\xff\xfe\n")
    writer.add_entry(Channel.STDOUT, "done\n")
    writer.flush()
    assert runs(log) == [
        (2, b"make all\n"),
        (0, "grüße\n".encode()),
        (1, b"\xff\xfe\n"),
        (0, b"done\n"),
    ]


def test_runs_of_one_channel_are_merged_into_one_extent(log: LogFile) -> None:
    writer = LogWriter(log)
    for _ in range(100):
        writer.add_stdout("x" * 10)
    writer.flush()
    assert extents(log) < 20
    assert runs(log)[0][0] == 0
    assert b"".join(data for _, data in runs(log)) == b"x" * 1000


def test_a_full_run_is_stored_at_once(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_stdout(b"y" * 65_536)
    with chunk_store().reader(log.key) as reader:
        assert reader.end().size == 65_536


def test_a_run_that_nobody_adds_to_is_stored_by_itself(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_stdout("and then silence")
    deadline = time.monotonic() + WAIT_SECONDS
    while writer.waiting and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert runs(log) == [(0, b"and then silence")]


def test_finish_stores_the_rest_and_verifies(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_stdout("hello\n")
    finished = writer.finish()
    assert (finished.state, finished.completeness) == (LogState.FINISHED, Completeness.VERIFIED)
    assert (finished.size, finished.lines, finished.received) == (6, 1, 6)
    assert finished.sha256 == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_after_the_finish_every_call_is_refused(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.finish()
    for call in (
        lambda: writer.add_stdout("late"),
        lambda: writer.add_stderr("late"),
        lambda: writer.add_header("late"),
        lambda: writer.add_entry(0, "late"),
        writer.flush,
        writer.finish,
    ):
        with pytest.raises(LogFinished):
            call()


def test_an_unknown_channel_is_refused(log: LogFile) -> None:
    with pytest.raises(ValueError, match="9"):
        LogWriter(log).add_entry(9, "what")


def test_an_error_of_the_store_reaches_the_writers_owner(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_stdout("first")
    writer.flush()
    chunk_store().finish(log.key)
    writer.add_stdout("second")
    with pytest.raises(LogFinished):
        writer.flush()


def test_threads_may_share_a_writer(log: LogFile) -> None:
    writer = LogWriter(log)

    def add(number: int) -> None:
        for _ in range(200):
            writer.add_entry(number % 3, b"%d" % number * 50 + b"\n")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.finish().lines == 800


def test_the_row_follows_while_the_log_is_open(log: LogFile) -> None:
    writer = LogWriter(log)
    writer.add_stdout("one\n")
    writer.flush()
    log.refresh_from_db()
    assert (log.size, log.lines, log.state) == (4, 1, LogState.OPEN)


def test_what_was_added_is_stored_although_its_writer_was_dropped(log: LogFile) -> None:
    LogWriter(log).add_stdout("last words")
    deadline = time.monotonic() + WAIT_SECONDS
    while not runs(log):
        assert time.monotonic() < deadline, "it was never stored"
        time.sleep(0.01)
    assert runs(log) == [(0, b"last words")]


def test_an_error_that_passed_is_not_raised_later(log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [LogLocked(Path("stdio.idx"), 5.0)]
    store = chunk_store().append

    def locked_once(*arguments: Any, **options: Any) -> Appended:
        if refusals:
            raise refusals.pop()
        return store(*arguments, **options)

    monkeypatch.setattr(chunk_store(), "append", locked_once)
    writer = LogWriter(log)
    writer.add_stdout("line\n")
    deadline = time.monotonic() + WAIT_SECONDS
    while writer.waiting:
        assert time.monotonic() < deadline, "it was never stored"
        time.sleep(0.01)
    assert writer.finish().completeness == Completeness.VERIFIED
    assert not refusals


def test_the_order_of_each_threads_calls_is_kept_while_runs_are_stored_and_channels_change(log: LogFile) -> None:
    writer = LogWriter(log)

    def add(name: bytes) -> None:
        for number in range(3000):
            writer.add_entry(number % 400 == 0, b"%s %d %s\n" % (name, number, b"." * 90))
            if number % 500 == 0:
                writer.flush()

    threads = [threading.Thread(target=add, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.finish().completeness == Completeness.VERIFIED
    lines = (chunk_store().root / f"{log.key}.log").read_bytes().splitlines()
    for name in (b"a", b"b", b"c"):
        assert [int(line.split()[1]) for line in lines if line[:1] == name] == list(range(3000))
    with chunk_store().reader(log.key) as reader:
        position = 0
        while frame := reader.frame(position):
            start = 0
            for channel, length, _time in frame.runs:
                for line in frame.data[start : start + length].splitlines():
                    assert channel == (int(line.split()[1]) % 400 == 0)
                start += length
            position = frame.end


def test_each_call_beside_a_finish_is_stored_or_refused(log: LogFile) -> None:
    writer = LogWriter(log)
    taken: list[int] = []
    go = threading.Barrier(4)

    def add() -> None:
        go.wait()
        count = 0
        try:
            while True:
                writer.add_stdout(b"0123456789")
                count += 1
        except LogFinished:
            taken.append(count)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    go.wait()
    while not runs(log):
        pass
    finished = writer.finish()
    for thread in threads:
        thread.join()
    assert finished.received == 10 * sum(taken)
    assert finished.completeness == Completeness.VERIFIED


def test_what_waits_at_the_interpreters_exit_is_stored(tmp_path: Path) -> None:
    script = f"""
import types, django
django.setup()
from django.conf import settings
from pathlib import Path
settings.LOGS_DIR = Path({str(tmp_path)!r})
from logviewer.intake import writer
from logviewer.chunkstore import NO_LIMITS
from logviewer.live import chunk_store
writer._flusher._run = lambda: None  # the flusher is at sleep for ever: only the exit can store it
chunk_store().create("a/log")
writer.log_limits = lambda log: NO_LIMITS
log = writer.LogWriter(types.SimpleNamespace(pk=1, key="a/log"))
log.add_stdout("last ")
log.add_stderr("words")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "a/log.log").read_bytes() == b"last words"


def test_a_log_says_whether_it_has_contents_and_is_finished(log: LogFile) -> None:
    writer = LogWriter(log)
    log.refresh_from_db()
    assert (log.has_contents, log.is_finished) == (False, False)
    writer.add_stdout("x")
    writer.flush()
    log.refresh_from_db()
    assert (log.has_contents, log.is_finished) == (True, False)
    writer.finish()
    log.refresh_from_db()
    assert (log.has_contents, log.is_finished) == (True, True)
