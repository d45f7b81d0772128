"""Hosts take turns; the clock is turned by hand."""

from crawler.politeness import Turns


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def turns_and_clock(delay_s: float = 1.0) -> tuple[Turns, Clock]:
    clock = Clock()
    return Turns(lambda netloc: delay_s, clock), clock


def test_a_host_is_asked_at_once_and_then_after_its_delay():
    turns, clock = turns_and_clock(delay_s=2.0)
    turns.line_up("a")
    host = turns.take()
    assert host.netloc == "a"
    clock.now += 0.5  # the request takes its time; the pause begins after it
    turns.give_back(host)
    assert turns.seconds_to_next() == 2.0
    clock.now += 1.9
    assert turns.take() is None
    clock.now += 0.2
    assert turns.take() is host


def test_a_host_is_never_asked_twice_at_once():
    turns, clock = turns_and_clock()
    turns.line_up("a")
    turns.line_up("a")
    host = turns.take()
    turns.line_up("a")
    clock.now += 100
    assert turns.take() is None
    turns.give_back(host)
    clock.now += 1
    assert turns.take() is host
    assert turns.take() is None


def test_hosts_take_turns_by_when_they_are_due():
    turns, clock = turns_and_clock()
    for netloc in ("a", "b", "c"):
        turns.line_up(netloc)
    taken = [turns.take() for _ in range(3)]
    assert [host.netloc for host in taken] == ["a", "b", "c"]
    turns.give_back(taken[2], pause_s=0.0)
    turns.give_back(taken[0], pause_s=5.0)
    turns.give_back(taken[1], pause_s=3.0)
    clock.now += 10
    assert [turns.take().netloc for _ in range(3)] == ["c", "b", "a"]


def test_a_resting_host_keeps_its_pause():
    turns, clock = turns_and_clock(delay_s=3.0)
    turns.line_up("a")
    turns.give_back(turns.take())
    clock.now += 3
    turns.rest(turns.take())
    assert turns.seconds_to_next() is None
    turns.line_up("a")
    assert turns.take().netloc == "a"
    assert len(turns) == 1


def test_hosts_have_their_own_delay():
    clock = Clock()
    turns = Turns({"slow": 9.0, "fast": 0.0}.get, clock)
    turns.line_up("slow")
    turns.line_up("fast")
    for host in (turns.take(), turns.take()):
        turns.give_back(host)
    assert turns.take().netloc == "fast"
    assert turns.take() is None
