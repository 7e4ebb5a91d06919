"""Where the server is and how to treat it: command line, then environment, then the configuration file."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional
from urllib.parse import urlsplit

from . import patience, spool
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SERVER = "http://127.0.0.1:8000"
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
    stored = _read_file(_configuration_path(environment))
    spool_directory = environment.get("BUILDLOGS_SPOOL")
    return Configuration(
        server=_server(server or environment.get("BUILDLOGS_SERVER") or stored.get("server") or DEFAULT_SERVER),
        token=_token(environment.get("BUILDLOGS_TOKEN") or stored.get("token")),
        project=project or environment.get("BUILDLOGS_PROJECT") or stored.get("project"),
        build=environment.get("BUILDLOGS_BUILD") or None,
        spool_directory=Path(spool_directory).expanduser().absolute() if spool_directory else None,
        spool_limit_bytes=int(_number(environment, "BUILDLOGS_SPOOL_BYTES", spool.DEFAULT_LIMIT_BYTES)),
        patience_seconds=_number(environment, "BUILDLOGS_PATIENCE", patience.DEFAULT_SECONDS),
    )


def _configuration_path(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or "/") / ".config")
    return Path(home) / "buildlogs" / "config.ini"


def _read_file(path: Path) -> Mapping[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (configparser.Error, UnicodeDecodeError):  # their messages quote the file, which holds the token
        raise UsageError(f"{path} is not an INI file with a section [{SECTION}]") from None
    return parser[SECTION] if parser.has_section(SECTION) else {}


def _server(address: str) -> str:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
        parts = urlsplit("")
    if "@" in parts.netloc:
        raise UsageError("the server's address must not hold a password: use BUILDLOGS_TOKEN")
    if not valid or parts.query or parts.fragment:
        raise UsageError(f"not a server's address: {address!r} (expected e.g. {DEFAULT_SERVER})")
    return address.rstrip("/")


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
