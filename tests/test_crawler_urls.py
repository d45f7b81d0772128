"""Addresses: one spelling each, and what belongs together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import blocklist, urls
from crawler.urls import blocked, canonical, host, origin, scope_key, site

BASE = "http://example.org/a/b?c=d"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:/", "http://example.org/"),
        ("http://example.org:008080/", "http://example.org:8080/"),
        ("http://user:secret@example.org/", "http://example.org/"),
        ("http://a@b@example.org/", "http://example.org/"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/%2e%2E/b", "http://example.org/b"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/a/.", "http://example.org/a/"),
        ("http://example.org//a//b", "http://example.org//a//b"),
        ("http://example.org/#top", "http://example.org/"),
        ("http://example.org/?#top", "http://example.org/"),
        ("http://example.org/%7euser/%c3%bc", "http://example.org/~user/%C3%BC"),
        ("http://example.org/ü?ü", "http://example.org/%C3%BC?%C3%BC"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://example.org/%2F%3f", "http://example.org/%2F%3F"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/?a[]='1'", "http://example.org/?a%5B%5D=%271%27"),
        ("http://example.org/?a%5B%5D=1", "http://example.org/?a%5B%5D=1"),
        ("http://example.org?b=2&a=1", "http://example.org/?b=2&a=1"),
        ("http:\\\\example.org\\a\\b?c\\d", "http://example.org/a/b?c%5Cd"),
        ("  http://exam\nple.org/a\tb\r\n ", "http://example.org/ab"),
        ("http:example.org", "http://example.org/"),
        ("http:////example.org/a", "http://example.org/a"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_canonical_gives_the_one_spelling(url, expected):
    assert canonical(url) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", "http://example.org/a/b?c=d"),
        ("#top", "http://example.org/a/b?c=d"),
        ("?e", "http://example.org/a/b?e"),
        ("?", "http://example.org/a/b"),
        ("x", "http://example.org/a/x"),
        ("./x", "http://example.org/a/x"),
        ("../x", "http://example.org/x"),
        (".", "http://example.org/a/"),
        ("/x", "http://example.org/x"),
        ("\\x", "http://example.org/x"),
        ("//other.example/x", "http://other.example/x"),
        ("\\/other.example", "http://other.example/"),
        ("https://other.example", "https://other.example/"),
        ("http:x", "http://example.org/a/x"),
        ("https:x", "https://x/"),
        ("a?b:c", "http://example.org/a/a?b:c"),
    ],
)
def test_links_are_resolved_against_the_page(link, expected):
    assert canonical(link, BASE) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "ftp"),
        ("mailto:someone@example.org", "mailto"),
        ("javascript:void(0)", "javascript"),
        ("file:///etc/passwd", "file"),
        ("example.org", "https://"),
        ("/a", "https://"),
        ("", "https://"),
        ("http://", "host"),
        ("http://a b/", "host"),
        ("http://example.org:0/", "port"),
        ("http://example.org:65536/", "port"),
        ("http://example.org:8o/", "port"),
        ("http://[::1]8080/", "IPv6"),
        ("http://1.2.3.4.5/", "IPv4"),
        ("http://[1:2]/", "IPv6"),
        ("http://example.org/" + "a" * urls.MAX_URL_CHARS, "characters"),
    ],
)
def test_what_cannot_be_crawled_raises_with_the_reason(url, reason):
    with pytest.raises(ValueError, match=reason):
        canonical(url)


def test_error_messages_do_not_repeat_passwords():
    with pytest.raises(ValueError) as caught:
        canonical("http://user:secret@example.org:99999/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@h/a",
        "//user@h/",
        "https:user:secret@h",
        "\\\\user@h/",
        " ht\ntp:/\t/u@h",
        "HTTP://@h/",
    ],
)
def test_links_with_credentials_are_not_followed(url):
    with pytest.raises(ValueError, match="user name") as caught:
        urls.link(url, BASE)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["/a@b", "http://h/a@b", "http://h?a@b", "#@", "x@y", "?a//b@c"])
def test_an_at_sign_elsewhere_is_no_credential(url):
    assert urls.link(url, BASE) == canonical(url, BASE)


any_url = st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            [
                *[
                    "http:",
                    "HTTPS:",
                    "//",
                    "/",
                    "\\",
                    "..",
                    "%2e",
                    "%",
                    "%zz",
                    "%41",
                    "?",
                    "#",
                    "@",
                ],
                *[":", "8080", "example.org", "ü", "[::1]", "0x7f", " ", "\t", "a", "'", "\ud800"],
            ]
        )
        | st.text(max_size=3),
        max_size=12,
    ),
)


@settings(deadline=None)
@given(any_url, st.none() | st.just(BASE))
def test_canonical_is_idempotent(url, base):
    try:
        once = canonical(url, base)
    except ValueError:
        return
    assert canonical(once) == once
    assert once.isascii() and once.startswith(("http://", "https://"))
    host, _, rest = once.partition("//")[2].partition("/")
    assert not set(host) & set(" <>\\^|#\t\r\n")  # of WHATWG's forbidden host code points
    assert not set(rest) & set(' "<>\\^`{|}#\t\r\n')


@settings(deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_no_path_or_query_changes_the_host(path, query):
    url = canonical(f"http://example.org/{path.replace('#', '')}?{query}")
    assert host(url) == "example.org"


def test_host_and_origin():
    assert host("http://Example.org:8080/a") == "example.org"
    assert host("http://[::1]:8080/") == "::1"
    assert origin("https://example.org:443/a?b") == "https://example.org"
    assert origin("http://example.org:8080/a") == "http://example.org:8080"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://docs.example.org/", "example.org"),
        ("http://example.org/", "example.org"),
        ("http://a.b.example.co.uk/", "example.co.uk"),
        ("http://co.uk/", "co.uk"),
        ("http://docs.example.de/", "example.de"),
        ("http://localhost:8000/", "localhost"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
def test_site_is_the_registered_domain(url, expected):
    assert site(url) == expected


def test_scope_key_joins_what_belongs_together():
    seed, www = "http://example.org/", "https://www.example.org/a"
    docs, other = "http://docs.example.org/", "http://other.example/"
    assert scope_key(seed, "host") == scope_key(www, "host")
    assert scope_key(seed, "host") != scope_key(docs, "host")
    assert scope_key(seed, "host") != scope_key("http://example.org:8080/", "host")
    assert scope_key(seed, "domain") == scope_key(docs, "domain")
    assert scope_key(seed, "domain") != scope_key(other, "domain")
    assert scope_key(seed, "any") == scope_key(other, "any")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://ads.example/", "domain:ads.example"),
        ("http://a.b.ads.example:8080/", "domain:ads.example"),
        ("http://bads.example/", None),
        ("http://example.org/best-casino/", "word:casino"),
        ("http://casino.example/", "word:casino"),
        ("http://example.org/?q=CASINO", "word:casino"),
        ("http://example.org/casinos", None),
        ("http://example.org/adult-education", None),
        ("http://example.org/adult/webcam", "words:adult+webcam"),
        ("http://example.org/__slots__.html", None),
        ("mailto:a", "malformed"),
    ],
)
def test_blocked_says_why(url, reason):
    assert blocked(url) == reason


def test_blocked_takes_other_rules():
    rules = blocklist.Rules(frozenset(["bad.example"]), frozenset(), frozenset())
    assert blocked("http://bad.example/", rules) == "domain:bad.example"
    assert blocked("http://ads.example/", rules) is None
