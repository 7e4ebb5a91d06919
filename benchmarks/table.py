"""Writes the tables of README.md from results/*.json; with --check it only says whether they are the same."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
BEGIN, END = "<!-- figures: written by table.py -->", "<!-- end of figures -->"


def tables() -> str:
    """All results, each as a heading, how it was measured, and a table."""
    return "\n".join(table(json.loads(path.read_text())) for path in sorted((HERE / "results").glob("*.json")))


def table(result: dict[str, Any]) -> str:
    """One result in Markdown."""
    machine = result["machine"]
    changed = ", with changes not yet committed" if result["changed_since_commit"] else ""
    lines = [
        f"### {result['name']}",
        "",
        f"`{result['command']}` on {result['date']}, commit {result['commit'][:12]}{changed}; "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']:g} GiB, {machine['system']}, "
        f"Python {machine['python']}, Daphne {machine['daphne']}, Twisted {machine['twisted']}; "
        f"load average before the run {machine['load_before']:g}.",
        "",
        "| figure | median | runs | goal | yardstick of the same run |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *(row(figure) for figure in result["figures"]), ""])


def row(figure: dict[str, Any]) -> str:
    """One figure."""
    goal = "" if figure["goal"] is None else f"{figure['goal']}: {'met' if figure['met'] else '**missed**'}"
    compared = "" if figure["yardstick"] is None else f"{figure['ratio_to_yardstick']} x {figure['yardstick']}"
    runs = ", ".join(f"{value:g}" for value in figure["runs"])
    return f"| {figure['name']} | {figure['median']:g} {figure['unit']} | {runs} | {goal} | {compared} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"
    if options.check:
        sys.exit(0 if wanted == text else f"{README} is not what the results say: run python benchmarks/table.py")
    README.write_text(wanted)


if __name__ == "__main__":
    main()
