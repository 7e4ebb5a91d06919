"""Policies in words."""

from __future__ import annotations

import pytest

from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import bytes_text, policy_words

PINNED = "Pinned ones always stay."


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(), "All builds are kept."),
        (Policy(keep_successful=5, keep_failed_days=90, keep_viewed_days=7), "All builds are kept."),
        (Policy(keep_days=1), f"Builds are kept for 1 day. {PINNED}"),
        (Policy(keep_days=30, keep_failed_days=90), f"Builds are kept for 30 days, failed ones for 90 days. {PINNED}"),
        (Policy(keep_days=30, keep_failed_days=7), f"Builds are kept for 30 days. {PINNED}"),
        (
            Policy(keep_days=30, keep_successful=5),
            "Builds are kept for 30 days. The last 5 successful ones of each builder and pinned ones always stay.",
        ),
        (Policy(keep_builds=1), f"The last build of each builder is kept. {PINNED}"),
        (
            Policy(keep_builds=20, keep_failed_days=90),
            f"The last 20 builds of each builder are kept, and failed ones for 90 days. {PINNED}",
        ),
        (
            Policy(keep_days=30, keep_builds=10, keep_successful=1, keep_viewed_days=7, max_total_bytes=10 * 10**9),
            "Builds are kept for 30 days. The last 10 builds of each builder, the last successful one of each builder, "
            "those that somebody looked at in the last 7 days and pinned ones always stay. If the logs take more than "
            "10 GB in all, the oldest of the other builds go first, whatever their age.",
        ),
        (
            Policy(max_total_bytes=1500),
            f"Builds of any age are kept. {PINNED} If the logs take more than 1.5 kB in all, the oldest of the other "
            "builds go first, whatever their age.",
        ),
    ],
)
def test_a_policy_is_told_in_words(policy: Policy, words: str) -> None:
    assert policy_words(policy) == words


def test_of_one_builder_it_does_not_speak_of_each() -> None:
    assert policy_words(Policy(keep_builds=3), one_builder=True) == f"The last 3 builds are kept. {PINNED}"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (2_340_000, "2.3 MB"), (10**18, "1000 PB")],
)
def test_bytes_are_told_in_their_largest_unit(count: int, text: str) -> None:
    assert bytes_text(count) == text
