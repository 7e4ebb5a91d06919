"""The store against a model in memory: random bodies, re-sends, losses, crashes, and every way of reading.

What was sent is kept in a list. After each step the files are read by the independent reader, which must find what
was sent; at each example's end every way in which the product reads a log must find what the independent reader found.
"""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logviewer.chunkstore import ChunkStore, Entry
from tests.unit.chunkstore import plain_format, reading_paths, test_limits_model
from tests.unit.chunkstore.agreement import assert_agreement
from tests.unit.chunkstore.logs import KEY, joined, read_back

texts = st.one_of(
    st.binary(max_size=40).map(lambda data: data.replace(b"\x1b", b"e")),  # search passes over escape sequences
    st.sampled_from(
        [b"\n", b"a line\n", b"\r\n", b"\n\na line", "gr\u00fc\u00dfe, \u20ac".encode(), b"\xe2\x82", b"\xac a"]
    ),
    st.sampled_from([70_000, 20_000, 20_001]).map(bytes),
)
bodies = st.lists(
    st.builds(
        Entry,
        st.sampled_from([0, 1, 2]),
        texts,
        st.one_of(st.none(), st.integers(0, 200_000)),
    ),
    max_size=6,
)


class Model(RuleBasedStateMachine):
    """`sent` is all the writer has ever produced, byte by byte with its channel; None where it lost the byte."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.sent: list[tuple[int, int] | None] = []
        self.runs: list[tuple[int, bytes]] = []
        self.finished = self.sealed = False

    @initialize(policy=st.sampled_from(["never", "always"]))
    def open(self, policy: str) -> None:
        self.policy = policy
        self.store = ChunkStore(self.root, fsync=policy)
        self.store.create(KEY)
        self.reader = self.store.reader(KEY)

    @precondition(lambda self: not self.finished)
    @rule(body=bodies, by_offset=st.booleans())
    def send(self, body: list[Entry], by_offset: bool) -> None:
        before = len(self.sent)
        self.produce(body)
        appended = self.store.append(KEY, body, offset=before if by_offset else None)
        assert appended.received == len(self.sent)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), body=bodies)
    def send_again(self, data: st.DataObject, body: list[Entry]) -> None:
        offset = data.draw(st.integers(max(0, len(self.sent) - 300), len(self.sent)))
        known = [Entry(pair[0], bytes([pair[1]])) if pair else Entry(0, b"?") for pair in self.sent[offset:]]
        if self.finished:
            body = []
        self.produce(body)
        assert self.store.append(KEY, known + body, offset=offset).received == len(self.sent)

    @precondition(lambda self: not self.finished)
    @rule(lost=st.integers(1, 500), back=st.integers(0, 100), body=bodies)
    def lose(self, lost: int, back: int, body: list[Entry]) -> None:
        back = min(back, len(self.sent), lost)
        offset, new = len(self.sent) - back, lost - back
        if new:
            words = b"1 byte of output was" if new == 1 else b"%d bytes of output were" % new
            self.runs.append((2, b"\n" + words + b" lost by the build machine here\n"))
            self.sent += [None] * new
        self.produce(body)
        for _again in range(2):
            assert self.store.append(KEY, body, offset=offset, skip=lost).received == len(self.sent)

    @rule()
    def finish(self) -> None:
        self.finished = True
        finished = self.store.finish(KEY, len(self.sent))
        assert (finished.sha256 is None) == (None in self.sent)

    @precondition(lambda self: self.finished)
    @rule()
    def seal(self) -> None:
        self.store.seal(KEY)
        self.sealed = True
        assert not (self.root / f"{KEY}.log").exists()

    @precondition(lambda self: not self.sealed)
    @rule(suffix=st.sampled_from([".log", ".idx"]), junk=st.binary(min_size=1, max_size=200))
    def crash_in_an_append(self, suffix: str, junk: bytes) -> None:
        with (self.root / f"{KEY}.log").open("ab") as text:
            text.write(junk)
        if suffix == ".idx":
            with (self.root / f"{KEY}.idx").open("ab") as index:
                index.write(junk)
        self.reopen()
        assert self.store.append(KEY, []).received == len(self.sent)

    @precondition(lambda self: self.policy == "never" and not self.finished and self.sent)
    @rule(data=st.data(), suffix=st.sampled_from([".log", ".idx"]))
    def lose_power(self, data: st.DataObject, suffix: str) -> None:
        path = self.root / f"{KEY}{suffix}"
        os.truncate(path, data.draw(st.integers(64 if suffix == ".idx" else 0, path.stat().st_size)))
        self.reopen()
        received = self.store.append(KEY, []).received
        assert received <= len(self.sent)
        del self.sent[received:]
        kept = joined(self.runs)
        self.runs = plain_format.joined(plain_format.extents(self.root, KEY))
        text, whole = (b"".join(data for _channel, data in runs) for runs in (self.runs, kept))
        assert whole.startswith(text)

    @rule(seed=st.integers(0, 2**32))
    def watch(self, seed: int) -> None:
        chance = random.Random(seed)
        log = assert_agreement(self.store, KEY)
        offset = chance.randint(0, len(log.text))
        reading_paths.check_producer(
            self.store, KEY, log, offset, chance.choice([100, 3000, 300_000]) + len(log.text) // 50
        )

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = ChunkStore(self.root, fsync=self.policy)

    def produce(self, body: list[Entry]) -> None:
        for entry in body:
            self.sent += [(entry.channel, byte) for byte in entry.data]
            self.runs.append((entry.channel, entry.data))

    @invariant()
    def what_is_stored_is_what_was_sent(self) -> None:
        expected = joined(self.runs)
        text = b"".join(data for _channel, data in expected)
        found = plain_format.extents(self.root, KEY)
        assert plain_format.joined(found) == expected
        assert read_back(self.store, max_bytes=9000) == expected
        assert (found[-1].received if found else 0) == len(self.sent)
        end = self.reader.end()
        assert end == self.store.append(KEY, [], offset=0).end
        assert end[:5] == (
            len(text),
            text.count(b"\n") + (not text.endswith(b"\n") and text != b""),
            len(self.sent),
            self.finished,
            self.sent.count(None),
        )

    def teardown(self) -> None:
        try:
            read_in_every_way(self.store, self.finished)
        finally:
            self.reader.close()
            self.store.close()
            shutil.rmtree(self.root)


def read_in_every_way(store: ChunkStore, finished: bool) -> None:
    """Read a log as it lies, and where it is finished sealed too, whatever it was before."""
    log = assert_agreement(store, KEY)
    reading_paths.check_all(store, KEY, log, random.Random(len(log.text)))
    if finished:
        store.seal(KEY)
        assert assert_agreement(store, KEY) == log
        reading_paths.check_all(store, KEY, log, random.Random(log.received))


class LimitedModel(test_limits_model.Model):
    """A limited log's life, with head and tail as LimitedLog has them: it too is read in every way at its end."""

    def teardown(self) -> None:
        try:
            read_in_every_way(self.stores[1], self.finished)
        finally:
            super().teardown()


@pytest.mark.timeout(400)  # where it fails, Hypothesis looks for a shorter life for some minutes
class TestModel(Model.TestCase):
    settings = settings(deadline=None, max_examples=60, stateful_step_count=15)


@pytest.mark.timeout(600)
class TestLimitedModel(LimitedModel.TestCase):
    settings = settings(deadline=None, max_examples=20, stateful_step_count=15)


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestModelAtLength(Model.TestCase):
    """What issue 3 asks of `.ci/run`, with the next: 1000 examples."""

    settings = settings(deadline=None, max_examples=800, stateful_step_count=15)


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestLimitedModelAtLength(LimitedModel.TestCase):
    settings = settings(deadline=None, max_examples=300, stateful_step_count=15)
