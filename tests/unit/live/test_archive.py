"""The other store: one suite over a directory and over S3, then what only S3 can do wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from logviewer.chunkstore import Archive, ArchiveAway, InvalidKey, NoSuchLog
from logviewer.live.archive import open_archive
from logviewer.live.blocks import BLOCK_BYTES, BlockCache
from logviewer.live.outage import Outage
from logviewer.live.threads import in_reading_thread
from tests.archives import archive_with, ask_again
from tests.object_store import BUCKET, ObjectStore

NAME = "demo/linux/1/1-compile/stdio-7.log.zst"
CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes: four blocks, the last one not full
WAIT_SECONDS = 20


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local"
    path.write_bytes(CONTENT)
    return path


def read_all(archive: Archive, name: str = NAME) -> bytes:
    source = archive.open(name)
    try:
        return source.read(0, source.size())
    finally:
        source.close()


def test_without_a_setting_there_is_no_other_store() -> None:
    assert open_archive() is None


def test_a_file_reads_back_as_it_was_saved(archive: Archive, local: Path) -> None:
    archive.save(NAME, local)
    assert read_all(archive) == CONTENT


@example_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=st.lists(st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, len(CONTENT))), max_size=6))
def test_any_range_is_what_lies_there(archive: Archive, local: Path, spans: list[tuple[int, int]]) -> None:
    try:
        source = archive.open(NAME)
    except FileNotFoundError:
        archive.save(NAME, local)
        source = archive.open(NAME)
    assert source.size() == len(CONTENT)
    for offset, length in spans:
        assert source.read(offset, length) == CONTENT[offset : offset + length]
    source.close()
    source.close()


def test_an_empty_file_is_a_file(archive: Archive, local: Path) -> None:
    local.write_bytes(b"")
    archive.save(NAME, local)
    source = archive.open(NAME)
    assert (source.size(), source.read(0, 10)) == (0, b"")


def test_saving_again_replaces_and_never_renames(archive: Archive, local: Path) -> None:
    archive.save(NAME, local)
    assert read_all(archive) == CONTENT
    local.write_bytes(b"something shorter")
    archive.save(NAME, local)
    assert read_all(archive) == b"something shorter"


def test_what_is_not_there_is_not_found(archive: Archive) -> None:
    with pytest.raises(FileNotFoundError):
        archive.open(NAME)


def test_a_deleted_file_is_gone_and_deleting_may_be_repeated(archive: Archive, local: Path) -> None:
    archive.save(NAME, local)
    read_all(archive)
    archive.delete(NAME)
    archive.delete(NAME)
    with pytest.raises(FileNotFoundError):
        archive.open(NAME)


@pytest.mark.bad_input("a key with ..")
@pytest.mark.parametrize("name", ["demo/../../x.idx", "/etc/x.idx", "demo/x", "demo/x.txt", ".idx", "", "a//b.idx"])
def test_a_name_that_is_no_logs_is_refused(archive: Archive, local: Path, name: str) -> None:
    actions: list[Callable[[], object]] = [
        lambda: archive.open(name),
        lambda: archive.save(name, local),
        lambda: archive.delete(name),
    ]
    for action in actions:
        with pytest.raises(InvalidKey):
            action()


def test_nothing_of_it_can_be_had_at_once(archive: Archive, local: Path) -> None:
    archive.save(NAME, local)
    source = archive.open(NAME)
    source.read(0, 10)
    assert source.read_now(0, 10) is None


def test_a_directory_whose_disk_is_gone_is_away_and_not_empty(
    file_archive: Archive, archive_directory: Path, local: Path
) -> None:
    archive_directory.rmdir()
    with pytest.raises(ArchiveAway, match="mounted"):
        file_archive.open(NAME)


def test_size_and_watching_cost_no_request(s3_archive: Archive, object_store: ObjectStore, local: Path) -> None:
    s3_archive.save(NAME, local)
    source = s3_archive.open(NAME)
    before = object_store.proxy.requests
    for _ in range(5):
        assert source.size() == len(CONTENT)
    assert source.read(len(CONTENT) - 5, 5) == CONTENT[-5:]
    assert s3_archive.open(NAME).read(len(CONTENT) - 9, 9) == CONTENT[-9:]
    assert object_store.proxy.requests == before


def test_what_was_read_is_not_asked_for_again(s3_archive: Archive, object_store: ObjectStore, local: Path) -> None:
    s3_archive.save(NAME, local)
    s3_archive.open(NAME).read(100, 50)
    before = object_store.proxy.requests
    assert s3_archive.open(NAME).read(1000, 50) == CONTENT[1000:1050]
    assert object_store.proxy.requests == before


def test_the_cache_is_bounded_and_lets_the_oldest_go() -> None:
    cache = BlockCache(max_bytes=3 * BLOCK_BYTES)
    for number in range(10):
        cache.put("a", "1", number, bytes(BLOCK_BYTES))
    assert cache.size_bytes == 3 * BLOCK_BYTES
    assert [cache.get("a", "1", number) is not None for number in range(10)] == [False] * 7 + [True] * 3
    assert cache.get("a", "2", 9) is None
    cache.forget("a")
    assert cache.size_bytes == 0


def test_an_answer_that_breaks_off_is_asked_for_again(
    s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    s3_archive.save(NAME, local)
    source = s3_archive.open(NAME)
    object_store.proxy.break_off_after = 100_000
    assert source.read(0, 50) == CONTENT[:50]
    assert object_store.proxy.break_off_after is None  # it did break off


def test_a_server_that_is_gone_is_away_and_says_where_it_was(
    s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    s3_archive.save(NAME, local)
    source = s3_archive.open(NAME)
    object_store.proxy.go()
    with pytest.raises(ArchiveAway, match=f"s3://{BUCKET}") as away:
        source.read(0, 50)
    assert "try again later" in str(away.value)
    object_store.proxy.come()
    with pytest.raises(ArchiveAway):  # nobody asks again for some seconds
        source.read(0, 50)
    ask_again(s3_archive)
    assert source.read(0, 50) == CONTENT[:50]


def test_whoever_comes_while_it_is_away_does_not_wait_for_it(s3_archive: Archive, object_store: ObjectStore) -> None:
    object_store.proxy.go()
    for _ in range(2):
        with pytest.raises(ArchiveAway):
            s3_archive.open(NAME)
    object_store.proxy.come()
    before = object_store.proxy.requests
    with pytest.raises(ArchiveAway):
        s3_archive.open(NAME)
    assert object_store.proxy.requests == before


def test_one_at_a_time_finds_out_whether_it_is_back() -> None:
    outage = Outage("the log store", lambda error: (str(error), True), away_seconds=0.0)
    with pytest.raises(ArchiveAway), outage.asking(NAME):
        raise OSError("gone")
    with outage.asking(NAME), pytest.raises(ArchiveAway, match="gone"), outage.asking(NAME):
        raise AssertionError("asked while another finds out")
    with outage.asking(NAME), outage.asking(NAME):
        pass


def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("the log store", lambda error: (str(error), True), away_seconds=0.0)
    for _ in range(3):
        with pytest.raises(ArchiveAway), outage.asking(NAME):
            raise OSError("gone")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the log store: gone" in caplog.text


@pytest.mark.bad_input("another store with a wrong bucket")
def test_a_bucket_that_is_not_there_is_named(settings: Any, object_store: ObjectStore, local: Path) -> None:
    archive = archive_with(settings, object_store.storages(bucket="no-such-bucket"))
    actions: list[Callable[[], object]] = [lambda: archive.open(NAME), lambda: archive.save(NAME, local)]
    for action in actions:
        ask_again(archive)
        with pytest.raises(ArchiveAway, match=r"s3://no-such-bucket.*BUILDLOGS_LOG_STORE"):
            action()
    assert local.read_bytes() == CONTENT


@pytest.mark.bad_input("an object of another store that was replaced or removed")
def test_an_object_that_is_replaced_while_it_is_read_is_never_mixed(
    s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    s3_archive.save(NAME, local)
    source = s3_archive.open(NAME)
    object_store.client.put_object(Bucket=BUCKET, Key=f"here/{NAME}", Body=b"x" * len(CONTENT))
    with pytest.raises(ArchiveAway, match="replaced"):
        source.read(0, 50)
    assert read_all(s3_archive) == b"x" * len(CONTENT)


@pytest.mark.bad_input("an object of another store that was replaced or removed")
def test_an_object_that_is_removed_while_it_is_read_is_gone(
    s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    s3_archive.save(NAME, local)
    source = s3_archive.open(NAME)
    object_store.empty()
    with pytest.raises(NoSuchLog):
        source.read(0, 50)


def test_what_another_process_revoked_is_not_read_from_memory(
    settings: Any, s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    there = archive_with(settings, object_store.storages())
    s3_archive.save(NAME, local)
    assert read_all(there) == read_all(there) == CONTENT
    replace(s3_archive, local, b"*" * len(CONTENT))
    assert read_all(there) == b"*" * len(CONTENT)


def test_an_answer_from_before_a_revocation_is_not_remembered_after_it(
    settings: Any, s3_archive: Archive, object_store: ObjectStore, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: Any = archive_with(settings, object_store.storages())
    s3_archive.save(NAME, local)
    fetch = there.fetch

    def fetch_while_it_is_replaced(*arguments: Any) -> Any:
        answer = fetch(*arguments)
        replace(s3_archive, local, b"*" * len(CONTENT))
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(there, "fetch", fetch_while_it_is_replaced)
        there.open(NAME)
    assert read_all(there) == b"*" * len(CONTENT)


def replace(archive: Archive, local: Path, content: bytes) -> None:
    """Put other bytes there as a redaction does, and the mover after it."""
    archive.delete(NAME)
    archive.revoke()
    local.write_bytes(content)
    archive.save(NAME, local)


def test_a_large_file_goes_in_parts(s3_archive: Archive, object_store: ObjectStore, local: Path) -> None:
    content = CONTENT * 20
    local.write_bytes(content)
    s3_archive.save(NAME, local)
    assert "-" in object_store.client.head_object(Bucket=BUCKET, Key=f"here/{NAME}")["ETag"]
    source = s3_archive.open(NAME)
    read = b"".join(source.read(offset, 100_000) for offset in range(0, len(content), 100_000))
    assert read == content


def test_the_secret_is_in_no_log(
    s3_archive: Archive, object_store: ObjectStore, local: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        s3_archive.save(NAME, local)
        object_store.proxy.go()
        with pytest.raises(ArchiveAway) as away:
            s3_archive.open("demo/x-1.idx")
    assert "of no use" not in caplog.text + str(away.value)


async def test_a_store_that_hangs_keeps_nobody_from_reading_here(
    s3_archive: Archive, object_store: ObjectStore, local: Path
) -> None:
    s3_archive.save(NAME, local)
    object_store.proxy.hold()
    order: list[str] = []
    hanging = [asyncio.ensure_future(in_reading_thread(read_all, s3_archive)) for _ in range(20)]
    await asyncio.to_thread(object_store.proxy.held.wait, WAIT_SECONDS)
    for number in range(50):
        await in_reading_thread(order.append, f"here {number}")
    order.append("released")
    object_store.proxy.release()
    for content in await asyncio.wait_for(asyncio.gather(*hanging), WAIT_SECONDS):
        assert content == CONTENT
    assert order == [*(f"here {number}" for number in range(50)), "released"]


async def test_no_more_than_eight_read_at_once() -> None:
    together, most, mutex, gate = 0, 0, threading.Lock(), threading.Event()

    def read() -> None:
        nonlocal together, most
        with mutex:
            together += 1
            most = max(most, together)
            if together == 8:
                gate.set()
        gate.wait(WAIT_SECONDS)
        with mutex:
            together -= 1

    await asyncio.gather(*(in_reading_thread(read) for _ in range(30)))
    assert most == 8
