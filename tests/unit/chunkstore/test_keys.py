from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, InvalidKey, check_key
from tests.unit.chunkstore.logs import KEY, out

BAD = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    "..",
    "a/../b",
    "./a",
    ".a",
    "a/.b",
    "a\0b",
    "a b",
    "ä",
    "-a",
    "a\n",
    "a\\b",
]


@pytest.mark.bad_input("a key with ..")
@pytest.mark.parametrize("key", [*BAD, "a" * 201, "/".join(["a" * 100] * 11)])
def test_a_key_that_could_lead_elsewhere_is_refused_by_every_call(tmp_path: Path, key: str):
    store = ChunkStore(tmp_path / "logs")
    for call in (store.create, store.delete, store.reader, store.finish):
        with pytest.raises(InvalidKey):
            call(key)
    with pytest.raises(InvalidKey):
        store.append(key, [out(b"x")])
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("key", [KEY, "a", "A_b.c-1/2", "x/" * 100 + "y"])
def test_slugs_joined_by_slashes_are_keys(key: str):
    assert check_key(key) == key


def test_the_files_are_named_after_the_key(tmp_path: Path):
    store = ChunkStore(tmp_path)
    store.create("demo/linux-gcc/42/3-compile/stdio-1017")
    directory = tmp_path / "demo/linux-gcc/42/3-compile"
    assert sorted(path.name for path in directory.iterdir()) == ["stdio-1017.idx", "stdio-1017.log"]
