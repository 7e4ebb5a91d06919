"""The clients in docs/api.md are run against a server, and print what the document says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.server import Server

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"```(?P<language>bash|python)\n(?P<code>.*?)```(?:\n```text\n(?P<output>.*?)```)?", re.DOTALL)
END_OF_BLOCK = "--- end of block"


def blocks(language: str) -> list[tuple[str, str]]:
    """The document's blocks in a language, in order, each with what it prints."""
    return [(code, output or "") for found, code, output in BLOCK.findall(DOCUMENT.read_text()) if found == language]


@pytest.mark.parametrize(
    ("language", "command", "say_end"),
    [
        ("bash", ["bash", "-eu", "-o", "pipefail"], f"echo '{END_OF_BLOCK}'\n"),
        ("python", [sys.executable], f"print('{END_OF_BLOCK}', flush=True)\n"),
    ],
    ids=["curl", "Python"],
)
def test_every_client_of_the_document_runs_and_prints_what_it_says(
    server: Server, tmp_path: Path, language: str, command: list[str], say_end: str
) -> None:
    examples = blocks(language)
    script = tmp_path / "clients"
    script.write_text("".join(f"{code}\n{say_end}" for code, _output in examples))
    token = server.token("--scopes", "read,write,admin")
    environment = {**os.environ, "BUILDLOGS_SERVER": server.url, "BUILDLOGS_TOKEN": token}
    done = subprocess.run(
        [*command, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    printed = done.stdout.split(f"{END_OF_BLOCK}\n")
    for (code, output), said in zip(examples, printed, strict=False):
        assert said.rstrip("\n") == output.rstrip("\n"), f"{code}\n{done.stderr}"
    assert done.returncode == 0, done.stderr
    assert printed[len(examples) :] == [""]


def test_there_is_a_client_for_each_main_task_in_both_languages() -> None:
    text = DOCUMENT.read_text()
    curl, python = text.split("## curl\n")[1].split("## Python\n")
    for task in (
        "Send a build",
        "Follow",
        "Resume",
        "Jenkins",
        "Search",
        "zip",
        "List builds",
        "Redact",
        "delete",
        "webhook",
    ):
        assert re.search(rf"^### .*{task}", curl, re.MULTILINE), task
        assert re.search(rf"^### .*{task}", python, re.MULTILINE), task
