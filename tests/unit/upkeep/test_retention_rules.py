"""Which builds policies keep: by example, and what holds for every policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logviewer.upkeep.retention.bounds import Facts
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.room import Weighed, oldest_beyond

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class ListedHistory:
    """A builder's builds in a list."""

    def __init__(self, builds: Sequence[Facts]) -> None:
        self._builds = builds

    def nth_number(self, count: int, results: frozenset[str] | None) -> int:
        numbers = sorted((b.number for b in self._builds if results is None or b.results in results), reverse=True)
        return numbers[count - 1] if len(numbers) >= count else 0


def expired(policy: Policy, builds: Sequence[Facts]) -> set[int]:
    protection = policy.protection(ListedHistory(builds), NOW)
    return {build.number for build in builds if protection.is_expired(build)}


def free_for_room(policy: Policy, builds: Sequence[Facts]) -> set[int]:
    protection = policy.protection(ListedHistory(builds), NOW)
    return {build.number for build in builds if not protection.is_spared(build)}


BUILDS = [
    Facts(1, "success", days_ago(100)),
    Facts(2, "failure", days_ago(80)),
    Facts(3, "success", days_ago(60), viewed_at=days_ago(2)),
    Facts(4, "warnings", days_ago(50)),
    Facts(5, "cancelled", days_ago(45), is_fixed=True),
    Facts(6, "exception", days_ago(40)),
    Facts(7, "failure", days_ago(1)),
]


@pytest.mark.parametrize(
    ("policy", "goes"),
    [
        (Policy(), set()),
        (Policy(keep_successful=1, keep_viewed_days=1, keep_failed_days=1), set()),
        (Policy(keep_days=30), {1, 2, 3, 4, 6}),
        (Policy(keep_days=55), {1, 2, 3}),
        (Policy(keep_days=30, keep_failed_days=70), {1, 2, 3, 4}),
        (Policy(keep_days=30, keep_successful=1), {1, 2, 3, 6}),
        (Policy(keep_days=30, keep_successful=2), {1, 2, 6}),
        (Policy(keep_days=30, keep_viewed_days=3), {1, 2, 4, 6}),
        (Policy(keep_builds=2), {1, 2, 3, 4}),
        (Policy(keep_builds=3, keep_failed_days=90), {1, 3, 4}),
        (Policy(keep_builds=100), set()),
    ],
)
def test_what_a_policy_lets_go(policy: Policy, goes: set[int]) -> None:
    assert expired(policy, BUILDS) == goes


def test_for_want_of_room_age_does_not_count_but_last_builds_do() -> None:
    policy = Policy(keep_days=365, keep_failed_days=365, keep_builds=1, keep_successful=1, keep_viewed_days=3)
    assert free_for_room(policy, BUILDS) == {1, 2, 6}


def test_a_builder_goes_its_own_way_field_by_field() -> None:
    project = Policy(keep_days=30, keep_builds=5, max_total_bytes=1000)
    builder = SimpleNamespace(
        keep_days=7,
        keep_builds=0,
        keep_successful=2,
        keep_failed_days=None,
        keep_viewed_days=None,
        max_total_bytes=None,
    )
    assert Policy.of(project, builder) == Policy(keep_days=7, keep_successful=2, max_total_bytes=1000)


count = st.none() | st.integers(1, 12)
policies = st.builds(
    Policy,
    keep_days=count,
    keep_builds=count,
    keep_successful=count,
    keep_failed_days=count,
    keep_viewed_days=count,
)
moments = st.floats(0, 15).map(days_ago)
words = st.sampled_from(["success", "warnings", "failure", "exception", "cancelled", "retry"])
histories = st.lists(st.tuples(words, moments, st.none() | moments, st.booleans()), max_size=20).map(
    lambda rows: [Facts(number, *row) for number, row in enumerate(rows, 1)]
)


@given(policies, histories)
def test_nothing_that_is_pinned_or_open_ever_goes(policy: Policy, builds: list[Facts]) -> None:
    fixed = {build.number for build in builds if build.is_fixed}
    assert not fixed & expired(policy, builds)
    assert not fixed & free_for_room(policy, builds)


@given(
    policies,
    histories,
    st.sampled_from(["keep_successful", "keep_failed_days", "keep_viewed_days"]),
    st.integers(1, 12),
)
def test_another_keeping_rule_never_lets_more_go(policy: Policy, builds: list[Facts], rule: str, value: int) -> None:
    without = replace(policy, **{rule: None})
    assert expired(replace(policy, **{rule: value}), builds) <= expired(without, builds)
    assert free_for_room(replace(policy, **{rule: value}), builds) <= free_for_room(without, builds)


@given(policies, histories)
def test_what_any_of_the_rules_keeps_is_kept(policy: Policy, builds: list[Facts]) -> None:
    goes = expired(policy, builds)
    newest = sorted(builds, key=lambda build: -build.number)
    kept = set[int]()
    if policy.keep_days:
        kept |= {b.number for b in builds if b.finished_at > days_ago(policy.keep_days)}
    if policy.keep_failed_days:
        recent = [b for b in builds if b.finished_at > days_ago(policy.keep_failed_days)]
        kept |= {b.number for b in recent if b.results in ("failure", "exception")}
    if policy.keep_builds:
        kept |= {b.number for b in newest[: policy.keep_builds]}
    if policy.keep_successful:
        good = [b for b in newest if b.results in ("success", "warnings")]
        kept |= {b.number for b in good[: policy.keep_successful]}
    if policy.keep_viewed_days:
        kept |= {b.number for b in builds if b.viewed_at and b.viewed_at > days_ago(policy.keep_viewed_days)}
    kept |= {b.number for b in builds if b.is_fixed}
    all_builds = {b.number for b in builds}
    assert goes == (all_builds - kept if policy.keep_days or policy.keep_builds else set())


@given(policies, histories)
def test_what_ended_by_the_time_that_is_over_never_goes_for_room_alone(policy: Policy, builds: list[Facts]) -> None:
    over_by = policy.protection(ListedHistory(builds), NOW).over_by
    for_room_alone = free_for_room(policy, builds) - expired(policy, builds)
    assert over_by is None or not for_room_alone & {b.number for b in builds if b.finished_at <= over_by}
    assert (over_by is None) == (not policy.expires)


sizes = st.lists(st.integers(0, 1000), max_size=30)


@given(sizes, st.integers(0, 20_000), st.integers(0, 5000))
def test_room_is_made_by_the_oldest_and_by_no_more_of_them_than_needed(
    sizes: list[int], others: int, most: int
) -> None:
    builds = [Weighed(number, 1, size) for number, size in enumerate(sizes)]
    total = sum(sizes) + others
    going = list(oldest_beyond(most, total, builds))
    gone = [build.build_id for build in going]
    with_bytes = [build.build_id for build in builds if build.stored_bytes]
    assert gone == with_bytes[: len(gone)]
    left = total - sum(build.stored_bytes for build in going)
    assert left <= most or gone == with_bytes
    if going:
        assert left + going[-1].stored_bytes > most


def test_of_a_long_list_no_more_is_read_than_goes() -> None:
    read: list[int] = []

    def builds() -> object:
        for number in range(1000):
            read.append(number)
            yield Weighed(number, 1, 10)

    assert len(list(oldest_beyond(75, 100, builds()))) == 3  # type: ignore[arg-type]
    assert read == [0, 1, 2]


def test_every_pair_of_rules_keeps_what_each_of_them_keeps() -> None:
    fields = {"keep_days": 42, "keep_builds": 1, "keep_successful": 1, "keep_failed_days": 70, "keep_viewed_days": 3}
    base = Policy(keep_days=1)
    for one, other in combinations(fields, 2):
        alone = [expired(replace(base, **{name: fields[name]}), BUILDS) for name in (one, other)]
        both = expired(replace(base, **{one: fields[one], other: fields[other]}), BUILDS)
        assert both == alone[0] & alone[1]
