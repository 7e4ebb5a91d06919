"""The documents against the tree: links lead somewhere, named tests are there, quoted messages are said."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "agent" / "README.md",
        ROOT / "benchmarks" / "README.md",
    ]
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
TEST = re.compile(r"`((?:agent/)?tests/[\w/]+\.py)::(\w+)`")
LEAST_WORDS = 12
"""Characters of a message between two of its blanks; fewer might stand anywhere."""


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), link


def test_the_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} == set(
        re.findall(r"\]\((\w[\w-]*\.md)\)", index)
    )


def test_each_test_that_the_threat_model_names_is_there() -> None:
    named = TEST.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 30
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, f"{path}::{name}"


def test_each_threat_names_a_test_or_the_table_that_does() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("| threat |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 10
    assert [row for row in rows if not TEST.search(row) and "limits below" not in row] == []


def test_each_message_under_troubleshooting_is_one_that_the_server_says() -> None:
    source = "".join(
        path.read_text() for room in ("logviewer", "buildlogs") for path in sorted((ROOT / room).rglob("*.py"))
    )
    table = (ROOT / "docs" / "install.md").read_text().partition("## Troubleshooting")[2]
    messages = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")][2:]
    looked_for = 0
    for message in messages:
        for quoted in re.findall(r"`([^`]+)`", message):
            for part in re.split(r"…|not ready: (?:database|layer|data_directory): |/", quoted):
                if len(part) >= LEAST_WORDS and not part.startswith(("buildlogs: ", "BUILDLOGS_", "ProgrammingError")):
                    looked_for += 1
                    assert part.strip(" ;:()") in source, part
    assert looked_for > 8
