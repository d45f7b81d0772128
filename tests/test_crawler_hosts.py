"""Hosts have one spelling each, and impossible ones are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.hosts import canonical_host


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("ex%61mple%2Eorg", "example.org"),
        ("ｅｘａｍｐｌｅ。org", "example.org"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("exa\u00admple.org", "example.org"),
        ("under_score.example", "under_score.example"),
    ],
)
def test_names_that_mean_one_host_get_one_spelling(name, expected):
    assert canonical_host(name) == expected


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0177.0.0.01", "2130706433", "0x7F000001."]
)
def test_every_way_to_write_an_ipv4_address_is_seen_through(name):
    assert canonical_host(name) == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("[::1]", "[::1]"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    ],
)
def test_ipv6_addresses_are_compressed(name, expected):
    assert canonical_host(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "a..b", "a b", "a<b", "a%00b", "a:b", "％41.example", "\u00ad", "a\u2028b"],
        *["[::1", "[::1]8", "[zz]", "[fe80::1%25eth0]"],
        *["1.2.3.256", "1.2.3.4.5", "09.1", "0x100000000", "9" * 5000],
        *["xn--", "xn--a", "xn--\u00fc", "xn--bcher-KVA-", "a" * 64, "a." * 127 + "a"],
    ],
)
def test_impossible_hosts_raise(name):
    with pytest.raises(ValueError):
        canonical_host(name)


@settings(deadline=None)
@given(st.text(max_size=20) | st.from_regex(r"(0x[0-9a-f]{1,9}|[0-9.]{1,12})", fullmatch=True))
def test_canonical_host_is_ascii_and_idempotent(name):
    try:
        host = canonical_host(name)
    except ValueError:
        return
    assert host.isascii()
    assert canonical_host(host) == host
