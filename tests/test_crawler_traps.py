"""Endless sites: what is taken out of an address, what is refused, what is counted."""

import pytest

from crawler import traps
from crawler.urls import split

HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/a", "http://h/a"),
        ("http://h/a;b=c?d;e", "http://h/a;b=c?d;e"),
        (f"http://h/a;jsessionid={HEX}", "http://h/a"),
        (f"http://h/a;JSESSIONID={HEX}?b=1", "http://h/a?b=1"),
        (f"http://h/a?PHPSESSID={HEX}", "http://h/a"),
        (f"http://h/a?b=1&PHPSESSID={HEX}", "http://h/a?b=1"),
        (f"http://h/a?b=1&PHPSESSID={HEX}&c=2", "http://h/a?b=1&c=2"),
        (f"http://h/a?sid={HEX}&b=1", "http://h/a?b=1"),
        ("http://h/a?sid=7&b=1", "http://h/a?sid=7&b=1"),
        ("http://h/a?CFID=1&CFTOKEN=2", "http://h/a"),
        ("http://h/a?session_id=1&sessionid=2&my_sessid=3", "http://h/a"),
        ("http://h/a?utm_source=x&utm_medium=y&id=3&fbclid=z", "http://h/a?id=3"),
        ("http://h/a?possession_idea=1", "http://h/a?possession_idea=1"),
        (f"http://h/(S({HEX[:24]}))/a.aspx", "http://h/a.aspx"),
        ("http://h/wiki/Go_(game)/a", "http://h/wiki/Go_(game)/a"),
        (f"http://h;jsessionid={HEX}/a", f"http://h;jsessionid={HEX}/a"),  # a host, not a path
        ("https://;sid=http/a;sid=1", "https://;sid=http/a"),
    ],
)
def test_sessions_are_taken_out(url, expected):
    assert traps.without_session(url) == expected
    assert traps.without_session(expected) == expected


@pytest.mark.parametrize(
    ("path", "is_trap"),
    [
        ("/a/b/c", False),
        ("/a/a", False),
        ("/a/a/a", True),
        ("/x/a/b/a/b/a/b/y", True),
        ("/a/b/a/c/a/d", False),
        ("/aa/aaa/a", False),
        ("/2011/11/11/11", False),
        ("/a" * 2 + "/b" * 2, False),
        ("".join(f"/{i}" for i in range(41)), True),
        ("".join(f"/{i}" for i in range(40)), False),
    ],
)
def test_paths_that_repeat_themselves_or_never_end_are_refused(path, is_trap):
    assert (traps.refusal(split(f"http://h{path}")) is not None) is is_trap


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/calendar/2026/11", "http://h/calendar/2027/1"),
        ("http://h/events/2026-11-03", "http://h/events/2031-01-30"),
        ("http://h/?month=11&year=2026", "http://h/?month=2&year=2099"),
        ("http://h/cal.php?date=20261103", "http://h/cal.php?date=20270101"),
    ],
)
def test_the_pages_of_a_calendar_are_at_one_place(one, other):
    assert traps.place(one) == traps.place(other)
    assert traps.place(one)[1]


def test_queries_are_counted_by_their_path():
    assert traps.place("http://h/shop?color=red") == traps.place("http://h/shop?size=2&color=blue")
    assert traps.place("http://h/shop?a") != traps.place("http://h/shop/a?a")
    assert traps.place("http://h/shop?a") == ("h/shop", False)


@pytest.mark.parametrize("path", ["a", "2026/11/03/title", "events/12345", "archives/2345"])
def test_ordinary_addresses_are_not_counted(path):
    assert traps.place(f"http://h/{path}") is None


def test_hard_addresses_take_no_time():
    path = "/" + "a/" * 900
    assert traps.refusal(split(f"http://h{path}"))
    assert traps.refusal(split("http://h/" + "ab" * 900)) is None
    assert traps.refusal(split("http://h/" + "/".join("ab" for _ in range(3)))) is not None
