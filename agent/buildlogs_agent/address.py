"""The server's address: what can be known to be wrong with it is said before anything is started."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from .errors import UsageError

DEFAULT_SERVER = "http://127.0.0.1:8000"

LABEL = "[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?"
PLAIN = re.compile(rf"https?://({LABEL}\.){{0,3}}{LABEL}(:\d+)?(/[\w/.-]*)?", re.ASCII)
"""Most addresses: nobody needs to be asked whether there can be such a host."""


def server_address(address: str, named: str) -> str:
    """The address without a slash at its end; `named` is the option, variable or file that holds it.

    Raises:
        UsageError: no server can be reached there. The message never quotes the address, which may hold a password,
            or the token where somebody has swapped two variables.
    """
    fault = _fault(address)
    if fault is not None:
        raise UsageError(f"{named} is not a server's address: {fault} (expected e.g. {DEFAULT_SERVER})")
    return address.rstrip("/")


def _fault(address: str) -> str | None:
    if not address:
        return "it is empty"
    if not re.fullmatch(r"[\x21-\x7e]+", address):
        return "it holds a blank or a character that is not ASCII"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "its host cannot be read"
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if "@" in parts.netloc:
        return "it must not hold a name or password, use BUILDLOGS_TOKEN"
    if parts.query or parts.fragment:
        return "it must not hold a ? or #"
    return _fault_of_port(parts) or _fault_of_host(parts)


def _fault_of_port(parts: SplitResult) -> str | None:
    try:
        return "its port is 0" if parts.port == 0 else None
    except ValueError:
        return "its port is not a number from 1 to 65535"


def _fault_of_host(parts: SplitResult) -> str | None:
    """What urllib3 and the resolver would say at the first request, when the command has long been running."""
    if not parts.hostname:
        return "it names no host"
    if PLAIN.fullmatch(parts.geturl()):
        return None
    import urllib3  # takes 50 ms, for which every command would wait

    try:
        parts.hostname.encode("idna")
        urllib3.connection_from_url(parts.geturl()).close()
    except (ValueError, urllib3.exceptions.HTTPError):
        return "its host cannot be read"
    return None
