import os
import subprocess
import sys
import threading

import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import untimed

from minigpt.parallel import Workers, count_cores, fast_cores, slices


@untimed
@given(n=st.integers(0, 200), parts=st.integers(1, 50))
def test_slices_cover_everything_once_in_order_and_evenly(n, parts):
    cut = slices(n, parts)
    assert [i for s in cut for i in range(n)[s]] == list(range(n))
    sizes = [s.stop - s.start for s in cut]
    assert len(cut) == min(n, parts)
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("n", [1, 3])
def test_results_come_in_the_order_of_the_items(n):
    with Workers(n) as workers:
        assert workers.map(lambda a, b: 10 * a + b, range(5), range(5)) == [0, 11, 22, 33, 44]
        assert workers.map(str, []) == []


def test_workers_work_at_the_same_time():
    barrier = threading.Barrier(3, timeout=30)  # is passed only by three threads together
    with Workers(3) as workers:
        workers.map(lambda _: barrier.wait(), range(3))


def test_one_worker_is_the_calling_thread():
    with Workers(1) as workers:
        assert workers.map(lambda _: threading.current_thread(), [0]) == [threading.main_thread()]


@pytest.mark.parametrize("n", [1, 2])
def test_an_error_in_a_worker_reaches_the_caller(n):
    with Workers(n) as workers, pytest.raises(ZeroDivisionError):
        workers.map(lambda x: 1 / x, [1, 0])


def test_no_number_means_one_worker_a_core():
    assert Workers().n == Workers(0).n == count_cores() >= 1


@pytest.fixture
def seven_cores(monkeypatch):
    """A system that tells no more than that it has 7 cores."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    fast_cores.cache_clear()
    yield
    fast_cores.cache_clear()


@pytest.mark.parametrize(
    ("program", "n"), [("echo 4", 4), ("exit 1", 7), ("echo odd", 7), (None, 7)]
)
def test_of_a_macs_cores_the_fast_ones_count(seven_cores, monkeypatch, program, n):
    def run(words, **options):
        assert words == ["/usr/sbin/sysctl", "-n", "hw.perflevel0.physicalcpu"]
        return real(["sh", "-c", program] if program else ["/missing"], **options)

    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert count_cores() == n


def test_where_nothing_else_is_known_all_cores_count(seven_cores, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert count_cores() == 7


def test_blas_uses_one_thread_meanwhile_and_as_many_as_before_afterwards():
    def blas_threads():
        return [
            p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"
        ]

    before = blas_threads()
    with pytest.raises(RuntimeError), Workers(2):
        assert set(blas_threads()) <= {1}
        raise RuntimeError
    assert blas_threads() == before
