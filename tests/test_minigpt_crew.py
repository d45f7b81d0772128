import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minigpt.crew import CAN_FORK, Crew, shared_copy
from minigpt.crew_members import wait_for

forks = pytest.mark.skipif(not CAN_FORK, reason="processes are forked on Linux only")
kinds = pytest.mark.parametrize("fork", [pytest.param(True, marks=forks), False])


class Work:
    """What the crews of these tests do."""

    def __init__(self):
        self.common = shared_copy(np.zeros(4, np.int64))
        self.own = [0] * 4

    def count(self, place, by):
        self.common[place.index] += by
        self.own[place.index] += by
        return place.index, self.own[place.index]

    def square(self, x):
        return x * x

    def relay(self, place):
        """Write down the members in their order, which the ring gives."""
        place.begin()
        if place.index:
            place.wait(1)
        self.common[place.index] = self.common.max() + 1
        place.pass_on()
        if place.index == 0:
            place.wait(1)

    def fail(self, place, who, error):
        place.begin()
        if place.index == who:
            raise error
        place.wait(1)

    def vanish(self, place, when):
        place.begin()
        if place.index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)  # it is gone
        if when == "it is waited for":
            place.wait(1)
        elif when == "it is told to go on":
            for _ in range(2):
                place.pass_on()

    def sleep(self, place, data):
        if place.index:
            time.sleep(30)

    def process(self, place):
        return os.getpid()

    def unspeakable(self, place, kind):
        if place.index == 1:
            raise UNSPEAKABLE[kind]


class TwoWords(Exception):
    """An error that can be sent and does not arrive."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


UNSPEAKABLE = {
    "of a class that nobody else knows": type("Local", (Exception,), {})("what was wrong"),
    "that cannot be made again": TwoWords("what was", "wrong"),
    "as if somebody were gone": EOFError("what was wrong"),
}


@pytest.fixture
def crew_of(request):
    """Return a function that makes a crew, which is closed in the end."""
    crews = []

    def make(n, fork):
        crews.append(Crew(Work(), n, fork))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()


@kinds
@pytest.mark.parametrize("n", [1, 2, 4])
def test_all_do_the_same_in_memory_they_have_in_common(crew_of, n, fork):
    crew = crew_of(n, fork)
    assert crew.call("count", 2) == [(i, 2) for i in range(n)]
    assert crew.call("count", 3) == [(i, 5) for i in range(n)]
    assert crew.target.common.tolist() == [5] * n + [0] * (4 - n)


@kinds
@pytest.mark.parametrize("n_items", [0, 1, 3, 8])
def test_results_of_a_map_come_in_the_order_of_the_items(crew_of, n_items, fork):
    assert crew_of(3, fork).map("square", range(n_items)) == [i * i for i in range(n_items)]


@kinds
@pytest.mark.parametrize("n", [2, 4])
def test_the_word_goes_round_the_ring(crew_of, n, fork):
    crew = crew_of(n, fork)
    crew.call("relay")
    assert crew.target.common[:n].tolist() == list(range(1, n + 1))


@kinds
@pytest.mark.parametrize("who", [0, 1, 2])
def test_an_error_of_one_is_raised_here_and_leaves_nobody_waiting(crew_of, who, fork):
    crew = crew_of(3, fork)
    with pytest.raises(MemoryError, match="no room"):
        crew.call("fail", who, MemoryError("no room"))
    assert crew.call("count", 1) == [(0, 1), (1, 1), (2, 1)]  # by new ones


@kinds
@pytest.mark.parametrize("kind", UNSPEAKABLE)
def test_whatever_the_error_it_is_told(crew_of, kind, fork):
    with pytest.raises((RuntimeError, EOFError), match="what was wrong"):
        crew_of(2, fork).call("unspeakable", kind)


def test_an_error_keeps_its_cause(crew_of):
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    with pytest.raises(ValueError, match="outer") as caught:
        crew_of(1, False).call("fail", 0, error)
    assert isinstance(caught.value.__cause__, KeyError)


@forks
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("when", ["it is waited for", "it is told to go on", "it is to answer"])
def test_a_process_that_was_killed_is_missed(crew_of, n, when):
    with pytest.raises(ChildProcessError, match=r"a worker process has been killed.*--batch-size"):
        crew_of(n, True).call("vanish", when)


@forks
def test_a_process_that_was_killed_between_two_pieces_of_work_is_missed(crew_of, monkeypatch):
    unheard, crew = [], crew_of(3, True)
    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    os.kill(crew.call("process")[1], signal.SIGKILL)
    time.sleep(0.2)
    with pytest.raises(ChildProcessError, match="a worker process has been killed"):
        crew.call("sleep", b" " * 10_000_000)  # more than a pipe holds
    assert len(crew.call("process")) == 3  # new ones
    gc.collect()
    assert not unheard  # nor does what is left of the first attempt make trouble later


@forks
def test_a_crew_ends_where_the_system_keeps_no_trace_of_who_has_ended(crew_of):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        crew = crew_of(3, True)
        crew.call("process")
        crew.close()
    finally:
        signal.signal(signal.SIGCHLD, before)


@forks
def test_a_crew_that_cannot_be_started_leaves_nothing_behind(crew_of, monkeypatch):
    real, started = os.fork, []

    def fork():
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(real())
        return started[0]

    files = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(OSError, match=r"no worker can be started .* fewer --workers"):
        crew_of(3, True).call("process")
    assert set(os.listdir("/proc/self/fd")) == files
    assert not is_alive(started[0])


@kinds
def test_a_closed_crew_has_ended(crew_of, fork):
    before, crew = threading.active_count(), crew_of(3, fork)
    ids = set(crew.call("process")) - {os.getpid()}
    crew.close()
    assert len(ids) == (2 if fork else 0)
    assert threading.active_count() == before
    for process in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


ORPHANS = """
import os, sys, time
from minigpt.crew import Crew

class Work:
    def process(self, place):
        return os.getpid()

lock = open(sys.argv[1])
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX)
print(Crew(Work(), 3).call("process")[1:], flush=True)
time.sleep(60)
"""


@forks
def test_members_end_with_the_process_that_was_killed_and_hold_no_lock_of_it(tmp_path):
    import fcntl

    (tmp_path / "lock").touch()
    command = [sys.executable, "-c", ORPHANS, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        members = [int(word) for word in process.stdout.readline().strip("[]\n").split(",")]
        process.kill()
    with open(tmp_path / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for _ in range(200):
        alive = [member for member in members if is_alive(member)]
        if not alive:
            break
        time.sleep(0.05)
    assert not alive


def is_alive(process):
    """Tell whether a process is there and no zombie."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@forks
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_leaves_the_others_at_work(crew_of, number):
    crew = crew_of(2, True)
    other = crew.call("process")[1]
    os.kill(other, number)
    assert crew.call("process")[1] == other


@forks
def test_one_that_waits_for_long_falls_asleep():
    there, here = os.pipe()
    spent = []

    def wait():
        start = time.thread_time()
        wait_for(there)
        spent.append(time.thread_time() - start)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)
    assert not spent
    os.write(here, b".")
    thread.join(10)
    os.close(there), os.close(here)
    assert spent[0] < 0.25
