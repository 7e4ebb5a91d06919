"""How long is waited between attempts."""

from logviewer.webhooks.delivering import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, pause_seconds


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [pause_seconds(attempts, 0.0) for attempts in range(1, 200)]
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert pauses == sorted(pauses)


def test_a_day_holds_some_twenty_attempts() -> None:
    passed, attempts = 0.0, 1
    while (passed := passed + pause_seconds(attempts, 0.5)) <= 86400:
        attempts += 1
    assert 15 <= attempts <= 30


def test_jitter_takes_up_to_half() -> None:
    assert pause_seconds(5, 1.0) == pause_seconds(5, 0.0) / 2
