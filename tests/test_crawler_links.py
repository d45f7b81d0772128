"""Links are found where browsers find them, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.links import Links, find, wishes

URL = "http://example.org/a/b"


def links(html: str) -> list[str]:
    return find(html, URL).urls


def test_links_are_absolute_in_order_and_each_once():
    html = (
        '<a href="c">c</a> <A HREF=/d>d</A><a\nclass=x href=\'c\'>again</a><a href="#top">top</a>'
    )
    assert links(html) == [
        "http://example.org/a/c",
        "http://example.org/d",
        "http://example.org/a/b",
    ]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="x&amp;y=1">',
        "<a href = 'x&amp;y=1' >",
        "<a href=x&y=1>",
        '<a title="a > b" href="x&y=1">',
        '<area shape=rect href="x&y=1">',
        '<frame src="x&y=1">',
        '<iframe src="x&y=1"></iframe>',
        '<meta http-equiv="Refresh" content="0; URL=\'x&amp;y=1\'">',
        '<meta content="5;url=x&y=1" http-equiv=refresh>',
        '<a/href="x&y=1">',
    ],
)
def test_every_way_to_write_a_link(html):
    assert links(html) == ["http://example.org/a/x&y=1"]


@pytest.mark.parametrize(
    "html",
    [
        '<!-- <a href="x"> -->',
        '<!--><!-- <a href="x">',
        "<script>document.write('<a href=\"x\">')</script>",
        "<style>/* <a href=x> */</style>",
        '<textarea><a href="x"></textarea>',
        '<title><a href="x"></title>',
        '<script><a href="x"> never closed',
        '<a name="x">',
        '<a data-href="x">',
        '<abbr href="x">',
        '<link rel="stylesheet" href="x.css">',
        '<img src="x.png">',
        '<p title="<a href=x>">',
        '<p <a href="x">',
        '<a href="x',
        "<a href=x",
        '<a rel="nofollow noopener" href="x">',
        '<a href="mailto:a@b.example">',
        '<a href="javascript:void(0)">',
        '<a href="http://">',
        '<meta http-equiv="refresh" content="30">',
    ],
)
def test_what_is_no_link(html):
    assert links(html) == []


def test_links_go_on_after_what_is_passed_over():
    html = '<!-- -- - --><script>if (a<b) "</scr"</SCRIPT ><!--><a href="x">'
    assert links(html) == ["http://example.org/a/x"]


def test_the_first_base_counts_for_all_links():
    html = '<a href="x"><base target=_top><base href="/c/"><base href="/d/"><a href="y">'
    assert links(html) == ["http://example.org/c/x", "http://example.org/c/y"]
    assert links('<base href="mailto:a"><a href="x">') == ["http://example.org/a/x"]


def test_meta_robots_is_heeded():
    html = '<META NAME="Robots" CONTENT="NoIndex, nofollow"><a href="x">'
    assert find(html, URL) == Links([], True, True)
    assert find('<meta name=robots content=noindex><a href="x">', URL).urls
    assert find('<meta name="minigpt" content="none">', URL) == Links([], True, True)
    assert find('<meta name="otherbot" content="none">', URL) == Links([], False, False)


def test_wishes_of_a_header():
    assert wishes("") == (False, False)
    assert wishes("noindex, nofollow") == (True, True)
    assert wishes("minigpt: noindex") == (True, False)
    assert wishes("max-snippet:5, noarchive") == (False, False)
    assert wishes("index, max-image-preview:none") == (False, False)
    assert wishes("max-image-preview:none, nofollow") == (False, True)
    assert wishes("unavailable_after: Wednesday, 25-Jun-10 15:00 EST, none") == (True, True)


def test_wishes_for_another_crawler_are_not_ours():
    assert wishes("otherbot: noindex, nofollow") == (False, False)
    assert wishes("otherbot: none", "noindex") == (True, False)
    assert wishes("noindex, otherbot: nofollow") == (True, False)
    assert wishes("otherbot: noindex, minigpt: nofollow") == (False, True)


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<script>",
        "<a href=",
        '<a "',
        "<a '",
        "<!-- -",
        "<a href=\"x' ",
        "<a =",
        "&amp",
        "<a ",
    ],
)
def test_no_page_takes_quadratic_time(piece):
    find(piece * 100_000, URL)  # hours, if it did


@settings(deadline=None)
@given(st.text("<a href='x\">/!-script", max_size=60))
def test_no_page_raises(html):
    assert all(url.startswith("http") for url in links(html))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<base href="/x/"><base href="/y/"><a href="c">', "http://example.org/x/c"),
        ('<base target="_top"><base href="/x/"><a href="c">', "http://example.org/x/c"),
        ('<a href="c"><base href="/x/">', "http://example.org/x/c"),
        ('<base href="mailto:x"><a href="c">', "http://example.org/a/c"),
        ('<base href="//other.example/d/e"><a href="c">', "http://other.example/d/c"),
        ('<base href=" /x/\n"><a href=" c ">', "http://example.org/x/c"),
        ('<!-- <base href="/y/"> --><a href="c">', "http://example.org/a/c"),
    ],
)
def test_links_are_relative_to_the_first_base_that_has_an_address(html, expected):
    assert links(html) == [expected]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="c"',
        '<a href="c',
        '<a title="x href=c>',
        '< a href="c">',
        '</a href="c">',
        '<a x="y" href="javascript:go()">',
        '<a href="tel:+1">',
        '<a rel="ugc NOFOLLOW" href="c">',
        '<a href="http://[1:2]/">',
    ],
)
def test_what_is_no_link_to_follow(html):
    assert links(html) == []


def test_a_character_reference_of_thousands_of_digits_is_no_trouble():
    page = '<a href="/a&#' + "9" * 5000 + ';b">x</a><a href="/c">y</a>'
    assert "http://example.org/c" in links(page)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="x"">',
        '<a title="don\'t" " href="x">',
        "<p title=don't><a href=x>",
        "<a title=5'10\" href=x>",
        "<!-- a comment --!><a href=x>",
        "<title-bar><a href=x></title-bar>",
        '<a "q" href="x">',
    ],
)
def test_sloppy_markup_hides_no_link(html):
    after = "<a href='y'>it's</a>"
    assert links(html + after) == ["http://example.org/a/x", "http://example.org/a/y"]


def test_a_quote_that_nobody_closed_makes_no_address_of_the_tags_after_it():
    html = '<a href="x>x</a> <a href="y">y</a><a href="z">'
    assert links(html) == ["http://example.org/a/z"]


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("a=1&section=2&region=3", "a=1&section=2&region=3"),
        ("a&timestamp=1&current&parameter=2", "a&timestamp=1&current&parameter=2"),
        ("a&copy=1&amp=2", "a&copy=1&amp=2"),
        ("a&amp;copy=1&amp;&gt;", "a&copy=1&%3E"),
        ("a=&eacute;&eacute", "a=%C3%A9%C3%A9"),
        ("a=&#233;&#xe9", "a=%C3%A9%C3%A9"),
        ("a&nothing;=&not;", "a&nothing;=%C2%AC"),
    ],
)
def test_what_only_begins_like_a_character_reference_is_none(query, read):
    assert links(f'<a href="x?{query}">') == [f"http://example.org/a/x?{read}"]
