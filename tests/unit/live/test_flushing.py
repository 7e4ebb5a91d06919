"""When viewers are told that their log grew: the interval, and the turns in which many of them are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from logviewer.chunkstore import LogEnd
from logviewer.live import flushing
from logviewer.live.flushing import Audience, Flusher, State, flush_interval

WAIT_SECONDS = 10
LISTENERS = 1000


@pytest.mark.parametrize(
    ("listeners", "flush_seconds", "interval"),
    [
        pytest.param(1, 0.0, 0.02, id="one"),
        pytest.param(200, 0.0, 0.02, id="two-hundred"),
        pytest.param(500, 0.0, 0.05, id="five-hundred"),
        pytest.param(1000, 0.0, 0.1, id="a-thousand"),
        pytest.param(50_000, 0.0, 0.1, id="fifty-thousand"),
        pytest.param(1, 0.004, 0.02, id="one-cheap"),
        pytest.param(1, 0.015, 0.06, id="one-dear"),
        pytest.param(500, 0.02, 0.08, id="five-hundred-dear"),
        pytest.param(1, 3.0, 0.1, id="loop-far-behind"),
    ],
)
def test_the_interval_follows_the_number_of_listeners_and_what_a_flush_takes(
    listeners: int, flush_seconds: float, interval: float
) -> None:
    assert flush_interval(listeners, flush_seconds) == pytest.approx(interval)


class Log:
    """Where a log ends, and how often that was asked."""

    def __init__(self) -> None:
        self.size = 0
        self.looks = 0

    def grow(self) -> None:
        self.size += 1

    def look(self) -> LogEnd:
        self.looks += 1
        return LogEnd(self.size, 0, 0, False, 0, None)


class Clock:
    """An event loop's clock and timers, moved by hand: what is called soon runs in the next turn."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self.later: list[tuple[float, Callable[..., None], tuple[object, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        self.soon.append((call, arguments))

    def call_at(self, when: float, call: Callable[..., None], *arguments: object) -> None:
        self.later.append((when, call, arguments))

    def turn(self) -> bool:
        """Run what is due now; says whether there was anything."""
        due = [timer for timer in self.later if timer[0] <= self.now]
        self.later = [timer for timer in self.later if timer[0] > self.now]
        soon, self.soon = self.soon, []
        for call, arguments in [*soon, *((call, arguments) for _, call, arguments in due)]:
            call(*arguments)
        return bool(soon or due)

    def run(self, seconds: float = 0.0) -> None:
        """Let time go by, from timer to timer."""
        until = self.now + seconds
        while True:
            while self.turn():
                pass
            if not self.later or min(self.later)[0] > until:
                break
            self.now = min(self.later)[0]
        self.now = until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flusher(clock: Clock) -> Flusher:
    return Flusher(clock)  # type: ignore[arg-type]  # as much of a loop as it needs


def test_a_first_line_after_silence_is_passed_on_at_once(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)
    audience.listeners.add(lambda: heard.append(clock.now))
    for silence in (0.0, 0.02, 5.0):
        clock.run(silence)
        log.grow()
        flusher.want(audience)
        clock.run()
        assert heard[-1] == clock.now
    assert len(heard) == 3


def test_what_comes_within_the_interval_is_told_together_at_its_end(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)
    audience.listeners.add(lambda: heard.append((clock.now, log.size)))
    for _ in range(200):
        log.grow()
        flusher.want(audience)
        clock.run(0.001)
    clock.run(1.0)
    moments = [moment for moment, _ in heard]
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx(
        [flushing.MIN_INTERVAL_SECONDS] * 10
    )
    assert heard[-1][1] == 200
    assert audience.state is State.IDLE


def test_an_announcement_without_news_calls_nobody(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)
    audience.listeners.add(lambda: heard.append(clock.now))
    audience.told = log.look()
    flusher.want(audience)
    clock.run(1.0)
    assert heard == []


def test_a_thousand_listeners_are_served_in_turns_of_at_most_fifty(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)
    audience.listeners.update([lambda number=number: heard.append(number) for number in range(LISTENERS)])
    log.grow()
    flusher.want(audience)
    in_turns = []
    while clock.turn():
        in_turns.append(len(heard) - sum(in_turns))
    assert max(in_turns) == flushing.BATCH_LISTENERS
    assert sorted(heard) == list(range(LISTENERS))
    assert log.looks == 1


def test_listeners_that_take_long_have_fewer_in_a_turn(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)

    def hear(number: int) -> None:
        heard.append(number)
        clock.now += 0.002

    audience.listeners.update([lambda number=number: hear(number) for number in range(20)])
    log.grow()
    flusher.want(audience)
    in_turns = []
    while clock.turn():
        in_turns.append(len(heard) - sum(in_turns))
    assert max(in_turns) == 3
    assert len(heard) == 20


def test_logs_take_turns(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    crowd, one = Audience(log.look), Audience(log.look)
    crowd.listeners.update([lambda: heard.append("crowd") for _ in range(LISTENERS)])
    one.listeners.add(lambda: heard.append("one"))
    log.grow()
    flusher.want(crowd)
    flusher.want(one)
    clock.run()
    assert heard.index("one") <= flushing.BATCH_LISTENERS
    assert len(heard) == LISTENERS + 1


def test_who_leaves_while_others_are_told_is_not_called(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)

    def leave() -> None:
        audience.listeners.clear()
        heard.append("left")

    audience.listeners.update([leave, lambda: leave(), lambda: leave()])
    log.grow()
    flusher.want(audience)
    clock.run()
    assert heard == ["left"]


def test_a_listener_that_fails_keeps_the_news_from_no_other(
    clock: Clock, flusher: Flusher, caplog: pytest.LogCaptureFixture
) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)

    def fail() -> None:
        raise OSError("gone")

    audience.listeners.update([fail, *[lambda: heard.append(1) for _ in range(3)]])
    log.grow()
    flusher.want(audience)
    clock.run()
    assert heard == [1, 1, 1]
    assert "a listener of a log failed" in caplog.text
    assert audience.state is State.IDLE


def test_growth_while_others_are_told_is_told_in_a_flush_of_its_own(clock: Clock, flusher: Flusher) -> None:
    log, heard = Log(), []
    audience = Audience(log.look)
    for _ in range(3):
        audience.listeners.add(lambda: heard.append(log.size))
    log.grow()
    flusher.want(audience)
    clock.turn()
    log.grow()
    flusher.want(audience)  # the first flush has told all, but not ended yet
    clock.run(1.0)
    assert heard == [1, 1, 1, 2, 2, 2]


async def test_a_flush_of_many_leaves_the_loop_to_others() -> None:
    loop, log = asyncio.get_running_loop(), Log()
    flusher, audience = Flusher(loop), Audience(log.look)
    woken = [asyncio.Event() for _ in range(LISTENERS)]
    audience.listeners.update([event.set for event in woken])
    turns_of_others = 0

    async def another() -> None:
        nonlocal turns_of_others
        while not all(event.is_set() for event in woken):
            turns_of_others += 1
            await asyncio.sleep(0)

    log.grow()
    flusher.want(audience)
    async with asyncio.timeout(WAIT_SECONDS):
        await another()
    assert turns_of_others >= LISTENERS / flushing.BATCH_LISTENERS
