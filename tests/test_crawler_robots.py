"""robots.txt by RFC 9309, rule by rule."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.robots import MAX_BYTES, MAX_LINE_BYTES, Robots

AGENT = "minigpt/1.0 (+https://example.org/)"


def allowed(text: str | bytes, path: str, agent: str = AGENT) -> bool:
    return Robots(text).allowed(f"http://example.org{path}", agent)


def rules(*lines: str) -> str:
    return "\n".join(["User-agent: *", *lines])


def test_an_empty_file_allows_everything():
    assert allowed("", "/a")
    assert allowed(rules("Disallow:"), "/a")
    assert allowed("<html><p>Not found: sorry</p></html>", "/a")


def test_disallow_is_a_prefix():
    text = rules("Disallow: /private")
    assert not allowed(text, "/private")
    assert not allowed(text, "/private/a?b")
    assert not allowed(text, "/privates")
    assert allowed(text, "/Private")
    assert allowed(text, "/a/private")


def test_robots_txt_itself_is_always_allowed():
    assert allowed(rules("Disallow: /"), "/robots.txt")
    assert not allowed(rules("Disallow: /"), "/")


def test_the_longest_match_wins_whatever_the_order():
    for lines in [
        ("Disallow: /a", "Allow: /a/b", "Disallow: /a/b/c"),
        ("Disallow: /a/b/c", "Allow: /a/b", "Disallow: /a"),
    ]:
        assert not allowed(rules(*lines), "/a/x")
        assert allowed(rules(*lines), "/a/b/x")
        assert not allowed(rules(*lines), "/a/b/c")


def test_of_two_equal_matches_allow_wins():
    assert allowed(rules("Disallow: /a", "Allow: /a"), "/a")
    assert allowed(rules("Allow: /a", "Disallow: /a"), "/a")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/*.php", "/a/b.php?c", True),
        ("/*.php", "/a/b.html", False),
        ("/*.php$", "/a/b.php", True),
        ("/*.php$", "/a/b.php?c", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("/a*b*c", "/axbxc", True),
        ("/a*b*c", "/axcxb", False),
        ("/a*b$", "/abab", True),
        ("/a*a$", "/a", False),
        ("/a*", "/a", True),
        ("*/x", "/a/x", True),
        ("/a**b", "/a/b", True),
        ("/a?b", "/a?b", True),
        ("/a?b", "/acb", False),
        ("/a$b", "/a$b", True),
        ("/a%24", "/a$", True),
        ("/a%2a", "/a*", True),
        ("/a%2A", "/ab", False),
        ("a", "/a", False),
    ],
)
def test_stars_and_dollar_signs(pattern, path, matches):
    assert allowed(rules(f"Disallow: {pattern}"), path) is not matches


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/ü", "/%C3%BC"),
        ("/%c3%bc", "/ü"),
        ("/%7Euser", "/~user"),
        ("/~user", "/%7euser"),
        ("/foo/bar?baz=https://a.b", "/foo/bar?baz=https://a.b"),
        ("/a b", "/a%20b"),
        ("/a[1]", "/a%5B1%5D"),
        ("/a'", "/a'"),
        ("/?a='", "/?a='"),
    ],
)
def test_escapes_are_compared_by_meaning(pattern, path):
    assert not allowed(rules(f"Disallow: {pattern}"), path)


def test_an_escaped_slash_is_no_slash():
    assert allowed(rules("Disallow: /a/b"), "/a%2Fb")


def test_bytes_in_no_known_encoding_are_matched_too():
    assert not allowed(b"User-agent: *\nDisallow: /\xfc", "/%FC")


def test_the_group_that_names_us_replaces_the_one_for_all():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: MiniGPT\nDisallow: /a\n"
    assert allowed(text, "/b")
    assert not allowed(text, "/a")
    assert not allowed(text, "/b", "other")


@pytest.mark.parametrize("line", ["minigpt", "MINIGPT/2.0", "minigpt bot", "  minigpt  # us"])
def test_agents_are_compared_by_their_product_token(line):
    assert not allowed(f"User-agent: {line}\nDisallow: /", "/a")


@pytest.mark.parametrize("agent", ["Foo", "foo", "FOO/2.1", "foo (by us)", "Foo/1 (+http://x)"])
@pytest.mark.parametrize("line", ["foo", "FOO BAR", "foo bar", "Foo/1.0", "foo*", "fOO;x", "foo.x"])
def test_a_line_names_the_agent_that_it_begins_with(line, agent):
    text = f"User-agent: *\nDisallow: /\nUser-agent: {line}\nAllow: /x/\nDisallow: /"
    assert allowed(text, "/x/y", agent)
    assert not allowed(text, "/y", agent)


@pytest.mark.parametrize(
    "agent",
    [
        *["FooBot/1.2 (+http://x.example/)", "FooBot 1.2", "FooBot v2", "FooBot(x)"],
        "Mozilla/5.0 (compatible; FooBot/2.1; +http://x.example/bot.html)",
        "Mozilla/5.0 AppleWebKit/5 (KHTML, like Gecko; compatible; FooBot/2.1) Safari/5",
    ],
)
def test_a_header_is_searched_for_the_crawlers_name(agent):
    text = "User-agent: *\nUser-agent: Mozilla\nDisallow: /\nUser-agent: FooBot\nAllow: /"
    assert allowed(text, "/", agent)
    assert not allowed(text, "/", agent.replace("Foo", "Bar"))


def test_agents_may_have_any_letters():
    text = "User-agent: J\u00e4gerBot\nDisallow: /"
    assert not allowed(text, "/", "j\u00e4gerbot/1")
    assert allowed(text, "/", "j")


def test_two_words_without_a_version_are_no_product():
    text = "User-agent: *\nDisallow: /\nUser-agent: Foo Bar\nAllow: /x/\nDisallow: /"
    assert allowed(text, "/x/y", "Foo")
    assert not allowed(text, "/x/y", "Foo Bar")


def test_an_agent_without_a_name_is_only_meant_by_the_group_for_all():
    assert allowed("User-agent: foo\nDisallow: /", "/", "")
    assert allowed("User-agent:\nDisallow: /", "/", "")
    assert not allowed(rules("Disallow: /"), "/", "")


@pytest.mark.parametrize("line", ["*", "* ", "* all"])
def test_a_star_alone_is_everybody(line):
    assert not allowed(f"User-agent: {line}\nDisallow: /", "/")
    assert allowed("User-agent: *bot\nDisallow: /", "/")


@pytest.mark.parametrize("url", ["", "/", "http://example.org", "http://example.org?"])
def test_an_address_without_path_is_the_first_page(url):
    assert not Robots(rules("Disallow: /$", "Disallow: /?")).allowed(url, AGENT)


def test_a_path_alone_will_do_for_an_address():
    robots = Robots(rules("Disallow: /a"))
    assert not robots.allowed("/a/b?c", AGENT)
    assert robots.allowed("/b", AGENT)


def test_an_empty_query_is_seen_by_a_rule_about_queries():
    assert not allowed(rules("Disallow: /*?"), "/a?")
    assert allowed(rules("Disallow: /*?"), "/a#?")


def test_parameters_and_the_query_are_part_of_the_path():
    text = rules("Disallow: /a;b?c=d&e")
    assert not allowed(text, "/a;b?c=d&e=f#top")
    assert allowed(text, "/a;b?c=d")


def test_the_length_of_a_rule_is_that_of_its_escaped_path():
    assert allowed(rules("Disallow: /*.html", "Allow: /x/page."), "/x/page.html")
    assert not allowed(rules("Disallow: /*.html", "Allow: /page"), "/page.html")
    assert allowed(rules("Disallow: /aaaaaa", "Allow: /ü*"), "/ü")
    assert not allowed(rules("Allow: /a$b", "Disallow: /a*b*"), "/a$b")


def test_an_allowed_index_page_allows_its_folder():
    text = rules("Allow: /a/index.html", "Allow: /b/index.htm", "Disallow: /")
    for path in ("/a/", "/a/index.html", "/b/", "/b/index.htm"):
        assert allowed(text, path)
    for path in ("/a/index.htm", "/a/x", "/c/", "/a"):
        assert not allowed(text, path)
    assert allowed(rules("Disallow: /a/index.html"), "/a/")


@pytest.mark.parametrize("line", ["mini", "minigptx", "mini-gpt", "", "bot minigpt"])
def test_other_agents_are_not_us(line):
    assert allowed(f"User-agent: {line}\nDisallow: /", "/a")


def test_groups_of_one_agent_count_together():
    text = "User-agent: minigpt\nDisallow: /a\nUser-agent: x\nDisallow: /b\n"
    text += "User-agent: minigpt\nDisallow: /c"
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, True, False]


def test_one_group_may_have_several_agents():
    text = "User-agent: x\nUser-agent: minigpt\n\nDisallow: /a\nUser-agent: y\nDisallow: /b"
    assert not allowed(text, "/a")
    assert not allowed(text, "/a", "x")
    assert allowed(text, "/b")


def test_other_lines_do_not_end_a_group():
    text = "User-agent: minigpt\nSitemap: http://x/\nNoise: 1\nCrawl-delay: 1\n"
    assert not allowed(text + "User-agent: y\nDisallow: /a", "/a")
    assert not allowed(text + "\n\nDisallow: /a", "/a")


def test_rules_before_any_agent_are_nobodys():
    assert allowed("Disallow: /\nUser-agent: x\nDisallow: /", "/a")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_every_line_end_and_a_byte_order_mark(end):
    text = end.join(["User-agent: *", "Disallow: /a", "Disallow: /b"])
    assert not allowed("\ufeff" + text, "/a")
    assert not allowed(b"\xef\xbb\xbf" + text.encode(), "/b")


def test_common_slips_are_understood():
    text = "user agent : *\nUSERAGENT: *\nUser-Agent: *\n  disallow   :   /a   # why\ndisallow /b\n"
    assert not allowed(text + "Disalow: /c", "/a")
    assert not allowed(text + "Disalow: /c", "/b")
    assert not allowed(text + "Disalow: /c", "/c")


@pytest.mark.parametrize(
    "field", ["dissallow", "dissalow", "disalow", "diasllow", "disallaw", "DISALLOW", "disallow "]
)
@pytest.mark.parametrize("agent", ["user-agent", "useragent", "user agent", "USER-AGENT"])
def test_misspelled_fields_are_understood(field, agent):
    assert not allowed(f"{agent}: *\n{field}: /", "/")


def test_a_line_without_its_colon_has_two_words():
    assert not allowed("user-agent minigpt\ndisallow /", "/a")
    assert allowed("user-agent minigpt\ndisallow / a", "/a")
    assert allowed("foo: minigpt\nbar: /", "/a")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"])
def test_part_of_a_byte_order_mark_is_skipped(mark):
    assert not allowed(mark + b"User-agent: *\nDisallow: /", "/")
    assert allowed(b"\xef\x11\xbfUser-agent: *\nDisallow: /", "/")
    assert allowed(b"User-agent: *\n" + mark + b"Disallow: /", "/")


def test_a_long_line_is_cut():
    start = "/" + "a" * (MAX_LINE_BYTES - len("Disallow: /"))
    text = rules(f"Disallow: {start}/b", "Disallow: /c")
    assert [pattern for _, _, pattern in Robots(text)._rules("*")] == [start, "/c"]
    assert not allowed(text, "/c")


def test_nul_bytes_and_other_noise_do_no_harm():
    assert not allowed(b"\0\0\nUser-agent: *\n\0: /\nDisallow: /a\0", "/a%00")
    assert allowed(b"User-agent: *\nDisallow: /a\0", "/b")


def test_what_comes_after_the_limit_is_ignored():
    filler = "#" * 99 + "\n"
    text = "User-agent: *\nDisallow: /a\n" + filler * (MAX_BYTES // 100 + 1) + "Disallow: /b"
    assert not allowed(text, "/a")
    assert allowed(text, "/b")


def test_crawl_delay_and_sitemaps():
    text = "User-agent: *\nCrawl-delay: 2.5\nUser-agent: x\nCrawl-delay: soon\nDisallow:\n"
    text += "Sitemap: http://example.org/a.xml\nsitemap: /b.xml"
    robots = Robots("User-agent: y\nCrawl-delay: 9\nDisallow: /\n" + text)
    assert robots.crawl_delay(AGENT) == 2.5
    assert robots.crawl_delay("y") == 9.0
    assert Robots("User-agent: *\nCrawl-delay: -1\nDisallow: /").crawl_delay(AGENT) is None
    assert Robots("").crawl_delay(AGENT) is None
    assert robots.sitemaps == ["http://example.org/a.xml", "/b.xml"]


def test_a_rule_of_stars_takes_no_time():
    pattern = "/" + "*a" * 5000 + "$"
    assert allowed(rules(f"Disallow: {pattern}"), "/" + "a" * 1000 + "b")


def test_many_agents_with_many_rules_cost_no_more_than_their_lines():
    agents = "".join(f"User-agent: a{i}\nUser-agent: minigpt\n" for i in range(8000))
    robots = Robots(agents + "Crawl-delay: 2\n" * 5000 + "Disallow: /b\n" * 10_000)
    assert len(robots._rules("minigpt")) == 10_000
    assert not robots.allowed("/b", "a7999")
    assert robots.crawl_delay("a7999") == 2.0


def test_a_delay_is_for_the_agents_named_before_it():
    robots = Robots("User-agent: x\nCrawl-delay: 7\nUser-agent: *\nDisallow: /a\nCrawl-delay: 3")
    assert (robots.crawl_delay("x"), robots.crawl_delay("y")) == (7.0, 3.0)
    assert not robots.allowed("/a", "x")


def test_no_web_address_raises():
    with pytest.raises(ValueError):
        Robots("").allowed("ftp://example.org/", AGENT)


def glob(pattern: str, text: str) -> bool:
    """The same by the definition: try every way."""
    if not pattern:
        return True
    if pattern == "$":
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return text[:1] == pattern[0] and glob(pattern[1:], text[1:])


@settings(deadline=None)
@given(st.text("ab*", max_size=7), st.sampled_from(["", "$"]), st.text("ab", max_size=8))
def test_matching_agrees_with_the_definition(pattern, end, path):
    matches = glob("/" + pattern + end, "/" + path)
    assert allowed(rules(f"Disallow: /{pattern}{end}"), "/" + path) is not matches


@settings(deadline=None)
@given(st.text(st.characters(), max_size=200) | st.binary(max_size=200))
@example("Disallow: /\ud800")
def test_no_file_raises(content):
    robots = Robots(content)
    assert robots.allowed("http://example.org/", AGENT) in (True, False)


def test_an_empty_rule_ends_the_agent_lines_of_a_group():
    text = "User-agent: x\nDisallow:\nUser-agent: minigpt\nDisallow: /"
    assert allowed(text, "/a", "x")
    assert not allowed(text, "/a")
