"""Lines become stars: in every form of a log, wherever they were, and whatever cuts it short."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import (
    Archive,
    ChunkStore,
    Entry,
    Form,
    Limits,
    LogLocked,
    LogOpen,
    NoSuchLine,
    NoSuchLog,
    StorageFull,
    redacting,
    sealing,
)
from logviewer.chunkstore.files import delete_files
from logviewer.chunkstore.keys import LogFiles, log_files
from logviewer.chunkstore.lines import read_lines
from logviewer.chunkstore.marking import extend_marks
from logviewer.chunkstore.sealing import temporary_file
from logviewer.chunkstore.verification import Verification
from tests import independent_reader
from tests.archives import archive_with
from tests.object_store import ObjectStore
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import KEY, err, out, read_back

SECRET = b"hunter2"
LINES = 40_000
TEXT = b"".join(
    b"%06d --password=%s \xe2\x82\xac\r\n" % (number, SECRET)
    if number in (20_000, 20_001)
    else b"%06d \x1b[1mgcc -c file.c of the build\n" % number
    for number in range(1, LINES + 1)
)
FORMS = ("plain", "sealed")


def stars(text: bytes, first: int, last: int) -> bytes:
    """What the contract says becomes of these lines."""
    lines = text.splitlines(keepends=True) if b"\r" not in text else [line + b"\n" for line in text.split(b"\n")][:-1]
    lines[first - 1 : last] = [b"*" * (len(line) - 1) + b"\n" for line in lines[first - 1 : last]]
    return b"".join(lines)


def fill(store: ChunkStore, form: str = "plain") -> None:
    store.create(KEY)
    for number, at in enumerate(range(0, len(TEXT), 50_000)):
        store.append(KEY, [(out, err)[number % 2](TEXT[at : at + 50_000], 1_700_000_000_000_000 + number)])
    store.finish(KEY, len(TEXT), hashlib.sha256(TEXT).hexdigest())
    if form == "sealed":
        store.seal(KEY)
    else:
        store.complete_marks(KEY)


def all_bytes(root: Path) -> bytes:
    """Everything that lies below `root`, what is sealed decoded as well."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found.append(independent_reader.unsealed(data) if path.name.endswith(".zst") else data)
    return b"\0".join(found)


def whole_text(store: ChunkStore) -> bytes:
    return b"".join(data for _channel, data in read_back(store, max_bytes=300_000))


def faults(store: ChunkStore) -> list[str]:
    return [finding.fault for finding in Verification(log_files(store.root, KEY), store.archive).findings()]


@pytest.mark.parametrize("form", FORMS)
def test_the_lines_are_stars_and_the_secret_is_nowhere_any_more(store: ChunkStore, tmp_path: Path, form: str) -> None:
    fill(store, form)
    assert SECRET in all_bytes(tmp_path)
    redacted = store.redact(KEY, 20_000, 20_001)
    expected = stars(TEXT, 20_000, 20_001)
    found = assert_agreement(store, KEY)
    assert found.text == expected
    assert SECRET not in all_bytes(tmp_path)
    lost = 2 * len(b"020000 --password=hunter2 \xe2\x82\xac\r\n")
    assert (found.received, found.omitted, found.lines, found.sha256) == (len(TEXT), lost, LINES, None)
    assert redacted.text_sha256 == found.text_sha256 == hashlib.sha256(expected).hexdigest()
    assert redacted.form is store.form(KEY) is Form(form)
    assert redacted.stored_bytes == ((tmp_path / f"{KEY}.log.zst").stat().st_size if form == "sealed" else 0)
    assert redacted.end.omitted == lost
    assert faults(store) == []
    suffixes = {path.name.removeprefix("stdio-1017") for path in (tmp_path / KEY).parent.iterdir()}
    assert suffixes - {".marks"} == {".idx", ".log" if form == "plain" else ".log.zst"}


@pytest.mark.parametrize("form", FORMS)
def test_channels_lines_and_times_stay_as_they_were(store: ChunkStore, form: str) -> None:
    fill(store, form)
    before = [(channel, len(data)) for channel, data in read_back(store, max_bytes=300_000)]
    with store.reader(KEY) as reader:
        window = read_lines(reader, 19_998, 5, frozenset({0, 1, 2}))
    store.redact(KEY, 20_000, 20_001)
    assert [(channel, len(data)) for channel, data in read_back(store, max_bytes=300_000)] == before
    with store.reader(KEY) as reader:
        again = read_lines(reader, 19_998, 5, frozenset({0, 1, 2}))
    assert [(line.number, line.time_us) for line in again.lines] == [
        (line.number, line.time_us) for line in window.lines
    ]


@pytest.mark.parametrize("form", FORMS)
def test_it_may_be_repeated_with_the_same_outcome(store: ChunkStore, form: str) -> None:
    fill(store, form)
    first = store.redact(KEY, 1, 3)
    assert store.redact(KEY, 1, 3) == first
    assert store.redact(KEY, 2, 2) == first
    assert_agreement(store, KEY)


def test_all_of_a_log_may_be_redacted(store: ChunkStore) -> None:
    fill(store)
    store.redact(KEY, 1, LINES)
    found = assert_agreement(store, KEY)
    assert set(found.text) == set(b"*\n")
    assert found.omitted == len(TEXT)


def test_what_a_writer_sends_or_says_again_meets_the_redacted_log_as_before(store: ChunkStore) -> None:
    fill(store)
    store.redact(KEY, 20_000, 20_001)
    assert store.append(KEY, [out(TEXT[:50_000])], offset=0).received == len(TEXT)
    finished = store.finish(KEY, len(TEXT), hashlib.sha256(TEXT).hexdigest())
    assert (finished.sha256, finished.verified) == (None, False)
    store.seal(KEY, finished.text_sha256)
    assert store.finish(KEY, len(TEXT)).sha256 is None
    assert_agreement(store, KEY)


@pytest.mark.parametrize(
    ("first", "last", "error"),
    [(1, LINES + 1, NoSuchLine), (LINES + 1, LINES + 1, NoSuchLine), (0, 1, ValueError), (3, 2, ValueError)],
)
def test_lines_that_are_none_change_nothing(
    store: ChunkStore, tmp_path: Path, first: int, last: int, error: type[Exception]
) -> None:
    fill(store)
    before = all_bytes(tmp_path)
    with pytest.raises(error):
        store.redact(KEY, first, last)
    assert all_bytes(tmp_path) == before


def test_a_log_that_may_still_grow_is_not_redacted(store: ChunkStore, tmp_path: Path) -> None:
    store.create(KEY)
    store.append(KEY, [out(b"password\n")])
    with pytest.raises(LogOpen):
        store.redact(KEY, 1, 1)
    assert (tmp_path / f"{KEY}.log").read_bytes() == b"password\n"


def test_a_log_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    with pytest.raises(NoSuchLog):
        store.redact(KEY, 1, 1)
    assert list(tmp_path.rglob("*")) == []


def test_a_log_that_is_being_sealed_is_waited_for(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    monkeypatch.setattr(redacting, "LOCK_WAIT_SECONDS", 0.05)
    with temporary_file(log_files(store.root, KEY)), pytest.raises(LogLocked):
        store.redact(KEY, 1, 1)
    store.redact(KEY, 1, 1)


def test_a_sealing_that_a_redaction_went_before_seals_the_stars(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    make = sealing.temporary_file

    def after_a_redaction(files: LogFiles) -> AbstractContextManager[int]:
        store.redact(KEY, 20_000, 20_001)
        return make(files)

    monkeypatch.setattr(sealing, "temporary_file", after_a_redaction)
    store.seal(KEY)
    assert assert_agreement(store, KEY).text == stars(TEXT, 20_000, 20_001)


def test_a_mover_that_finds_a_log_moved_leaves_what_a_redaction_brings_back(
    tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ChunkStore(tmp_path / "logs", archive=archive)
    fill(store, "sealed")
    store.move(KEY)
    rename = Path.rename

    def move_in_between(path: Path, target: Path) -> Path:
        if target.name.endswith(".idx"):
            store.move(KEY)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", move_in_between)
        with suppress(LogLocked):
            store.redact(KEY, 20_000, 20_001)
    store.redact(KEY, 20_000, 20_001)
    assert assert_agreement(store, KEY).text == stars(TEXT, 20_000, 20_001)
    store.close()


def test_a_half_made_sealed_file_with_the_secret_goes_as_well(store: ChunkStore, tmp_path: Path) -> None:
    fill(store)
    files = log_files(tmp_path, KEY)
    files.sealing.write_bytes(SECRET)
    files.tail.write_bytes(SECRET)
    store.redact(KEY, 20_000, 20_001)
    assert SECRET not in all_bytes(tmp_path)


def test_a_reader_in_the_middle_goes_on_with_what_it_opened(store: ChunkStore) -> None:
    fill(store)
    with store.reader(KEY) as reader:
        begun = reader.frame(0, max_bytes=100_000)
        store.redact(KEY, 1, LINES)
        assert begun is not None
        text, offset = [begun.data], begun.end
        while frame := reader.frame(offset):
            text.append(frame.data)
            offset = frame.end
        assert reader.is_deleted()
    assert b"".join(text) == TEXT


@pytest.mark.parametrize("form", FORMS)
def test_whoever_reads_and_searches_at_the_same_time_sees_each_line_as_it_was_or_as_stars(
    store: ChunkStore, form: str
) -> None:
    fill(store, form)
    original = TEXT.split(b"\n")
    done = threading.Event()

    def redact() -> None:
        try:
            for line in range(19_997, 20_004):
                store.redact(KEY, line, line)
        finally:
            done.set()

    redacting_thread = threading.Thread(target=redact)
    redacting_thread.start()
    rounds = 0
    while not done.is_set() or not rounds:
        rounds += 1
        with store.reader(KEY) as reader:
            assert reader.end().lines == LINES
            for line in read_lines(reader, 19_985, 30, frozenset({0, 1, 2})).lines:
                text = "".join(text for _channel, text in line.runs)
                before = original[line.number - 1]
                assert text in (before.decode(), "*" * len(before))
    redacting_thread.join()
    assert rounds > 1
    assert assert_agreement(store, KEY).text == stars(TEXT, 19_997, 20_003)


def test_marks_of_the_old_text_do_not_come_back(store: ChunkStore) -> None:
    fill(store)
    with store.reader(KEY) as reader:
        store.redact(KEY, 20_000, 20_001)
        extend_marks(reader)
    assert not log_files(store.root, KEY).marks.exists()


def test_another_process_reads_the_stars_though_it_has_read_the_old_text_from_the_other_store(
    settings: Any, tmp_path: Path, s3_archive: Archive, object_store: ObjectStore
) -> None:
    here = ChunkStore(tmp_path / "logs", archive=s3_archive)
    there = ChunkStore(tmp_path / "logs", archive=archive_with(settings, object_store.storages()))
    fill(here, "sealed")
    here.move(KEY)
    assert whole_text(there) == TEXT
    here.redact(KEY, 20_000, 20_001)
    here.move(KEY)  # at once, so that what was kept of the old objects is no half minute old
    assert whole_text(there) == stars(TEXT, 20_000, 20_001)
    assert faults(there) == []


def test_a_log_of_the_other_store_lies_here_again_and_is_gone_there(tmp_path: Path, archive: Archive) -> None:
    store = ChunkStore(tmp_path / "logs", archive=archive)
    fill(store, "sealed")
    store.move(KEY)
    assert store.form(KEY) is Form.ARCHIVED
    redacted = store.redact(KEY, 20_000, 20_001)
    assert redacted.form is store.form(KEY) is Form.SEALED
    for suffix in (".log.zst", ".idx", ".marks"):
        with pytest.raises(FileNotFoundError):
            archive.open(f"{KEY}{suffix}")
    assert assert_agreement(store, KEY).text == stars(TEXT, 20_000, 20_001)
    store.move(KEY)
    assert store.form(KEY) is Form.ARCHIVED
    assert faults(store) == []
    store.close()


def test_notices_and_a_tail_keep_their_accounts(store: ChunkStore) -> None:
    store.create(KEY)
    limits = Limits(max_bytes=100, max_tail_bytes=60)
    for number in range(30):
        store.append(KEY, [(out, err)[number % 2](b"line %02d of it\n" % number)], limits=limits)
    store.append(KEY, [out(b"after a loss\n")], offset=30 * 14, skip=7, limits=limits)
    store.finish(KEY)
    before = assert_agreement(store, KEY)
    for line in range(1, before.lines + 1):
        store.redact(KEY, line, line)
        found = assert_agreement(store, KEY)
        assert (found.received, found.lines) == (before.received, before.lines)
    assert set(found.text) == set(b"*\n")
    assert found.omitted == found.received
    assert faults(store) == []


def test_a_full_disk_changes_nothing(store: ChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    (tmp_path / f"{KEY}.marks").unlink(missing_ok=True)
    before = all_bytes(tmp_path)

    def full(_fd: int, _buffers: Any, _offset: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(redacting, "write_whole", full)
        with pytest.raises(StorageFull):
            store.redact(KEY, 1, 1)
    assert all_bytes(tmp_path) == before


def test_a_log_deleted_meanwhile_is_not_made_again(store: ChunkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    write_index = redacting._write_index

    def delete_then_write(*args: Any) -> None:
        write_index(*args)
        delete_files(store.root, log_files(store.root, KEY))

    monkeypatch.setattr(redacting, "_write_index", delete_then_write)
    with pytest.raises(LogLocked):
        store.redact(KEY, 1, 1)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def cut_short(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Let the `at`th call that changes names, and all after it, fail as if the process had died; say how many came."""
    calls = 0
    for name in ("rename", "unlink"):
        real: Callable[..., Any] = getattr(Path, name)

        def die(path: Path, *args: Any, _real: Callable[..., Any] = real, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls >= at:
                raise KeyboardInterrupt
            return _real(path, *args, **options)

        monkeypatch.setattr(Path, name, die)
    return lambda: calls


@pytest.mark.parametrize("form", FORMS)
def test_cut_short_at_any_point_the_log_is_whole_and_the_next_one_completes_it(tmp_path: Path, form: str) -> None:
    redacted = stars(TEXT, 20_000, 20_001)
    for at in range(1, 20):
        root = tmp_path / str(at)
        store = ChunkStore(root)
        fill(store, form)
        with pytest.MonkeyPatch.context() as patch:
            calls = cut_short(patch, at)
            try:
                store.redact(KEY, 20_000, 20_001)
                ended = calls() < at
            except KeyboardInterrupt:
                ended = False
        again = ChunkStore(root)
        assert independent_reader.text(root, KEY) in (TEXT, redacted)
        again.append(KEY, [])  # as a process that opens it for writing: it is not cut
        assert b"".join(data for _channel, data in read_back(again, max_bytes=300_000)) in (TEXT, redacted)
        again.redact(KEY, 20_000, 20_001)
        assert assert_agreement(again, KEY).text == redacted
        assert SECRET not in all_bytes(root)
        assert faults(again) == []
        if ended:
            break
    assert at > 3


@settings(max_examples=60, deadline=None)
@given(
    bodies=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=30)), min_size=1, max_size=5), min_size=1, max_size=5
    ),
    choice=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    sealed=st.booleans(),
)
def test_any_lines_of_any_log(
    tmp_path_factory: pytest.TempPathFactory,
    bodies: list[list[tuple[int, bytes]]],
    choice: tuple[int, int],
    sealed: bool,
) -> None:
    store = ChunkStore(tmp_path_factory.mktemp("any"), fsync="never")
    store.create(KEY)
    for body in bodies:
        store.append(KEY, [Entry(channel, data, None) for channel, data in body])
    store.finish(KEY)
    before = assert_agreement(store, KEY)
    if sealed:
        store.seal(KEY)
    if before.lines:
        first, last = sorted(number % before.lines + 1 for number in choice)
        store.redact(KEY, first, last)
        found = assert_agreement(store, KEY)
        lines = before.text.split(b"\n")
        lines[first - 1 : last] = [b"*" * len(line) for line in lines[first - 1 : last]]
        assert found.text == b"\n".join(lines)
        assert [(channel, len(data)) for channel, data in found.runs] == [
            (channel, len(data)) for channel, data in before.runs
        ]
        assert found.omitted == sum(len(extent.data) for extent in found.extents if extent.flags == 5)
    store.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_descriptors_are_given_back(store: ChunkStore) -> None:
    fill(store, "sealed")
    before = descriptors()
    for _turn in range(3):
        store.redact(KEY, 1, 1)
    assert descriptors() <= before
