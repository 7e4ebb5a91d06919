"""Typed readers of environment variables.

Every variable the server knows is read through one `Environment`. A value that is wrong is remembered with the
variable's name, and `refuse_wrong` ends the start with one line for each, before anything has been opened.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import dj_database_url

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})
MIN_SECRET_KEY_CHARACTERS = 50
HOST_PATTERN = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")
BUCKET_PATTERN = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LOCATION_PATTERN = re.compile(r"/[A-Za-z0-9_][A-Za-z0-9_-]{0,62}/")
SITE_LOCATIONS = frozenset({"/admin/", "/api/", "/html-logs/", "/p/", "/static/", "/ws/"})
PREFIX_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

Fallback = TypeVar("Fallback")


class Environment:
    """Reads variables from a mapping (the process's environment by default) and collects what is wrong."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables
        self.problems: list[str] = []

    def _wrong(self, name: str, why: str, fallback: Fallback) -> Fallback:
        self.problems.append(f"{name}: {why}")
        return fallback

    def text(self, name: str, default: str = "") -> str:
        """The variable's value, or `default` where it is not set."""
        return self._variables.get(name, default)

    def flag(self, name: str, *, default: bool) -> bool:
        """A yes or no: 1/true/yes/on or 0/false/no/off."""
        value = self._variables.get(name)
        if value is None:
            return default
        if value.lower() in TRUE_WORDS:
            return True
        if value.lower() in FALSE_WORDS:
            return False
        return self._wrong(name, f"{value!r} is neither 1 (yes) nor 0 (no)", default)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self._variables.get(name)
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            return self._wrong(name, f"{value!r} is not a whole number", default)
        if not least <= number <= most:
            return self._wrong(name, f"{number} is not between {least} and {most}", default)
        return number

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of a few words."""
        value = self._variables.get(name, default)
        if value not in choices:
            return self._wrong(name, f"{value!r} is none of {', '.join(choices)}", default)
        return value

    def words(self, name: str, default: Sequence[str]) -> list[str]:
        """A list, separated by commas; blanks around the parts do not count."""
        value = self._variables.get(name)
        if value is None:
            return list(default)
        return [word.strip() for word in value.split(",") if word.strip()]

    def hosts(self, name: str, default: Sequence[str]) -> list[str]:
        """A list of host names or addresses, without ports; `.example.org` is all below it, `*` is any."""
        found = self.words(name, default)
        for host in found:
            if host != "*" and not HOST_PATTERN.fullmatch(host):
                return self._wrong(name, f"{host!r} is not a host name", list(default))
        return found

    def origins(self, name: str) -> list[str]:
        """A list of origins, scheme://host[:port] each."""
        found = self.words(name, [])
        for origin in found:
            parts = _split(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                return self._wrong(name, f"{origin!r} is not an origin such as https://logs.example.org", [])
        return [origin.rstrip("/") for origin in found]

    def origin(self, name: str) -> str | None:
        """One origin, https://logs.example.org, or None where the variable is not set."""
        value = self._variables.get(name)
        if not value:
            return None
        parts = _split(value)
        try:
            _ = parts.port  # raises where it is no port
        except ValueError as error:
            return self._wrong(name, str(error), None)
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            return self._wrong(name, "must be an origin such as https://logs.example.org", None)
        return value.rstrip("/")

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """A list of addresses and networks, such as 127.0.0.1 or 10.0.0.0/8."""
        found: list[IPv4Network | IPv6Network] = []
        for word in self.words(name, []):
            try:
                found.append(ip_network(word))
            except ValueError:
                return self._wrong(name, f"{word!r} is neither an address nor a network such as 10.0.0.0/8", [])
        return found

    def location(self, name: str) -> str:
        """A path below the site that nginx keeps to itself, such as /internal-logs/; empty where it is not set."""
        value = self._variables.get(name, "")
        if not value:
            return ""
        if not LOCATION_PATTERN.fullmatch(value) or value in SITE_LOCATIONS:
            return self._wrong(name, f"{value!r} is not a path of its own such as /internal-logs/", "")
        return value

    def directory(self, name: str, default: Path) -> Path:
        """A directory that can be written to; it is made where it is missing."""
        value = self._variables.get(name)
        if value is not None and not value:
            return self._wrong(name, "is empty; name a directory", default)
        path = Path(value).expanduser().resolve() if value else default
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return self._wrong(name, f"cannot make {path}: {error.strerror}", default)
        if not os.access(path, os.W_OK | os.X_OK):
            return self._wrong(name, f"{path} cannot be written to", default)
        return path

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's DATABASES entry from an address such as postgres://user@host/name or sqlite:////path."""
        value = self._variables.get(name, default)
        if _split(value).scheme not in DATABASE_SCHEMES:
            return self._wrong(name, f"must begin with one of {', '.join(s + '://' for s in DATABASE_SCHEMES)}", {})
        try:
            return dict(dj_database_url.parse(value, conn_max_age=600, conn_health_checks=True))
        except ValueError as error:
            return self._wrong(name, f"cannot be read: {type(error).__name__}", {})

    def redis(self, name: str) -> str | None:
        """The address of a Redis server, redis://host:port/db, or None where the variable is not set."""
        value = self._variables.get(name)
        if not value:
            return None
        try:
            parts = _split(value)
            _ = parts.port  # raises where it is no port
        except ValueError as error:
            return self._wrong(name, str(error), None)
        if parts.scheme not in ("redis", "rediss", "unix") or not (parts.netloc or parts.path):
            return self._wrong(name, "must look like redis://host:6379/0", None)
        return value

    def address(self, name: str) -> str | None:
        """The address of a service, http://host:port or https://host, or None where the variable is not set."""
        value = self._variables.get(name)
        if not value:
            return None
        parts = _split(value)
        try:
            _ = parts.port  # raises where it is no port
        except ValueError as error:
            return self._wrong(name, str(error), None)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            return self._wrong(name, "must look like https://s3.example.org or http://127.0.0.1:9000", None)
        return value.rstrip("/")

    def issuer(self, name: str) -> str | None:
        """The address of an OpenID provider, https://host or with a path; None where the variable is not set."""
        value = self._variables.get(name)
        if not value:
            return None
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            return self._wrong(name, "must look like https://login.example.org", None)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            return self._wrong(name, "must be https: whoever is on the way could sign in as anybody", None)
        return value.rstrip("/")

    def together(self, names: Sequence[str]) -> bool:
        """Whether all of the variables are set; that some are and others not is wrong."""
        missing = [name for name in names if not self._variables.get(name)]
        if missing and len(missing) < len(names):
            others = " and ".join(name for name in names if name not in missing)
            return self._wrong(missing[0], f"is missing beside {others}: set all of them or none", False)
        return not missing

    def log_store(
        self, name: str, logs_directory: Path, endpoint: str | None, region: str | None
    ) -> dict[str, Any] | None:
        """Django's STORAGES entry for s3://bucket/prefix or file:///directory; None where the variable is not set.

        The value is never repeated in what is wrong with it: somebody may have written a password into it.
        """
        value = self._variables.get(name)
        if not value:
            return None
        parts = _split(value)
        if parts.query or parts.fragment or "@" in parts.netloc:
            return self._wrong(
                name, "takes neither credentials nor parameters: set AWS_ACCESS_KEY_ID and the like", None
            )
        if parts.scheme == "s3":
            prefix = parts.path.strip("/")
            if not BUCKET_PATTERN.fullmatch(parts.netloc) or (prefix and not PREFIX_PATTERN.fullmatch(prefix)):
                return self._wrong(name, "must look like s3://bucket or s3://bucket/prefix", None)
            options = {"bucket_name": parts.netloc, "location": prefix, "endpoint_url": endpoint, "region_name": region}
            return {"BACKEND": "logviewer.live.s3.S3Logs", "OPTIONS": options}
        if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/") or "%00" in parts.path:
            return self._wrong(name, "must look like s3://bucket/prefix or file:///a/directory", None)
        path = Path(unquote(parts.path)).resolve()
        if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
            return self._wrong(name, f"{path} is no directory that can be written to; make it, or mount its disk", None)
        if path.is_relative_to(logs_directory) or logs_directory.is_relative_to(path):
            return self._wrong(name, f"{path} and the logs of this server in {logs_directory} must lie apart", None)
        modes = {"file_permissions_mode": 0o640, "directory_permissions_mode": 0o750}
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(path), **modes},
        }

    def secret_key(self, name: str, data_directory: Path, *, debug: bool) -> str:
        """The variable, or a key that is made once and kept in the data directory (mode 0600)."""
        value = self._variables.get(name)
        if value is not None:
            if len(value) < MIN_SECRET_KEY_CHARACTERS and not debug:
                return self._wrong(name, f"is shorter than {MIN_SECRET_KEY_CHARACTERS} characters", value)
            return value
        if not data_directory.is_dir():  # said already, by `directory`
            return ""
        if self.problems:  # the start will be refused: make nothing in a directory that may not be the one meant
            return ""
        return _kept_secret(data_directory / "secret_key")

    def refuse_wrong(self) -> None:
        """End the process with exit code 2 and one line for each wrong variable, if there is one."""
        if self.problems:
            sys.stderr.write("".join(f"buildlogs: {problem}\n" for problem in self.problems))
            raise SystemExit(2)


def _split(address: str) -> SplitResult:
    """The parts of an address; one that cannot be told apart at all, as with an open bracket, has none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _kept_secret(path: Path) -> str:
    """Read the key in `path`, making it first where it is missing; safe when two processes start at once."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 0600
        fresh = Path(name)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(64) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)  # unlike a rename this never replaces a key that another process made
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return path.read_text(encoding="ascii").strip()
