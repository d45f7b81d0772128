"""What the machine has free, as the system tells it, and its peak, as it is measured."""

import mmap
import os
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from minigpt import machine
from minigpt.backend import open_device
from minigpt.machine import GOES, SIZE, available_bytes, measure_peak, most_memory
from minigpt.parallel import Workers


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal: 900 kB\nMemAvailable:     500 kB\n"}


def test_free_is_what_the_system_has(tmp_path):
    write(tmp_path, MEMINFO)
    assert available_bytes(tmp_path) == 500 * 1024


def test_nothing_is_known_where_the_system_tells_nothing(tmp_path):
    assert available_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("pages", "most"),
    [(1000, 1000 * mmap.PAGESIZE), (-1, None), (ValueError("unknown"), None)],
)
def test_where_nobody_tells_what_is_free_all_that_there_is_counts(monkeypatch, pages, most):
    monkeypatch.setattr(machine, "available_bytes", lambda: None)  # as on macOS
    sysconf = mock.Mock(side_effect=[pages])
    monkeypatch.setattr(os, "sysconf", sysconf)
    assert most_memory(open_device("cpu")) == (most, "are all there is")
    sysconf.assert_called_once_with("SC_PHYS_PAGES")


def test_what_is_free_counts_where_it_is_told(monkeypatch):
    monkeypatch.setattr(machine, "available_bytes", lambda: 500)
    assert most_memory(open_device("cpu")) == (500, "are free")


@pytest.mark.parametrize(
    ("line", "folder", "names", "cache"),
    [
        ("0::/a/b", "", ("memory.max", "memory.current"), "inactive_file"),
        (
            "4:memory:/a/b",
            "memory/",
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            "total_inactive_file",
        ),
    ],
)
@pytest.mark.parametrize("at", ["a/b/", "a/", ""])
def test_the_least_limit_of_the_groups_above_counts(tmp_path, line, folder, names, cache, at):
    groups = f"sys/fs/cgroup/{folder}"
    limit, usage = names
    write(tmp_path, MEMINFO | {"proc/self/cgroup": f"{line}\n1:cpu:/x\n"})
    write(tmp_path, {f"{groups}{at}{limit}": "100000\n", f"{groups}{at}{usage}": "30000\n"})
    assert available_bytes(tmp_path) == 70_000
    write(tmp_path, {f"{groups}{at}memory.stat": f"anon 1\n{cache} 5000\n"})
    assert available_bytes(tmp_path) == 75_000
    active = cache.replace("inactive", "active")
    write(tmp_path, {f"{groups}{at}memory.stat": f"{active} 2000\n{cache} 5000\n"})
    assert available_bytes(tmp_path) == 77_000


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096), "garbage"])
def test_a_group_without_a_limit_does_not_count(tmp_path, limit):
    write(tmp_path, MEMINFO | {"proc/self/cgroup": "0::/\n"})
    write(tmp_path, {"sys/fs/cgroup/memory.max": limit, "sys/fs/cgroup/memory.current": "5"})
    assert available_bytes(tmp_path) == 500 * 1024


def test_the_peak_is_a_speed_that_a_processor_can_have():
    with Workers(2) as workers:
        assert 1e8 < measure_peak(open_device("cpu"), workers, seconds=0.01) < 1e14


def test_a_peak_is_the_best_of_several_goes_of_each_worker(monkeypatch):
    """In all goes but one another program takes the cores."""
    now, goes, n_products = [0.0], [0], 3
    clock = {"perf_counter": lambda: now[0], "sleep": lambda s: goes.append(goes.pop() + 1)}
    monkeypatch.setattr(machine, "time", SimpleNamespace(**clock))

    def matmul(a, b):
        now[0] += 0.001 if goes[0] == 2 else 0.05
        return a

    device = SimpleNamespace(xp=np, name="cpu", low=None, matmul=matmul)
    workers = SimpleNamespace(n=2, map=lambda function, items: map(function, items))
    peak = measure_peak(device, workers, seconds=0.001 * n_products * GOES)
    assert peak == pytest.approx(2 * 2 * SIZE["cpu"] ** 3 / 0.001)
