import asyncio

import pytest

pytest.importorskip("starlette")

from minigpt import api_streams
from minigpt.api_streams import Wakeups


def rung(n_open, pause_s, monkeypatch):
    """Ring four events, the last at once; return which of them are set before the pause ends."""
    monkeypatch.setattr(api_streams, "PAUSE_S_PER_STREAM", pause_s)

    async def ring():
        wakeups, events = Wakeups(asyncio.get_running_loop()), [asyncio.Event() for _ in range(4)]
        wakeups.n_open = n_open
        for event in events[:2]:
            wakeups.ring(event)
        await turns()
        wakeups.ring(events[2])
        wakeups.ring(events[3], at_once=True)
        await turns()
        return [event.is_set() for event in events]

    return asyncio.run(ring())


async def turns():
    for _ in range(10):
        await asyncio.sleep(0)


def test_where_many_write_nobody_waits_for_the_first_token_and_all_for_the_next(monkeypatch):
    assert rung(50, 1000, monkeypatch) == [True, True, False, True]


def test_who_writes_alone_waits_for_nothing(monkeypatch):
    assert rung(1, 1000, monkeypatch) == [True, True, True, True]


def test_after_the_pause_all_are_told(monkeypatch):
    assert rung(2, 0, monkeypatch) == [True, True, True, True]
