"""Which address a request comes from, and whom it is counted with, for byte doors and pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

IPV6_HOST_BITS = 64
"""One caller of IPv6 has a /64 to itself (RFC 6177)."""

Network = IPv4Network | IPv6Network


def client_address(peer: str, forwarded_for: str, trusted_proxies: Sequence[Network]) -> str:
    """The address that speaks to us: `peer`, or whoever a trusted proxy names in X-Forwarded-For.

    What a trusted proxy says of others is believed, what anyone else says is not.
    """
    address = _unmapped(peer)
    forwarded = forwarded_for.split(",")
    while forwarded and _is_trusted(address, trusted_proxies):
        named = forwarded.pop().strip()
        if not _is_address(named):
            break
        address = _unmapped(named)
    return address


def counted_as(address: str) -> str:
    """The address itself, or of IPv6 the network of which one caller has all."""
    if _is_address(address):
        parsed = ip_address(address)
        if isinstance(parsed, IPv6Address):
            return str(IPv6Network((int(parsed) >> IPV6_HOST_BITS << IPV6_HOST_BITS, IPV6_HOST_BITS)))
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _unmapped(address: str) -> str:
    """An IPv4 address as such: a socket that serves both families gives it as `::ffff:192.0.2.1`."""
    parsed = ip_address(address) if _is_address(address) else None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return address if mapped is None else str(mapped)


def _is_trusted(address: str, trusted_proxies: Sequence[Network]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in trusted_proxies)
