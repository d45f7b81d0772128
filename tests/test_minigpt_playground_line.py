"""Of what the page asks, so much is worked on at a time, and so much may wait."""

import asyncio
import threading

from minigpt import playground_line


def test_the_page_leaves_threads_to_the_api_and_only_so_many_wait(monkeypatch):
    """Of nine requests that take long two are worked on, five wait, two are sent away."""
    monkeypatch.setattr(playground_line, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(playground_line, "MOST_WAITING", 5)
    working, most, may_end = [], [], threading.Event()

    def work(i):
        working.append(i)
        most.append(len(working))
        may_end.wait(20)
        working.remove(i)
        return i

    async def ask_all():
        line = playground_line.Line()
        asked = [asyncio.create_task(line.run(work, i)) for i in range(9)]
        done, _ = await asyncio.wait(asked[7:], timeout=20)
        assert {task.exception().status for task in done} == {503}
        assert not any(task.done() for task in asked[:7])
        while len(working) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # time for a third, were it let through
        may_end.set()
        assert await asyncio.gather(*asked[:7]) == [0, 1, 2, 3, 4, 5, 6]
        assert await line.run(work, 9) == 9

    asyncio.run(ask_all())
    assert max(most) == 2
