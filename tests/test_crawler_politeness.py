"""When each host may be asked again."""

import pytest

from crawler.politeness import MAX_PAUSE_S, Host, Turns
from crawler.robots import Robots
from crawler.visit import RobotsResult


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def ask(turns: Turns) -> str | None:
    """Ask whose turn it is, ask that host and get its answer; return its name."""
    host = turns.take()
    if host:
        turns.begin(host)
        turns.give_back(host)
    return host and host.netloc


def test_a_host_is_asked_at_once_and_then_after_its_delay(clock):
    turns = Turns(lambda netloc: 5.0, clock=clock)
    assert turns.take() is None and turns.seconds_to_next() is None
    turns.line_up("a")
    assert turns.seconds_to_next() == 0.0
    assert ask(turns) == "a"
    assert turns.take() is None
    assert turns.seconds_to_next() == 5.0
    clock.now += 5
    assert ask(turns) == "a"


def test_a_host_is_never_asked_twice_at_once(clock):
    turns = Turns(lambda netloc: 0.0, clock=clock)
    turns.line_up("a")
    turns.begin(turns.take())
    turns.line_up("a")
    assert turns.take() is None
    assert len(turns) == 1


def test_hosts_take_turns_by_when_they_are_due(clock):
    turns = Turns(lambda netloc: 1.0, clock=clock)
    for netloc in ("a", "b", "c"):
        turns.line_up(netloc)
    a = turns.take()
    turns.begin(a)
    assert [ask(turns), ask(turns)] == ["b", "c"]
    turns.give_back(a, 10.0)
    clock.now += 1
    assert [ask(turns), ask(turns), ask(turns)] == ["b", "c", None]
    clock.now += 9
    assert {ask(turns) for _ in range(3)} == {"a", "b", "c"}


def test_without_delay_hosts_take_turns_too(clock):
    turns = Turns(lambda netloc: 0.0, clock=clock)
    for netloc in ("a", "b", "c"):
        turns.line_up(netloc)
    assert [ask(turns) for _ in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_host_with_nothing_to_ask_keeps_its_pause(clock):
    turns = Turns(lambda netloc: 5.0, clock=clock)
    turns.line_up("a")
    assert ask(turns) == "a"
    clock.now += 5
    assert turns.take().netloc == "a"  # and nothing is asked
    assert turns.seconds_to_next() is None
    clock.now -= 2
    turns.line_up("a")
    assert turns.take() is None
    assert turns.seconds_to_next() == 2.0


def test_hosts_have_their_own_delay(clock):
    delays = {"slow": 9.0, "fast": 1.0}
    turns = Turns(delays.__getitem__, clock=clock)
    turns.line_up("slow")
    turns.line_up("fast")
    assert [ask(turns), ask(turns)] == ["slow", "fast"]
    clock.now += 1
    assert [ask(turns), ask(turns)] == ["fast", None]


def test_several_requests_to_a_host_begin_a_delay_apart(clock):
    turns = Turns(lambda netloc: 1.0, n_per_host=2, clock=clock)
    turns.line_up("a")
    turns.begin(turns.take())
    assert turns.take() is None
    clock.now += 1
    host = turns.take()
    turns.begin(host)
    clock.now += 9
    assert turns.take() is None  # two are on their way
    turns.give_back(host)
    assert turns.take() is host


def test_a_pause_holds_for_all_requests_to_a_host(clock):
    turns = Turns(lambda netloc: 0.0, n_per_host=3, clock=clock)
    turns.line_up("a")
    host = turns.take()
    turns.begin(host)
    turns.give_back(host, 60.0)
    assert turns.take() is None
    assert turns.seconds_to_next() == 60.0
    clock.now += 60
    assert turns.take() is host


def test_a_host_waits_as_long_as_it_asks_within_limits():
    host = Host("h", 2.0)
    busy = RobotsResult("http://h", Robots(""), passes=True)
    pauses = [host.pause_after(busy._replace(retry_after_s=s), 1.0) for s in (0.0, 77.0, 99999.0)]
    assert pauses == [2.0, 77.0, MAX_PAUSE_S]
