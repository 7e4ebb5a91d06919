"""Where the server is and how to treat it: command line, then environment, then the configuration file."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from . import patience, spool
from .address import DEFAULT_SERVER, server_address
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION = "buildlogs"


@dataclass(frozen=True)
class Configuration:
    """Settings of one call of the agent. The token is left out of `repr`, so that no message can hold it."""

    server: str
    token: Optional[str] = field(repr=False)
    project: Optional[str]
    build: Optional[str]
    spool_directory: Optional[Path]
    spool_limit_bytes: int
    patience_seconds: float


def read_configuration(environment: Mapping[str, str], server: Optional[str], project: Optional[str]) -> Configuration:
    """Settings from the options given, `BUILDLOGS_*` and the configuration file.

    Raises:
        UsageError: a value that cannot be used; the message names it and never shows the token.
    """
    path = _configuration_path(environment)
    stored = _read_file(path)
    return Configuration(
        server=_server(environment, server, stored, path),
        token=_token(environment.get("BUILDLOGS_TOKEN") or stored.get("token")),
        project=project or environment.get("BUILDLOGS_PROJECT") or stored.get("project"),
        build=environment.get("BUILDLOGS_BUILD") or None,
        spool_directory=_spool_directory(environment),
        spool_limit_bytes=int(_number(environment, "BUILDLOGS_SPOOL_BYTES", spool.DEFAULT_LIMIT_BYTES)),
        patience_seconds=_number(environment, "BUILDLOGS_PATIENCE", patience.DEFAULT_SECONDS),
    )


def _configuration_path(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or "/") / ".config")
    return Path(home) / "buildlogs" / "config.ini"


def _read_file(path: Path) -> Mapping[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        path.stat()
    except OSError:  # none, or in a directory closed to us: HOME is another user's under `sudo -u`, which is no mistake
        return {}
    try:
        parser.read_string(path.read_text())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (configparser.Error, UnicodeDecodeError):  # their messages quote the file, which holds the token
        raise UsageError(f"{path} is not an INI file with a section [{SECTION}]") from None
    return parser[SECTION] if parser.has_section(SECTION) else {}


def _server(environment: Mapping[str, str], option: Optional[str], stored: Mapping[str, str], path: Path) -> str:
    """The first that is given. An empty one is given too: the default would be somebody else's server."""
    if option is not None:
        return server_address(option, "--server")
    if "BUILDLOGS_SERVER" in environment:
        return server_address(environment["BUILDLOGS_SERVER"], "BUILDLOGS_SERVER")
    if "server" in stored:
        return server_address(stored["server"], f"server in {path}")
    return DEFAULT_SERVER


def _spool_directory(environment: Mapping[str, str]) -> Optional[Path]:
    named = environment.get("BUILDLOGS_SPOOL")
    if not named:
        return None
    try:
        return Path(named).expanduser().absolute()
    except (OSError, RuntimeError, KeyError) as error:  # relative to a directory that is gone; the home of nobody
        raise UsageError(f"BUILDLOGS_SPOOL cannot be resolved, use an absolute path: {error}") from None


def _token(token: Optional[str]) -> Optional[str]:
    if token is None or not token.strip():
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", token.strip()):
        raise UsageError("the token (BUILDLOGS_TOKEN) holds characters that no token has")
    return token.strip()


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    value = environment.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise UsageError(f"{name} must be a number from 0: {value!r}")
    return number
