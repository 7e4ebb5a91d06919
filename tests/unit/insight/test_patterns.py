"""Each pattern of patterns.toml does with its examples what they say."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.insight.annotations import Annotation
from logviewer.insight.inspector import Inspector
from logviewer.insight.patterns import Patterns, read_document

DOCUMENT = read_document()
EXAMPLES = [
    pytest.param(entry, example, id=f"{entry['name']}: {example['text'].strip().splitlines()[0][:50]}")
    for entry in DOCUMENT["pattern"]
    for example in entry.get("examples", ())
]
OTHERS = [line for entry in DOCUMENT["pattern"] for line in entry.get("not", ())]
TINY = {"heading": "^x$", "pattern": [{"name": "a", "level": "error", "regex": "^a"}]}


def annotations(text: str) -> list[Annotation]:
    inspector = Inspector()
    inspector.feed(text.encode(), is_last=True)
    return inspector.annotations


@pytest.mark.parametrize(("entry", "example"), EXAMPLES)
def test_an_example_is_recognised_with_its_place(entry: dict[str, Any], example: dict[str, Any]) -> None:
    found = annotations(f"before\n{example['text']}\n\nafter\n")
    assert len(found) == 1 + example.get("others", 0), found
    (annotation,) = [each for each in found if each.line == 1 + example.get("at", 1)]
    assert annotation.level == entry["level"]
    assert (annotation.path, annotation.path_line) == (example.get("path"), example.get("line"))
    if "message" in example:
        assert annotation.message == " ".join(example["message"].split())


@pytest.mark.parametrize("line", OTHERS)
def test_what_looks_like_one_is_none(line: str) -> None:
    assert annotations(f"{line}\n") == []


def test_every_pattern_that_finds_something_has_an_example() -> None:
    without = [each["name"] for each in DOCUMENT["pattern"] if each["level"] != "none" and not each.get("examples")]
    assert without == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "fatal"}, "the level 'fatal'"),
        ({"exmaples": []}, "unknown fields: exmaples"),
        ({"within": 0}, "looks at 0 lines"),
        ({"within": 100_000}, "looks at 100000 lines"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused_by_its_name(change: dict[str, Any], words: str) -> None:
    Patterns(TINY)
    with pytest.raises(ValueError, match=f"pattern 'a' .*{words}"):
        Patterns({**TINY, "pattern": [{**TINY["pattern"][0], **change}]})


def test_two_patterns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="the same name"):
        Patterns({**TINY, "pattern": TINY["pattern"] * 2})
