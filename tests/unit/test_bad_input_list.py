"""docs/bad-input.md against the tests that it names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

REQUIRED_CASES = {
    "malformed JSON",
    "an unknown field",
    "a wrong type",
    "an unknown id",
    "a log that is finished",
    "a hole in offsets",
    "a body over 1 MiB and its framing",
    "a netstring of length 99999999999",
    "a netstring without its comma",
    "a netstring on channel 9",
    "a netstring of negative length",
    "a netstring longer than the limit",
    "a wrong token",
    "an expired token",
    "a token for another project",
    "an origin that is not allowed",
    "a start beyond the end",
    "names at the ends of Unicode and of their length",
    "names whose slugs collide",
    "a number that many ask for at once",
    "a log that is deleted or redacted while it is read",
    "a line that is redacted while it is searched",
    "retention while a log is written",
    "a webhook to an address inside the network",
}
"""What must be in the list whatever else is."""

ROW = re.compile(r"^\| (?P<case>[^|]+) \| (?P<answer>[^|]+) \| `(?P<test>[^`|]+)` \|$")


def rows() -> list[dict[str, str]]:
    lines = (ROOT / "docs" / "bad-input.md").read_text().splitlines()
    return [match.groupdict() for match in map(ROW.match, lines) if match]


def cases_marked_on(function: ast.AST) -> Iterator[str]:
    """The names in a function's `@pytest.mark.bad_input("…")` decorators."""
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.bad_input":
                yield ast.literal_eval(decorator.args[0])


def marked_tests() -> set[tuple[str, str]]:
    """Case and test, `file::name`, of every marker in the tree."""
    return {
        (case, f"{path.relative_to(ROOT)}::{function.name}")
        for tests in ("tests", "agent/tests")
        for path in (ROOT / tests).rglob("test_*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        for case in cases_marked_on(function)
    }


def test_each_row_names_a_test_that_bears_its_case_and_each_such_test_has_a_row():
    assert {(row["case"], row["test"]) for row in rows()} == marked_tests()


def test_no_row_is_there_twice():
    pairs = [(row["case"], row["test"]) for row in rows()]
    assert len(pairs) == len(set(pairs))


def test_every_line_of_the_table_is_a_row():
    lines = [line for line in (ROOT / "docs" / "bad-input.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows()) == len(lines) - 2  # the heading and the line below it


@pytest.mark.parametrize("case", sorted(REQUIRED_CASES))
def test_each_required_case_is_in_the_list(case):
    assert case in {row["case"] for row in rows()}
