"""The commands in docs/storage.md that read a log by hand are run, and print what the document says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "storage.md"
EXAMPLE = re.compile(r"```sh\n(?P<command>(?:(?!```).)*)```\n```text\n(?P<output>.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(DOCUMENT.read_text())
T0_US = 1_700_000_000_000_000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A log as the document has it, plain, and sealed under the same name."""
    store = ChunkStore(tmp_path, fsync="never")
    store.create("stdio-1017")
    store.append("stdio-1017", [Entry(0, b"hello world\n", T0_US), Entry(1, b"oops\n", T0_US + 250_000)])
    store.append("stdio-1017", [Entry(0, b"bye\n", T0_US + 1_000_000)])
    store.close()
    sealed = ChunkStore(tmp_path / "sealed", fsync="never")
    sealed.create("stdio-1017")
    sealed.append("stdio-1017", [Entry(0, (tmp_path / "stdio-1017.log").read_bytes())])
    sealed.finish("stdio-1017")
    sealed.seal("stdio-1017")
    sealed.close()
    (tmp_path / "sealed" / "stdio-1017.log.zst").rename(tmp_path / "stdio-1017.log.zst")
    return tmp_path


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command.split()[0] for command, _output in EXAMPLES])
def test_each_example_prints_what_the_document_says(directory: Path, command: str, output: str):
    for name in {"zstd", "xxd", "od", "awk", "gzip"} & set(command.split()):
        if shutil.which(name) is None:
            pytest.skip(f"there is no {name} here")
    done = subprocess.run(["sh", "-eu"], input=command, cwd=directory, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", output)


def test_there_are_examples():
    assert len(EXAMPLES) == 7
