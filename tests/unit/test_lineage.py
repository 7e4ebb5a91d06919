"""docs/lineage.md against the modules and tests that it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = (
    "Buildbot 0.8 `LogFile` and `LogFileProducer`",
    "`twisted.spread.util.FilePager`",
    "`twisted.web.client.FileBodyProducer`",
    "`twisted.internet.abstract._ConsumerMixin`",
)
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<here>[^|]+) \| `(?P<module>[^`|]+)` \| `(?P<test>[^`|]+)` \|$")
TEXT = (ROOT / "docs" / "lineage.md").read_text()
ROWS = [match.groupdict() for match in map(ROW.match, TEXT.splitlines()) if match]


@pytest.mark.parametrize("row", ROWS, ids=[row["test"].rpartition("::")[2] for row in ROWS])
def test_each_row_names_a_module_and_a_test_that_are_there(row: dict[str, str]):
    assert (ROOT / row["module"]).is_file()
    path, _, name = row["test"].partition("::")
    tree = ast.parse((ROOT / path).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in names
    assert name.startswith("test_")


def test_every_line_of_the_tables_is_a_row():
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 2 * len(SYSTEMS)  # each table has a heading and the line below it


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_forebear_has_its_promises(system: str):
    section = TEXT.partition(f"## {system}\n")[2].partition("\n## ")[0]
    assert any(ROW.match(line) for line in section.splitlines())
