"""Limited logs against a model in memory: random bodies, re-sends, losses, processes killed at any byte written."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logviewer.chunkstore import ChunkStore, Entry, Limits, OverlapDiffers
from logviewer.chunkstore.limits import MIN_INDEX_BYTES
from tests.unit.chunkstore import plain_format
from tests.unit.chunkstore.killed import killed_after, vanish
from tests.unit.chunkstore.limited_log import LimitedLog
from tests.unit.chunkstore.logs import KEY, joined, read_back

ALLOWANCE_BYTES = 4096

bodies = st.lists(
    st.builds(
        Entry,
        st.sampled_from([0, 0, 1, 2]),
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([b"\n", b"a line\n", b"one\ntwo\n"]),
            st.integers(100, 3000).map(lambda size: (b"0123456789abcde\n" * 200)[:size]),
        ),
        st.one_of(st.none(), st.integers(0, 200_000)),
    ),
    max_size=6,
)
tiny_limits = st.builds(
    Limits, st.integers(1, 300), st.sampled_from([0, 1, 7, 100, 2000]), st.integers(0, 40), st.just(MIN_INDEX_BYTES)
)


class Model(RuleBasedStateMachine):
    """Two stores on one root stand for two processes."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.finished = False

    @initialize(policy=st.sampled_from(["never", "always"]), limits=tiny_limits)
    def open(self, policy: str, limits: Limits) -> None:
        self.policy, self.limits = policy, limits
        self.stores = [ChunkStore(self.root, fsync=policy) for _ in range(2)]
        self.stores[0].create(KEY)
        self.log = LimitedLog(limits)
        self.reader = self.stores[0].reader(KEY)

    def append(self, which: int, body: list[Entry], offset: int | None = None, skip: int = 0) -> int:
        return self.stores[which].append(KEY, body, offset=offset, skip=skip, limits=self.limits).received

    @precondition(lambda self: not self.finished)
    @rule(which=st.integers(0, 1), body=bodies, by_offset=st.booleans())
    def send(self, which: int, body: list[Entry], by_offset: bool) -> None:
        offset = len(self.log.sent) if by_offset else None
        self.log.send(body)
        assert self.append(which, body, offset) == len(self.log.sent)

    @rule(which=st.integers(0, 1), data=st.data(), body=bodies)
    def send_again(self, which: int, data: st.DataObject, body: list[Entry]) -> None:
        offset = data.draw(st.integers(max(0, len(self.log.sent) - 400), len(self.log.sent)))
        known = self.known_from(offset)
        if self.finished:
            body = []
        self.log.send(body)
        assert self.append(which, known + body, offset) == len(self.log.sent)

    @precondition(lambda self: not self.finished and self.log.comparable())
    @rule(which=st.integers(0, 1), data=st.data(), other_channel=st.booleans())
    def send_something_else(self, which: int, data: st.DataObject, other_channel: bool) -> None:
        places = sorted(self.log.comparable())[-300:]
        place = data.draw(st.sampled_from(places))
        start = data.draw(st.integers(max(0, place - 50), place))
        known = self.known_from(start)[: place - start + 1]
        channel, byte = known[-1].channel, known[-1].data
        known[-1] = Entry((channel + 1) % 3, byte) if other_channel else Entry(channel, bytes([byte[0] ^ 1]))
        with pytest.raises(OverlapDiffers) as raised:
            self.append(which, known, start)
        assert raised.value.position == place

    @precondition(lambda self: not self.finished)
    @rule(which=st.integers(0, 1), lost=st.integers(1, 500), back=st.integers(0, 100), body=bodies)
    def lose(self, which: int, lost: int, back: int, body: list[Entry]) -> None:
        back = min(back, len(self.log.sent), lost)
        offset = len(self.log.sent) - back
        if lost > back:
            self.log.lose(lost - back)
        self.log.send(body)
        for _again in range(2):
            assert self.append(which, body, offset, skip=lost) == len(self.log.sent)

    @precondition(lambda self: not self.finished)
    @rule(body=bodies, room=st.one_of(st.integers(0, 300), st.integers(0, 5000)))
    def be_killed_in_an_append(self, body: list[Entry], room: int) -> None:
        offset = len(self.log.sent)
        self.die(room, lambda: self.append(0, body, offset))
        received = self.append(1, [])
        self.log.send(body)
        assert offset <= received <= len(self.log.sent)
        assert self.append(0, self.known_from(received), received) == len(self.log.sent)

    @precondition(lambda self: not self.finished)
    @rule(room=st.one_of(st.integers(0, 300), st.integers(0, 5000)))
    def be_killed_in_a_finish(self, room: int) -> None:
        self.die(room, lambda: self.stores[0].finish(KEY))
        assert self.append(1, []) == len(self.log.sent)
        self.finished = self.reader.end().finished

    @rule(which=st.integers(0, 1))
    def finish(self, which: int) -> None:
        finished = self.stores[which].finish(KEY, len(self.log.sent))
        self.finished = True
        assert (finished.sha256 is None) == (bool(self.log.omitted(True)) or self.log.truncated)
        assert finished.end == self.reader.end()
        assert not self.tail_path.exists()

    def die(self, room: int, call: Callable[[], object]) -> None:
        with killed_after(room):
            call()
        for store in self.stores:
            vanish(store)
        self.stores = [ChunkStore(self.root, fsync=self.policy) for _ in range(2)]

    def known_from(self, offset: int) -> list[Entry]:
        """What was sent from payload offset `offset` on, byte by byte."""
        return [Entry(pair[0], bytes([pair[1]])) if pair else Entry(0, b"?") for pair in self.log.sent[offset:]]

    @property
    def tail_path(self) -> Path:
        return self.root / f"{KEY}.tail"

    @invariant()
    def what_is_stored_is_what_the_limits_say(self) -> None:
        expected = self.log.finished_text() if self.finished else joined(self.log.text)
        found = plain_format.extents(self.root, KEY)
        assert plain_format.joined(found) == expected
        assert read_back(self.stores[1], max_bytes=900) == expected
        end = self.reader.end()
        assert end == self.stores[1].append(KEY, [], offset=0).end
        assert (end.received, end.omitted) == (len(self.log.sent), self.log.omitted(self.finished))
        if self.tail_path.exists():
            assert self.tail_path.stat().st_size <= 2 * self.limits.max_tail_bytes + ALLOWANCE_BYTES

    def teardown(self) -> None:
        self.reader.close()
        for store in self.stores:
            store.close()
        shutil.rmtree(self.root)


TestModel = Model.TestCase
TestModel.settings = settings(deadline=None, max_examples=60, stateful_step_count=15)
