"""A dictionary of what was asked for last."""

import threading

import pytest

from minigpt.cuda.recent import Recent


def test_what_was_asked_for_last_stays():
    recent, made = Recent(2), []

    def get(key):
        return recent.get(key, lambda: made.append(key) or key.upper())

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert made == list("abcb")  # "b" was not used for longest when "c" came, "c" when "b" did
    assert recent.items() == [("a", "A"), ("b", "B")]
    assert len(recent) == 2


def test_none_is_a_value_and_an_error_is_none():
    recent = Recent(1)
    assert recent.get("a", lambda: None) is None
    assert recent.get("a", lambda: 1) is None
    with pytest.raises(ZeroDivisionError):
        recent.get("b", lambda: 1 / 0)
    assert recent.get("b", lambda: 2) == 2


def test_threads_that_ask_for_the_same_get_the_same():
    recent, begun, found = Recent(4), threading.Barrier(4), []

    def slowly():
        begun.wait()  # until all four are here
        return object()

    def ask():
        found.append(recent.get("a", slowly))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
