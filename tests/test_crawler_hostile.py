"""Input made to be slow: each of these takes a moment, or hours if some step were quadratic.

No clock is read: a step that goes over its input again and again does not come to its end here.
"""

import gzip

import pytest

from crawler import coding, hosts, links, records, robots, sitemap, traps, urls
from crawler.urls import Parts

BASE = "http://example.org/"
MEGABYTE = 10**6


@pytest.mark.parametrize(
    "href",
    ["a" * 5 * MEGABYTE, "a" * 5 * MEGABYTE + ":", "//a@" + "b" * 5 * MEGABYTE, "/" * MEGABYTE],
)
def test_a_link_of_megabytes_is_refused_at_once(href):
    assert links.find(f'<a href="{href}">', BASE).urls == []
    with pytest.raises(ValueError, match="characters"):
        urls.canonical(href, BASE)


def test_a_long_fragment_is_no_reason_to_refuse_a_link():
    assert urls.canonical("/a#" + "b" * 5000, BASE) == "http://example.org/a"


@pytest.mark.parametrize("digits", ["".join(map(chr, range(0x4E00, 0x9000))), "xn--" + "a9" * 9999])
def test_a_long_label_is_never_turned_into_punycode(digits):
    with pytest.raises(ValueError, match="253"):
        hosts.canonical_host(digits)


@pytest.mark.parametrize(
    "path", ["/" + "/".join(["a" * 500] * 4) + "b", ("/" + "a" * 99) * 20 + "b", "/1a" * 600 + "b"]
)
def test_a_path_that_nearly_repeats_itself_is_judged_at_once(path):
    traps.refusal(Parts("http", "example.org", path, ""))


@pytest.mark.parametrize("body", [b"\n" * MEGABYTE, b"<loc" * MEGABYTE, b"<loc>" + b" " * MEGABYTE])
def test_an_empty_sitemap_of_megabytes_is_read_at_once(body):
    assert sitemap.read(body, BASE) == sitemap.Sitemap([], [])


def test_wishes_of_a_megabyte_are_read_at_once():
    assert links.wishes("max-" * MEGABYTE + ", noindex") == (True, False)


def test_agents_and_rules_are_not_multiplied():
    agents = "".join(f"User-agent: a{i}\n" for i in range(12_000))
    rules = robots.Robots(agents + "Disallow: /\n" * 20_000)
    assert not rules.allowed(BASE, "a11999")


def test_a_body_of_a_hundred_thousand_gzip_members_is_decoded():
    body = gzip.compress(b"") * 100_000 + gzip.compress(b"end")
    assert coding.decode_content(body, "gzip") == b"end"


def test_codings_are_not_undone_without_end():
    with pytest.raises(ValueError, match="9 content codings; the limit is 5"):
        coding.decode_content(b"", ", ".join(["gzip"] * 9))


def test_a_header_of_half_a_million_lines_is_read():
    fields = records.header_fields(["a: b", *[" c"] * 500_000, "A: d", "\te", "x: y"])
    assert (len(fields["a"]), fields["x"]) == (1_000_001, "y")


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@example.org:99999/",
        " \x01ht\ntp:/\t/user:secret@example.org:99999/",
        "http:\\\\user:secret@example.org:99999/",
        "svn+ssh://user:secret@example.org/",
        "user:secret@example.org",
        "http://user:sec@ret@example.org:99999/secret",
    ],
)
def test_no_message_repeats_a_password(url):
    with pytest.raises(ValueError) as caught:
        urls.canonical(url)
    assert "sec" not in str(caught.value).replace("/secret", "")
