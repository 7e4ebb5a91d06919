"""kill -9 at random instants while a write is under way: what was acknowledged is kept, and nothing is doubled."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from logviewer.chunkstore import ChunkStore, Entry
from tests import independent_reader
from tests.unit.chunkstore import killed_writers
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import joined

pytestmark = pytest.mark.usefixtures("read_independently_afterwards")

ROOT = Path(__file__).parents[3]
KILLS = 200
LOGS = 20
MIN_TORN = 20
"""Of KILLS: fewer would say that writes are too short here to be met in the middle."""

LONGEST_DELAY_SECONDS = 0.006
BODIES = 100_000
"""More than any writer comes to send before it is killed."""


class Victims:
    """Starts writers one after the other, and kills them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.chunkstore.killed_writers", str(root)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.told: list[str] = []
        self.exit_code = 0

    def start(self, kind: str, key: str, bodies: int = BODIES) -> int:
        """Start a writer; return its process number."""
        self.told = []
        self.process.stdin.write(f"{kind} {key} {bodies}\n")
        self.process.stdin.flush()
        pid = 0
        while not pid or not self.told:  # the two lines come from two processes
            line = self.process.stdout.readline()
            assert line, "the process that starts the writers has ended"
            if line.startswith("pid"):
                pid = int(line.split()[1])
            else:
                self.told.append(line.strip())
        return pid

    def kill(self, pid: int, delay_seconds: float) -> list[str]:
        """Kill the writer, if it has not ended, after so long; return what it has told."""
        threading.Event().wait(delay_seconds)  # the instant is random: it is what is tested, nothing is waited for
        os.kill(pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> list[str]:
        """Wait for the writer's end; return what it has told."""
        self.process.stdin.write("take its exit code\n")
        self.process.stdin.flush()
        while not (line := self.process.stdout.readline()).startswith("ended"):
            self.told.append(line.strip())
        self.exit_code = int(line.split()[1])
        return self.told

    def close(self) -> None:
        self.process.communicate(timeout=30)


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Victims]:
    victims = Victims(tmp_path)
    yield victims
    victims.close()


def how_torn(root: Path, key: str) -> str:
    """What a writer has left half-done: "record" for half a record, "text" for text without one, "" for nothing."""
    index = (root / f"{key}.idx").read_bytes()
    whole = len(index) - (len(index) - 64) % 48
    last = index[whole - 48 : whole] if whole > 64 else bytes(48)
    described = int.from_bytes(last[:8], "little") + int.from_bytes(last[32:36], "little")
    if len(index) != whole:
        return "record"
    return "text" if (root / f"{key}.log").stat().st_size > described else ""


def expected(received: int) -> list[tuple[int, bytes]]:
    """The first `received` bytes of what the writers send, as runs."""
    runs: list[tuple[int, bytes]] = []
    number = 0
    while received > 0:
        for entry in killed_writers.body(number):
            runs.append((entry.channel, entry.data[:received]))
            received -= len(runs[-1][1])
        number += 1
    return joined(runs)


def test_a_writer_killed_200_times_while_it_writes_loses_and_doubles_nothing(victims: Victims, tmp_path: Path):
    chance = random.Random(2026)
    torn = {"record": 0, "text": 0, "": 0}
    for log in range(LOGS):
        key = f"killed/log-{log}"
        ChunkStore(tmp_path, fsync="never").create(key)
        for _kill in range(KILLS // LOGS):
            pid = victims.start("append", key)
            told = victims.kill(pid, chance.uniform(0, LONGEST_DELAY_SECONDS))
            assert victims.exit_code == -signal.SIGKILL
            torn[how_torn(tmp_path, key)] += 1
            acknowledged = int(told[-1])
            store = ChunkStore(tmp_path, fsync="never")
            received = store.append(key, []).received
            assert received >= acknowledged
            stored = independent_reader.read(tmp_path, key)
            assert stored.received == received
            assert stored.runs == expected(received)
            assert_agreement(store, key)
            store.close()
        finish_undisturbed(victims, tmp_path, key)
    print(f"{KILLS} kills: {torn['text']} left text without a record, {torn['record']} half a record")
    assert torn["record"] + torn["text"] >= MIN_TORN
    assert torn["record"]
    assert torn["text"]


def finish_undisturbed(victims: Victims, root: Path, key: str) -> None:
    """Send again from where the log stands to a last body, and finish: all of it is there."""
    store = ChunkStore(root, fsync="never")
    received, bodies = store.append(key, []).received, 0
    while killed_writers.size(killed_writers.payload(bodies)) <= received:
        bodies += 20
    victims.start("append", key, bodies)
    assert victims.wait()[-1] == "done"
    payload = b"".join(entry.data for entry in killed_writers.payload(bodies))
    assert store.finish(key, len(payload), hashlib.sha256(payload).hexdigest()).verified
    assert independent_reader.read(root, key).payload == payload
    assert_agreement(store, key)
    store.close()


def undisturbed(root: Path, key: str, bodies: int) -> independent_reader.Log:
    """A log of the same bodies, limited, that nobody killed."""
    store = ChunkStore(root, fsync="never")
    store.create(key)
    for number in range(bodies):
        store.append(key, killed_writers.body(number), limits=killed_writers.LIMITS)
    store.finish(key)
    store.close()
    return independent_reader.read(root, key)


def test_a_writer_killed_while_it_keeps_the_tail_leaves_the_log_that_nobody_killed(victims: Victims, tmp_path: Path):
    chance = random.Random(41)
    torn = 0
    for log in range(6):
        key, bodies = f"killed/limited-{log}", 0
        store = ChunkStore(tmp_path, fsync="never")
        store.create(key)
        store.append(key, killed_writers.payload(12), offset=0, limits=killed_writers.LIMITS)
        for _kill in range(10):
            pid = victims.start("limits", key)
            told = victims.kill(pid, chance.uniform(0, LONGEST_DELAY_SECONDS))
            torn += how_torn(tmp_path, key) != ""
            received = store.append(key, []).received
            assert received >= int(told[-1])
            assert independent_reader.read(tmp_path, key).received == received
            assert_agreement(store, key)
        while killed_writers.size(killed_writers.payload(bodies)) <= received:
            bodies += 10
        victims.start("limits", key, bodies)
        assert victims.wait()[-1] == "done"
        store.finish(key)
        whole = undisturbed(tmp_path, f"whole-{log}", bodies)
        found = assert_agreement(store, key)
        assert (found.runs, found.received, found.omitted) == (whole.runs, whole.received, whole.omitted)
        assert found.omitted
        store.close()
    print(f"60 kills of a limited writer: {torn} left text without a record or half a record")
    assert torn


def test_a_finish_that_is_killed_is_completed_by_the_next_one(victims: Victims, tmp_path: Path):
    """The log is limited, so that the finish has a tail to write."""
    chance = random.Random(7)
    bodies = 12
    whole = undisturbed(tmp_path, "whole", bodies)
    torn = 0
    for turn in range(40):
        key = f"killed/finish-{turn}"
        store = ChunkStore(tmp_path, fsync="never")
        store.create(key)
        store.append(key, killed_writers.payload(bodies), offset=0, limits=killed_writers.LIMITS)
        pid = victims.start("finish", key, bodies)
        victims.kill(pid, chance.uniform(0, 0.003))
        torn += how_torn(tmp_path, key) != ""
        outcomes = [store.finish(key, whole.received) for _again in range(2)]
        assert outcomes[0] == outcomes[1]
        found = assert_agreement(store, key)
        assert found.finished
        assert (found.text, found.runs, found.omitted) == (whole.text, whole.runs, whole.omitted)
        store.close()
    print(f"40 kills of a finish: {torn} left text without a record or half a record")


def test_a_sealing_that_is_killed_leaves_the_log_and_is_completed_by_the_next_one(victims: Victims, tmp_path: Path):
    chance = random.Random(8)
    key = "killed/sealed"
    store = ChunkStore(tmp_path, fsync="never")
    store.create(key)
    store.append(key, killed_writers.payload(40), offset=0)
    blocks = [chance.randbytes(500_000) for _block in range(6)]
    for block in blocks:
        store.append(key, [Entry(chance.randint(0, 2), block)])
    store.finish(key)
    whole = assert_agreement(store, key)
    originals = {suffix: (tmp_path / f"{key}{suffix}").read_bytes() for suffix in (".log", ".idx")}
    met = {"plain": 0, "begun": 0, "sealed": 0}
    for _turn in range(20):
        pid = victims.start("seal", key)
        victims.kill(pid, chance.uniform(0, 0.3))
        plain = (tmp_path / f"{key}.log").exists()
        begun = (tmp_path / f"{key}.log.zst.tmp").exists()
        met["begun" if plain and begun else "plain" if plain else "sealed"] += 1
        opened = ChunkStore(tmp_path)
        assert assert_agreement(opened, key) == whole
        opened.seal(key)
        assert assert_agreement(opened, key) == whole
        left = {path.name for path in (tmp_path / key).parent.iterdir()}
        assert left - {"sealed.marks"} == {"sealed.idx", "sealed.log.zst"}
        opened.close()
        (tmp_path / f"{key}.log.zst").unlink()
        (tmp_path / f"{key}.log").write_bytes(originals[".log"])
        (tmp_path / f"{key}.idx").write_bytes(originals[".idx"])
    print(f"20 kills of a sealing: {met}")
    assert met["begun"]
    store.close()


@pytest.mark.parametrize("form", ["plain", "sealed"])
def test_a_redaction_that_is_killed_leaves_the_log_whole_and_is_completed_by_the_next_one(
    victims: Victims, tmp_path: Path, form: str
):
    chance = random.Random(9)
    key = "killed/redacted"
    store = ChunkStore(tmp_path, fsync="never")
    store.create(key)
    store.append(key, killed_writers.payload(60), offset=0)
    store.finish(key)
    if form == "sealed":
        store.seal(key)
    store.close()
    suffix = ".log" if form == "plain" else ".log.zst"
    originals = {each: (tmp_path / f"{key}{each}").read_bytes() for each in (suffix, ".idx")}
    before = independent_reader.text(tmp_path, key)
    lines = before.split(b"\n")
    chosen = slice(killed_writers.FIRST_REDACTED - 1, killed_writers.LAST_REDACTED)
    lines[chosen] = [b"*" * len(line) for line in lines[chosen]]
    redacted = b"\n".join(lines)
    met = {"as before": 0, "begun": 0, "redacted": 0}
    for _turn in range(12):
        pid = victims.start("redact", key)
        victims.kill(pid, chance.uniform(0, 0.06 if form == "plain" else 0.03))
        found = independent_reader.text(tmp_path, key)
        assert found in (before, redacted)
        begun = (tmp_path / f"{key}.idx.new").exists()
        met["redacted" if found == redacted else "begun" if begun else "as before"] += 1
        opened = ChunkStore(tmp_path)
        opened.append(key, [])
        assert independent_reader.text(tmp_path, key) == found
        opened.redact(key, killed_writers.FIRST_REDACTED, killed_writers.LAST_REDACTED)
        assert assert_agreement(opened, key).text == redacted
        left = {path.name.removeprefix("redacted") for path in (tmp_path / key).parent.iterdir()}
        assert left - {".marks"} == {suffix, ".idx"}
        opened.close()
        for each, data in originals.items():
            (tmp_path / f"{key}{each}").write_bytes(data)
    print(f"12 kills of a redaction: {met}")
    assert met["begun"]
