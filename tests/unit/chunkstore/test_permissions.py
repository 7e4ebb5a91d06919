"""Files and directories that the server's user may not use: a clear error, nothing stored, nothing lost."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, StorageDenied
from logviewer.chunkstore.findings import Fault
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.verification import Verification
from tests.unit.chunkstore.logs import KEY, out, read_back

NOBODY = 65534


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory of nobody's that nobody can reach: pytest's own are for their owner only."""
    path = Path(tempfile.mkdtemp(prefix="chunkstore-"))
    store = ChunkStore(path, fsync="never")
    store.create(KEY)
    store.append(KEY, [out(b"kept\n")])
    store.close()
    if os.getuid() == 0:
        for each in (path, *path.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
    yield path
    for each in (path, *path.rglob("*")):
        each.chmod(0o700)
    shutil.rmtree(path)


def as_nobody(what: Callable[[], object]) -> list[str]:
    """Call it in a child process without root's rights; the error's kind and words, or none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told: list[str] = []
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            what()
        except BaseException as error:
            told = [type(error).__name__, str(error)]
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = json.loads(answer.read())
    os.waitpid(child, 0)
    return told


def use(root: Path, how: str) -> object:
    store = ChunkStore(root, fsync="never")
    if how == "create":
        return store.create("demo/linux-gcc/42/3-compile/stdio-2000")
    if how == "append":
        return store.append(KEY, [out(b"more\n")])
    if how == "finish":
        return store.finish(KEY)
    return store.reader(KEY)


def test_with_its_rights_the_store_works(root: Path):
    for how in ("create", "append", "read", "finish"):
        assert as_nobody(lambda how=how: use(root, how)) == []


@pytest.mark.bad_input("a directory without permission")
@pytest.mark.parametrize("how", ["create", "append", "finish", "read"])
def test_a_directory_without_permission_is_a_clear_error_and_nothing_is_lost(root: Path, how: str):
    directory = (root / KEY).parent
    directory.chmod(0o000)
    kind, words = as_nobody(lambda: use(root, how))
    directory.chmod(0o700)
    assert kind == StorageDenied.__name__
    assert "Permission denied; nothing was stored" in words
    assert str(directory) in words
    assert sorted(path.name for path in directory.iterdir()) == ["stdio-1017.idx", "stdio-1017.log"]
    assert_kept(root)


@pytest.mark.bad_input("a directory without permission")
@pytest.mark.parametrize(("suffix", "mode"), [("idx", 0o400), ("log", 0o400), ("idx", 0o000), ("log", 0o000)])
def test_a_file_without_permission_takes_no_bytes_and_leaves_nothing_open(root: Path, suffix: str, mode: int):
    (root / f"{KEY}.{suffix}").chmod(mode)

    def append_often() -> None:
        store = ChunkStore(root, fsync="never")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _again in range(10):
            with pytest.raises(StorageDenied):
                store.append(KEY, [out(b"more\n")])
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    assert as_nobody(append_often) == []
    (root / f"{KEY}.{suffix}").chmod(0o600)
    assert_kept(root)


@pytest.mark.bad_input("a directory without permission")
def test_verification_says_that_it_may_not_look(root: Path):
    (root / f"{KEY}.log").chmod(0o000)

    def verify() -> None:
        (finding,) = Verification(log_files(root, KEY)).findings()
        assert finding.fault is Fault.UNREADABLE
        assert "Permission denied" in finding.detail

    assert as_nobody(verify) == []


def assert_kept(root: Path) -> None:
    store = ChunkStore(root, fsync="never")
    assert store.append(KEY, [out(b"on\n")], offset=5).received == 8
    assert read_back(store) == [(0, b"kept\non\n")]
    store.close()
