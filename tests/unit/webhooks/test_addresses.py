"""Which addresses webhooks may be sent to."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from logviewer.webhooks import addresses
from logviewer.webhooks.addresses import check_address, check_reachable, resolve, target_of
from logviewer.webhooks.errors import BadAddress, InsideNetwork

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
WIDE_WORLD = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700:4700::1111"]


@pytest.mark.parametrize("text", INSIDE)
def test_addresses_inside_the_network_are_refused(text: str) -> None:
    with pytest.raises(InsideNetwork, match="BUILDLOGS_WEBHOOK_ALLOW"):
        check_reachable(ip_address(text), [])


@pytest.mark.parametrize("text", WIDE_WORLD)
def test_addresses_of_the_wide_world_are_not(text: str) -> None:
    check_reachable(ip_address(text), [])


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_what_is_allowed_is_allowed_and_its_neighbour_is_not(text: str) -> None:
    check_reachable(ip_address(text), [ip_network("10.1.2.0/24")])
    with pytest.raises(InsideNetwork):
        check_reachable(ip_address(text), [ip_network("10.1.3.0/24"), ip_network("fd00::/8")])


@pytest.mark.bad_input("a webhook to an address inside the network")
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST.:8000/",
        "http://a.localhost/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1:8443/",
    ],
)
def test_a_webhook_cannot_be_made_for_an_address_inside_the_network_however_it_is_written(url: str) -> None:
    with pytest.raises(BadAddress, match="inside the network"):
        check_address(url, [])


@pytest.mark.bad_input("a webhook to something that is no web address")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://",
        "http:///path",
        "//example.org/",
        "http://user:password@example.org/",
        "http://example.org:22/",
        "http://example.org:25/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:abc/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: other",
        "http://" + "a" * 64 + ".org/",
        "http://..org/",
    ],
)
def test_what_is_no_address_to_send_to_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        check_address(url, [])


def test_an_address_is_taken_apart_as_it_goes_out() -> None:
    assert target_of("https://Bücher.example:8443/a b".replace(" ", "%20") + "?q=ä#f") == addresses.Target(
        "https", "xn--bcher-kva.example", 8443, "/a%20b?q=%C3%A4"
    )
    assert target_of("http://example.org").path == "/"
    assert target_of("https://example.org").port == 443


def resolving(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    def getaddrinfo(_host: str, port: int, **_how: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, port, 0, 0))
            if ":" in text
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
            for text in texts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_with_one_address_inside_the_network_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "1.1.1.1", "10.0.0.1")
    with pytest.raises(InsideNetwork):
        resolve(target_of("https://example.org/"), [])


def test_what_was_checked_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "1.1.1.1", "2606:4700:4700::1111")
    places = resolve(target_of("https://example.org/"), [])
    assert [place.socket_address for place in places] == [("1.1.1.1", 443), ("2606:4700:4700::1111", 443, 0, 0)]
