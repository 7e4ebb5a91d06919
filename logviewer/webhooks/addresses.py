"""Which addresses may be told: checked when a webhook is made, and again, by what the name resolves to, at each try.

A name may resolve to something else from one moment to the next, so that what was checked is what is connected to:
`resolve` gives out addresses, and nobody resolves the name again (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

from logviewer.webhooks.errors import BadAddress, InsideNetwork

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}
FIRST_OTHER_PORT = 1024
"""Below it only 80 and 443: the others are those of mail, files and shells, which have no use for what is sent."""

MAX_PORT = 65535
PATH_SAFE = "/%:@!$&'()*+,;=~?[]"

NOT_GLOBAL = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "a carrier's own"),
        ("127.0.0.0/8", "this machine"),
        ("169.254.0.0/16", "link-local"),  # 169.254.169.254: what clouds tell a machine of itself
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "this machine"),
        ("64:ff9b:1::/48", "private"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
"""Beside what Python's `is_global` says, which changes with its version, and to give the reason a word."""

TRANSLATED = ip_network("64:ff9b::/96")
COMPATIBLE = ip_network("::/96")
"""IPv6 networks whose addresses end in an IPv4 address: NAT64 (RFC 6052), and a form given up (RFC 4291)."""


@dataclass(frozen=True)
class Target:
    """A webhook's address in its parts; `host` is as it goes into DNS, `path` as it goes into the request."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Place:
    """Where to connect to, checked."""

    family: socket.AddressFamily
    socket_address: tuple[str, int] | tuple[str, int, int, int]


def target_of(url: str) -> Target:
    """Take an address apart.

    Raises:
        BadAddress: it is no http or https address that anything could be sent to.
    """
    if any(character.isspace() or not character.isprintable() for character in url):
        raise BadAddress("must not contain blanks or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        raise BadAddress("must be an http or https address") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise BadAddress("must be an http or https address")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("must not contain a user or a password: what is sent is signed")
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    if port not in DEFAULT_PORTS.values() and not FIRST_OTHER_PORT <= port <= MAX_PORT:
        raise BadAddress(f"must have port 80, 443, or one from {FIRST_OTHER_PORT} on")
    path = quote(parts.path or "/", safe=PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=PATH_SAFE)
    return Target(parts.scheme, host, port, path)


def _host(name: str) -> str:
    """The host in ASCII; an IPv6 address as it is. ValueError: it can be none."""
    if ":" in name:
        if "%" in name:
            raise ValueError("a zone has no meaning to anyone else")
        return str(IPv6Address(name))
    return name.rstrip(".").encode("idna").decode("ascii").lower()


def check_address(url: str, allowed: Sequence[Network]) -> None:
    """Return if `url` may be a webhook's, as far as can be said without asking DNS.

    Raises:
        BadAddress: it never may.
    """
    target = target_of(url)
    if target.host == "localhost" or target.host.endswith(".localhost"):
        addresses: list[Address] = [IPv4Address("127.0.0.1")]
    else:
        addresses = _literal(target.host)
    try:
        for address in addresses:
            check_reachable(address, allowed)
    except InsideNetwork as error:
        raise BadAddress(str(error)) from None


def _literal(host: str) -> list[Address]:
    """The address that a host is, also in the ways of C (127.1, 0x7f000001, 2130706433); none where it is a name."""
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    try:
        return [IPv4Address(socket.inet_aton(host))]
    except OSError:
        return []


def resolve(target: Target, allowed: Sequence[Network]) -> list[Place]:
    """All places that a target's name stands for, each of them checked; may wait for DNS.

    Raises:
        InsideNetwork: one of them is inside the network, and not allowed; then none is told.
        OSError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    places = []
    for family, _type, _protocol, _name, socket_address in found:
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue
        check_reachable(ip_address(str(socket_address[0]).partition("%")[0]), allowed)
        places.append(Place(family, socket_address))  # type: ignore[arg-type]  # of these families it is one of those
    if not places:
        raise OSError("the name stands for no address")
    return places


def check_reachable(address: Address, allowed: Sequence[Network]) -> None:
    """Return if `address`, and each that is wrapped up in it, is of the wide world or allowed; else InsideNetwork."""
    wrapped = _wrapped(address)
    if any(one in network for one in wrapped for network in allowed if one.version == network.version):
        return
    for one in wrapped:
        for network, kind in NOT_GLOBAL:
            if one.version == network.version and one in network:
                raise InsideNetwork(str(address), kind)
    if not wrapped[-1].is_global:
        raise InsideNetwork(str(address), "reserved")


def _wrapped(address: Address) -> list[Address]:
    """The address, and the IPv4 address that it leads to, where it is of a kind that leads to one."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and (address in TRANSLATED or (address in COMPATIBLE and int(address) > 1)):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inner is None else [address, inner]
