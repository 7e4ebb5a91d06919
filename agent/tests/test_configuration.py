"""Settings come from options, environment and file; the token never comes out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from buildlogs_agent.arguments import parse_arguments
from buildlogs_agent.configuration import read_configuration
from buildlogs_agent.errors import UsageError

SECRET = "bl_very%secret"


@contextlib.contextmanager
def another_users(directory: Path) -> Iterator[None]:
    """Close a directory to this process, also where that is root's."""
    root = os.geteuid() == 0
    directory.chmod(0)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o700)


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
        ({"BUILDLOGS_SERVER": f"http://user:{SECRET}@host"}, "password"),
        ({"BUILDLOGS_SERVER": f"http://user:{SECRET}@host:99999"}, "password"),
        ({"BUILDLOGS_SERVER": SECRET}, "BUILDLOGS_SERVER"),
        ({"BUILDLOGS_SPOOL": "~no-such-user-anywhere/spool"}, "BUILDLOGS_SPOOL"),
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


WRONG_ADDRESSES = [
    "",
    "foo",
    "ftp://x",
    "http://",
    "http://[",
    "http://[zz]",
    "http://foo bar",
    "http://foo/a b",
    "http://foo\n",
    "http://f\udcff",
    "http://%zz",
    "http://a..b",
    "http://x:99999",
    "http://x:0",
    "http://x:y",
    "http://x/?a",
]


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_an_address_at_which_there_can_be_no_server_is_told_with_the_place_it_is_in(
    address: str, tmp_path: Path
) -> None:
    elsewhere = write(tmp_path, f"[buildlogs]\nserver = {address.strip()}\n" if address.isprintable() else "")
    with pytest.raises(UsageError, match=r"^BUILDLOGS_SERVER is not a server's address: it"):
        read_configuration({**elsewhere, "BUILDLOGS_SERVER": address}, None, None)
    with pytest.raises(UsageError, match=r"^--server is not a server's address: it"):
        read_configuration({**elsewhere, "BUILDLOGS_SERVER": "http://right"}, address, None)
    if address.isprintable():
        with pytest.raises(UsageError, match=r"^server in .*config\.ini is not a server's address: it"):
            read_configuration(elsewhere, None, None)


@pytest.mark.parametrize("address", ["http://x", "https://x.example:8443/logs", "http://[::1]:8000", "http://a_b:1"])
def test_an_address_of_a_server_is_taken_as_it_is(address: str) -> None:
    assert read_configuration({"HOME": "/nowhere", "BUILDLOGS_SERVER": address}, None, None).server == address


def test_a_home_that_is_closed_to_us_holds_no_configuration(tmp_path: Path) -> None:
    environment = write(tmp_path, "[buildlogs]\nproject = demo\n")
    with another_users(tmp_path):
        assert read_configuration(environment, None, None).project is None


def test_a_file_that_is_closed_to_us_is_named(tmp_path: Path) -> None:
    environment = write(tmp_path, "[buildlogs]\nproject = demo\n")
    (tmp_path / "buildlogs" / "config.ini").unlink()
    (tmp_path / "buildlogs" / "config.ini").mkdir()
    with pytest.raises(UsageError, match=r"config\.ini cannot be read"):
        read_configuration(environment, None, None)


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
