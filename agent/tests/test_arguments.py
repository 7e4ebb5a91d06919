"""The command line: what it takes, and that its errors show no value that may be a secret."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from buildlogs_agent.arguments import VERBS, parse_arguments
from buildlogs_agent.errors import UsageError
from conftest import Agent

README = Path(__file__).parent.parent / "README.md"
TOKEN = "bl_very-secret"
RUN = ["run", "--builder", "b"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--token", TOKEN, *RUN, "--", "true"],
        [*RUN, "--token", TOKEN, "--", "true"],
        [*RUN, f"--token={TOKEN}", "--", "true"],
        [*RUN, "--toke", TOKEN, "--", "true"],
        [*RUN, f"--tokens={TOKEN}", "--", "true"],
        [*RUN, f"-t{TOKEN}", "--", "true"],
        [*RUN, TOKEN, "--", "true"],
        [TOKEN, *RUN, "--", "true"],
        [*RUN, "--number", TOKEN, "--", "true"],
        [*RUN, "--timeout", TOKEN, "--", "true"],
        [*RUN, f"--pty={TOKEN}", "--", "true"],
        ["pipe", "x", "--results", TOKEN],
        ["pipe", "x", "--results", f"{TOKEN} (choose from 'x')\n{TOKEN}"],
        ["log", "x", "y", "--type", TOKEN],
        ["flush", TOKEN],
        [f"--server=http://x:{TOKEN}@y", "flush"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(TOKEN, "TOKEN").split("\n")[0],
)
def test_no_error_shows_a_value(agent: Agent, arguments: list[str]) -> None:
    wrong = agent.run(*arguments)
    assert wrong.returncode == 125
    assert b"very-secret" not in wrong.stdout + wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    assert not agent.spool.exists()


def test_a_token_option_is_told_where_the_token_belongs() -> None:
    with pytest.raises(UsageError, match="use BUILDLOGS_TOKEN or the configuration file"):
        parse_arguments([*RUN, "--token", TOKEN, "--", "true"])
    assert parse_arguments([*RUN, "--", "curl", "--token", "x"]).command == ["curl", "--token", "x"]


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(UsageError, match="unrecognized arguments: --colour -x"):
        parse_arguments([*RUN, "--colour=red", "-x", "value", "--", "true"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.5", 0.5), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_times_are_as_for_timeout(text: str, seconds: float) -> None:
    assert parse_arguments([*RUN, "--timeout", text, "--", "true"]).timeout == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "1w", "inf", "nan", "1e3", "\u0661"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        parse_arguments([*RUN, f"--timeout={text}", "--", "true"])


def test_the_two_dashes_before_names_that_begin_with_one() -> None:
    options = parse_arguments(["log", "--type", "html", "--", "-step", "-file"])
    assert (options.name, options.file, options.command) == ("-step", "-file", [])


def options_of(verb: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-m", "buildlogs_agent", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    ).stdout
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown)) - {"--help"}


def test_the_readme_names_every_verb_and_option_and_no_other() -> None:
    text = README.read_text()
    offered = set().union(*(options_of(verb) for verb in VERBS))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--token", "--help"}
    assert offered == named
    assert {verb for verb in VERBS if f"buildlogs {verb}" in text} == set(VERBS)
