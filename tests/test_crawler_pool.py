"""Tasks are spread over any executor, in order, and never too many at a time."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crawler.pool import Inline, Pool, n_cpus, spread


def double(number):
    return 2 * number


def half(number):
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize("make", [Inline, lambda: ThreadPoolExecutor(2), lambda: Pool(2)])
def test_results_come_in_order_and_errors_come_out(make):
    with make() as executor:
        tasks = ((n,) for n in range(20))
        assert list(spread(executor, double, tasks, 5)) == list(range(0, 40, 2))
        with pytest.raises(ValueError, match="3 is odd"):
            list(spread(executor, half, ((n,) for n in (2, 3, 4)), 2))


def test_tasks_are_taken_only_as_they_are_done():
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield (len(taken),)

    results = spread(Inline(), double, endless(), 3)
    assert [next(results), next(results)] == [2, 4]
    assert len(taken) == 4


def test_workers_are_other_processes():
    with Pool(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
    assert n_cpus() >= 1


TWICE = """
import os, signal, threading, time
from crawler.pool import Pool
if __name__ == "__main__":
    def press():
        for pause in (0.1, 0.3):
            time.sleep(pause)
            os.kill(os.getpid(), signal.SIGINT)
    with Pool(2) as pool:
        for future in [pool.submit(time.sleep, 0) for _ in range(2)]:
            future.result()  # the workers are there
        found = [pool.submit(time.sleep, 1) for _ in range(8)]
        threading.Thread(target=press).start()
        found[-1].result()
"""


def test_ctrl_c_twice_ends_it_as_once(tmp_path):
    (tmp_path / "twice.py").write_text(TWICE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    command = [sys.executable, str(tmp_path / "twice.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
