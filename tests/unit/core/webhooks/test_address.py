"""H9: which addresses and URLs a webhook may have."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from regrow.core.errors import InvalidSettings
from regrow.core.webhooks.address import Target, is_allowed, parse_target

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"),
    *("2001:db8::1", "3fff::1", "3ffe::1", "2001:2::1", "2001:10::1", "4000::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"),  # NAT64
    *("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1"),  # 6to4
    *("2001:0:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),  # Teredo
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_H9_what_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_H9_what_is_public_is_not(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::7"])
def test_H9_networks_may_be_allowed(address: str) -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00::/64"))
    assert is_allowed(address, networks)
    assert not is_allowed("10.2.0.1", networks)
    assert not is_allowed("127.0.0.1", networks)


HOSTS = ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "10.0.0.1:8080", "[::1]", "[::ffff:10.0.0.1]:80"]


@pytest.mark.parametrize("host", HOSTS)
def test_H9_addresses_in_urls_are_refused_at_once(host: str) -> None:
    with pytest.raises(InvalidSettings, match="is not a public one"):
        parse_target(f"https://{host}/hook")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.org", Target("https", "example.org", 443, "example.org", "/")),
        ("HTTP://Example.org.:8080/a/b?c=d&e", Target("http", "Example.org.", 8080, "Example.org.:8080", "/a/b?c=d&e")),
        ("http://example.org:/x", Target("http", "example.org", 80, "example.org:", "/x")),
        ("http://8.8.8.8:1?q=1", Target("http", "8.8.8.8", 1, "8.8.8.8:1", "/?q=1")),
        ("https://[2606:4700::1]:65535/", Target("https", "2606:4700::1", 65535, "[2606:4700::1]:65535", "/")),
    ],
)
def test_urls_come_apart(url: str, target: Target) -> None:
    assert parse_target(url) == target


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "printable"),
        ("ftp://example.org/", "must start with http"),
        ("file:///etc/passwd", "must start with http"),
        ("//example.org/", "must start with http"),
        ("example.org/hook", "must start with http"),
        ("http://", "must have a host"),
        ("http:///hook", "must have a host"),
        ("http://:80/", "must have a host"),
        ("http://a..b/", "must have a host"),
        (f"http://{'a' * 64}.org/", "must have a host"),
        (f"http://{'a.' * 127}org/", "must have a host"),
        ("http://exa%6dple.org/", "must have a host"),
        ("http://example.org\\.evil.org/", "must have a host"),
        ("http://[::1", "cannot be understood"),
        ("http://[2606:4700::1]x/", "must have a host"),
        ("http://user@example.org/", "user name or password"),
        ("http://user:password@example.org/", "user name or password"),
        ("http://example.org\\@127.0.0.1/", "user name or password"),
        ("http://example.org/#fragment", "fragment"),
        ("http://example.org/#", "fragment"),
        ("http://example.org:0/", "from 1 to 65535"),
        ("http://example.org:65536/", "from 1 to 65535"),
        ("http://example.org:x/", "must have a host"),
        ("http://example.org:-1/", "must have a host"),
        ("http://example.org/ x", "printable"),
        ("http://example.org/\r\nHost: evil", "printable"),
        ("http://bücher.example/", "printable"),
        ("http://example.org/" + "a" * 2030, "at most 2048"),
    ],
)
def test_H9_bad_urls_are_refused_in_one_line(url: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        parse_target(url)
    assert "\n" not in str(caught.value)


def test_the_longest_url() -> None:
    url = "http://example.org/"
    assert parse_target(url + "a" * (2048 - len(url))).port == 80
