"""Going through a log in pieces comes to the same wherever it is cut, and costs a bounded memory."""

from __future__ import annotations

import json
import random
from copy import copy
from typing import Any

import pytest

from logviewer.insight import inspector as module
from logviewer.insight.annotations import Annotation
from logviewer.insight.folds import MAX_DEPTH, MAX_FOLDS, Fold
from logviewer.insight.inspector import Inspector, UnreadableState
from logviewer.insight.patterns import patterns, read_document

LINES = b"".join(
    f"{example['text']}\n".encode() for entry in read_document()["pattern"] for example in entry.get("examples", ())
)
MARKED = (
    b"~~~ prepare\n::group::one\r\nin\n::endgroup::\n##[group]two\n##[group]three\nx\n##[endgroup]\n##[endgroup]\n"
    b"\x1b[0Ksection_start:1700000000:build[collapsed=true]\r\x1b[0KBuild it\nmake\n"
    b"section_end:1700000042:build\r\x1b[0Ksection_start:1700000042:test\r\x1b[0KTest it\nok\n"
    b"section_end:1700000050:test\r\x1b[0K\n--- last\n10%\r50%\r100%\rerror: it broke\n+++ really"
)
STACK_KIB = 16


class Gone:
    """What an Inspector found, as the database would have it: by line, by number, the later over the earlier."""

    def __init__(self) -> None:
        self.annotations: dict[int, Annotation] = {}
        self.folds: dict[int, Fold] = {}
        self.counts: dict[str, int] = {}
        self.total_folds = 0
        self.largest_state = 0

    def take(self, inspector: Inspector) -> dict[str, Any]:
        self.annotations |= {each.line: each for each in inspector.annotations}
        for number in inspector.folds.forgotten:
            self.folds.pop(number, None)
        self.folds |= {number: Fold(**vars(fold)) for number, fold in inspector.folds.changed.items()}
        self.counts, self.total_folds = dict(inspector.counts), inspector.folds.total
        state = json.dumps(inspector.state())
        self.largest_state = max(self.largest_state, len(state))
        result: dict[str, Any] = json.loads(state)
        return result


def go_through(text: bytes, cuts: list[int] | None = None) -> Gone:
    """Feed the text up to each cut, in an Inspector of its own each time, as processes that end would."""
    gone, state, looked = Gone(), None, 0
    for stop in [*(cuts or []), len(text)]:
        inspector = Inspector(state)
        is_last = stop == len(text)
        looked += inspector.feed(text[looked:stop], is_last=is_last, time_at=lambda offset: None)
        state = gone.take(inspector)
    assert looked == len(text)
    return gone


def folds_of(text: bytes) -> list[tuple[int, int | None, str, int]]:
    return [(fold.start, fold.end, fold.name, fold.level) for _, fold in sorted(go_through(text).folds.items())]


def same(one: Gone, other: Gone) -> bool:
    return (one.annotations, one.folds, one.counts) == (other.annotations, other.folds, other.counts)


def test_it_comes_to_the_same_wherever_the_text_is_cut() -> None:
    text = MARKED + b"\n" + LINES[:3000]
    whole = go_through(text)
    assert whole.counts["error"] > 10
    for cut in range(0, len(text), 7):
        assert same(go_through(text, [cut]), whole), text[:cut]


def test_it_comes_to_the_same_in_many_small_pieces() -> None:
    text = MARKED + b"\n" + LINES
    whole = go_through(text)
    for seed in range(5):
        cuts = sorted(random.Random(seed).sample(range(len(text)), 200))
        assert same(go_through(text, cuts), whole)


def test_folds_of_all_systems_with_their_lines_and_levels() -> None:
    assert folds_of(MARKED) == [
        (1, 14, "prepare", 1),
        (2, 4, "one", 2),
        (5, 9, "two", 2),
        (6, 8, "three", 3),
        (10, 12, "Build it", 2),
        (12, 14, "Test it", 2),
        (15, 16, "last", 1),
        (17, 17, "really", 1),
    ]


def test_gitlab_says_how_long_a_section_took() -> None:
    seconds = {fold.name: fold.seconds for fold in go_through(MARKED).folds.values()}
    assert (seconds["Build it"], seconds["Test it"], seconds["one"]) == (42.0, 8.0, None)


def test_other_folds_take_as_long_as_the_times_of_their_lines_say() -> None:
    text = b"before\n::group::a\nmiddle\n::endgroup::\n"
    inspector = Inspector()
    inspector.feed(text, is_last=True, time_at=lambda offset: 1_000_000 * offset)
    assert [fold.seconds for fold in inspector.folds.changed.values()] == [
        float(text.index(b"::end") - text.index(b"::group"))
    ]


def test_a_diff_a_trace_and_a_failed_test_are_no_folds() -> None:
    text = (
        b"--- a/x.c\n+++ b/x.c\n--- old.c\n+++ new.c\n+ set\n++ date\n+++ dirname x\n"
        b"--- FAIL: TestA (0.00s)\n--- PASS: TestB (0.00s)\n--- x.c\t2026-11-20\n"
    )
    assert folds_of(text) == []


def test_a_single_header_and_a_heading_between_dashes_are_no_folds() -> None:
    assert folds_of(b"--- removed comment of SQL\nx\n") == []
    assert go_through(b"~~~ alone\nx\n", [10]).total_folds == 0
    assert folds_of(b"--- Results ---\nx\n--- Failures ---  \ny\n") == []


def test_the_first_header_is_told_of_with_the_second() -> None:
    text = b"--- one\nx\n::group::in\n::endgroup::\n--- two\n"
    inspector = Inspector()
    inspector.feed(text[:10], is_last=False)
    assert inspector.folds.changed == {}
    whole = go_through(text)
    assert folds_of(text) == [(1, 4, "one", 1), (3, 4, "in", 2), (5, 5, "two", 1)]
    assert whole.total_folds == 3
    assert all(same(go_through(text, [cut]), whole) for cut in range(len(text)))


def test_a_group_that_never_ends_ends_with_the_log() -> None:
    assert folds_of(b"::group::a\nb\nc\n") == [(1, 3, "a", 1)]
    assert folds_of(b"::group::a\nb\nc") == [(1, 3, "a", 1)]


@pytest.mark.bad_input("folds that never end, or nest 1000 deep")
@pytest.mark.parametrize("marker", [b"::group::deep\n", b"section_start:1:a%d\rdeep\n"])
def test_a_thousand_folds_in_each_other_cost_no_more_than_some(marker: bytes) -> None:
    text = b"".join(marker % number if b"%" in marker else marker for number in range(1000))
    gone = go_through(text, list(range(1000, len(text), 1000)))
    assert (gone.total_folds, len(gone.folds)) == (1000, MAX_DEPTH)
    assert gone.largest_state < STACK_KIB * 1024


def test_groups_beyond_the_depth_end_where_they_should() -> None:
    deep = b"::group::x\n" * (MAX_DEPTH + 3) + b"::endgroup::\n" * (MAX_DEPTH + 3)
    assert folds_of(deep)[0] == (1, 2 * (MAX_DEPTH + 3), "x", 1)


def test_of_many_folds_the_first_are_kept_and_all_are_counted() -> None:
    gone = go_through(b"::group::a\n::endgroup::\n" * (MAX_FOLDS + 5))
    assert (gone.total_folds, len(gone.folds)) == (MAX_FOLDS + 5, MAX_FOLDS)


def test_ends_without_a_beginning_are_nothing() -> None:
    assert folds_of(b"::endgroup::\nsection_end:1:a\r\n##[endgroup]\n") == []


@pytest.mark.bad_input("more errors than are kept")
def test_of_many_errors_the_first_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ERRORS", 3)
    monkeypatch.setattr(module, "MAX_WARNINGS", 2)
    block = b"a.c:1:2: error: x\na.c:1:2: warning: y\nerror[E0308]: mismatched\n --> src/main.rs:3:18\nplain\n"
    gone = go_through(block * 50, [3, 100, 133, 1000, 1001])
    assert gone.counts == {"error": 100, "warning": 50}
    assert [(each.line, each.level) for each in gone.annotations.values()] == [
        (1, "error"),
        (2, "warning"),
        (3, "error"),
        (6, "error"),
        (7, "warning"),
    ]
    assert gone.annotations[3].path == "src/main.rs"


def test_an_error_is_told_before_the_line_that_says_where() -> None:
    inspector = Inspector()
    inspector.feed(b"error[E0308]: mismatched\n", is_last=False)
    assert [each.path for each in inspector.annotations] == [None]
    inspector.feed(b" --> src/main.rs:3:18\n", is_last=False)
    assert [(each.line, each.path) for each in inspector.annotations] == [(1, None), (1, "src/main.rs")]
    assert inspector.errors == 1


@pytest.mark.bad_input("a line without an end that is an error")
def test_a_line_that_does_not_end_is_looked_at_once_and_passed_over() -> None:
    text = b"one\nerror: " + b"x" * 1_000_000 + b" error: y\nerror: z"
    whole = go_through(text)
    assert list(whole.annotations) == [2, 3]
    assert len(whole.annotations[2].message) == 500
    assert same(go_through(text, [70_000, 70_001, 500_000, len(text) - 9, len(text) - 8, len(text) - 1]), whole)


def test_a_long_line_without_an_end_finishes_the_log() -> None:
    text = b"::group::a\n" + b"x" * 200_000
    assert same(go_through(text, [100_000, 199_999]), go_through(text))
    assert folds_of(text) == [(1, 2, "a", 1)]


@pytest.mark.bad_input("control characters and NUL in what is an error")
def test_hostile_text_leaves_nothing_that_a_database_refuses() -> None:
    text = (
        b"error: a\0b\x1b]0;title\x07\xff\xfec \xe2\x80\xaed\n::group::\0\x01name\x00\n##[error]\n::error file=\0::\n"
    )
    gone = go_through(text)
    assert [each.message for each in gone.annotations.values()] == [
        "a b\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}c d",
        "##[error]",
        "::error file= ::",
    ]
    assert [fold.name for fold in gone.folds.values()] == ["name"]
    assert all(each.path is None for each in gone.annotations.values())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\r" * 10_000,
        b"\0" * 10_000,
        bytes(range(256)) * 50,
        b"\x1b[31m" * 10_000,
        b"Traceback (most recent call last):",
    ],
    ids=["empty", "line feed", "returns", "nul", "all bytes", "colours", "a traceback without an end"],
)
def test_any_text_can_be_gone_through(text: bytes) -> None:
    assert same(go_through(text, [len(text) // 2]), go_through(text))


def test_a_pattern_that_is_gone_since_the_last_look_is_no_trouble() -> None:
    inspector = Inspector()
    inspector.feed(b"Traceback (most recent call last):\n", is_last=False)
    state = inspector.state()
    state["pending"]["pattern"] = "one of an older version"
    assert Inspector(state).feed(b"x\n", is_last=True) == 2


@pytest.mark.bad_input("the state of another version")
@pytest.mark.parametrize(
    "change",
    [
        {"pending": {"pattern": "Python traceback", "row": 1}},
        {"pending": {}},
        {"folds": {"open": [{"first": 1}]}},
        {"folds": {"opened": []}},
        {"line": "many"},
        {"counts": 3},
    ],
)
def test_a_state_of_another_version_is_told_by_its_name(change: dict[str, Any]) -> None:
    with pytest.raises(UnreadableState):
        Inspector({**Inspector().state(), **change})


@pytest.mark.bad_input("control characters before a traceback")
def test_what_stands_before_a_traceback_is_remembered_without_control_characters() -> None:
    inspector = Inspector()
    inspector.feed(b"\x02\0\0\0\0\0\0X2026-11-29T10:00:00 Traceback (most recent call last):\n", is_last=False)
    assert inspector.state()["pending"]["prefix"] == ""
    inspector = Inspector()
    inspector.feed(b"web_1  | Traceback (most recent call last):\n", is_last=False)
    assert inspector.state()["pending"]["prefix"] == "web_1  | "


def test_carriage_returns_make_nothing_be_searched_twice() -> None:
    class Counted:
        """The search for lines that may be something, with how much text it was given."""

        def __init__(self) -> None:
            self.searched = 0

        def search(self, text: bytes, at: int) -> Any:
            match = patterns().candidates.search(text, at)
            self.searched += (len(text) if match is None else match.end()) - at
            return match

    known, counted = copy(patterns()), Counted()
    known.candidates = counted
    text = (b"plain line\n" * 40 + b"10%\r50%\r100%\n") * 300 + b"error: it broke\n"
    inspector = Inspector(known=known)
    inspector.feed(text, is_last=True)
    assert [each.line for each in inspector.annotations] == [300 * 41 + 1]
    assert counted.searched <= len(text)
