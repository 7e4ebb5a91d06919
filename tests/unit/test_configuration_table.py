"""docs/configuration.md against what the settings really read."""

import ast
import re
from pathlib import Path

from buildlogs.env import Environment

ROOT = Path(__file__).resolve().parents[2]


def variables_read_by_the_settings() -> dict[str, str]:
    """Name of each variable, and the reader that settings.py calls for it."""
    found = {}
    for node in ast.walk(ast.parse((ROOT / "buildlogs" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner, name = node.func.value, node.args[0]
            if isinstance(owner, ast.Name) and owner.id == "environment" and isinstance(name, ast.Constant):
                found[name.value] = node.func.attr
    return found


def rows_of_the_table() -> dict[str, list[str]]:
    rows = {}
    for line in (ROOT / "docs" / "configuration.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows[cells[0].strip("`")] = cells[1:]
    return rows


def test_the_settings_read_the_variables_of_the_table_and_no_others():
    assert set(variables_read_by_the_settings()) == set(rows_of_the_table())


def test_each_variable_has_a_type_a_default_and_a_meaning():
    assert [name for name, cells in rows_of_the_table().items() if len(cells) != 3 or not all(cells)] == []


def test_the_settings_read_variables_only_through_the_typed_readers():
    source = (ROOT / "buildlogs" / "settings.py").read_text()
    assert not re.search(r"os\.environ|getenv", source)
    assert {reader for reader in variables_read_by_the_settings().values() if not hasattr(Environment, reader)} == set()


def test_nothing_but_the_settings_reads_a_variable_of_the_server():
    readers = [
        str(path.relative_to(ROOT))
        for room in ("buildlogs", "logviewer")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"environ(\.get\(|\[)|getenv\(", path.read_text())
    ]
    assert readers == []
