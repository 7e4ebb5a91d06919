"""Settings come from options, environment and file; the token never comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from buildlogs_agent.arguments import parse_arguments
from buildlogs_agent.configuration import read_configuration
from buildlogs_agent.errors import UsageError

SECRET = "bl_very%secret"


def write(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "buildlogs").mkdir()
    (tmp_path / "buildlogs" / "config.ini").write_text(text)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_the_file_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    environment = write(tmp_path, f"[buildlogs]\nserver = https://ci.example/logs/\ntoken = {SECRET}\nproject = demo\n")
    stored = read_configuration(environment, None, None)
    assert (stored.server, stored.token, stored.project) == ("https://ci.example/logs", SECRET, "demo")
    chosen = read_configuration({**environment, "BUILDLOGS_SERVER": "http://other:1"}, None, None)
    assert chosen.server == "http://other:1"
    assert read_configuration(environment, "http://third:1", "mine").server == "http://third:1"


def test_defaults_without_any_setting(tmp_path: Path) -> None:
    configuration = read_configuration({"HOME": str(tmp_path)}, None, None)
    assert configuration.server == "http://127.0.0.1:8000"
    assert configuration.spool_limit_bytes == 1024**3
    assert configuration.patience_seconds == 60


def test_a_configuration_never_shows_its_token() -> None:
    assert SECRET not in repr(read_configuration({"BUILDLOGS_TOKEN": SECRET, "HOME": "/nowhere"}, None, None))


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"BUILDLOGS_TOKEN": SECRET + "\nX-Evil: 1"}, "BUILDLOGS_TOKEN"),
        ({"BUILDLOGS_SERVER": "ftp://somewhere"}, "ftp://somewhere"),
        ({"BUILDLOGS_SERVER": "http://host:notaport"}, "notaport"),
        ({"BUILDLOGS_SERVER": f"http://user:{SECRET}@host"}, "password"),
        ({"BUILDLOGS_PATIENCE": "long"}, "BUILDLOGS_PATIENCE"),
        ({"BUILDLOGS_SPOOL_BYTES": "-1"}, "BUILDLOGS_SPOOL_BYTES"),
    ],
)
def test_a_wrong_value_is_named_and_no_secret_shown(environment: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_configuration({"HOME": "/nowhere", **environment}, None, None)
    assert named in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_broken_file_is_named_but_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_configuration(write(tmp_path, f"token {SECRET}\n"), None, None)
    assert "config.ini" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_everything_after_two_dashes_is_the_command() -> None:
    options = parse_arguments(["step", "compile", "--", "make", "--", "--server", "x"])
    assert options.command == ["make", "--", "--server", "x"]
    assert options.server is None


def test_the_server_may_be_named_before_or_after_the_verb() -> None:
    assert parse_arguments(["--server", "http://a", "step", "n", "--", "c"]).server == "http://a"
    assert parse_arguments(["step", "--server", "http://a", "n", "--", "c"]).server == "http://a"


@pytest.mark.parametrize(
    "arguments",
    [[], ["step", "x"], ["step", "x", "--"], ["step", "--", "c"], ["run", "--", "c"], ["walk", "--", "c"]],
)
def test_wrong_arguments_are_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_arguments(arguments)
