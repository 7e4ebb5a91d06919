"""What waits for a thread of its own, and waiting for it."""

from __future__ import annotations

import threading

from logviewer.live.mailbox import Mailbox


def mailbox_of(handled: list[dict[str, int]], may_handle: threading.Event) -> Mailbox[str, int]:
    def run() -> None:
        while True:
            taken = mailbox.take()
            may_handle.wait()
            handled.append(taken)

    mailbox: Mailbox[str, int] = Mailbox("test", run, 10)
    return mailbox


def test_it_settles_when_what_was_taken_is_dealt_with() -> None:
    handled: list[dict[str, int]] = []
    may_handle = threading.Event()
    mailbox = mailbox_of(handled, may_handle)
    mailbox.put("a", 1)
    assert not mailbox.settle(0.05)
    may_handle.set()
    assert mailbox.settle(10)
    assert handled == [{"a": 1}]


def test_where_nothing_was_ever_put_it_is_settled() -> None:
    assert mailbox_of([], threading.Event()).settle(0)
