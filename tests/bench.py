"""What the benchmarks share: take turns, compare medians, print a table.

Ours and the peer run one after the other, again and again, on the same input and the same cores: a
machine that is busy for a while is busy for both. A benchmark is no test: it asserts nothing but
that both did the same.
"""

import contextlib
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

TURNS = 5


def in_turns(runs: Mapping[str, Callable[[], float]], turns: int = TURNS) -> dict[str, float]:
    """Call each of `runs`, which say how many seconds they took, in turns; give the medians."""
    seconds = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            seconds[name].append(run())
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def timed(function: Callable, *arguments: Any) -> tuple[float, Any]:
    """Call a function; give the seconds it took, and what it returned."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def in_new_process(function: Callable, *arguments: Any) -> tuple[float, float, Any]:
    """Call a function that returns (seconds, result) in a process of its own.

    Returns the seconds, the most memory that it and its workers held, in MB, and the result.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        process = pool.submit(os.getpid).result()
        future = pool.submit(function, *arguments)
        most = 0.0
        while not future.done():
            most = max(most, sum(map(memory, [process, *children(process)])))
            time.sleep(0.05)
        seconds, result = future.result()
        return seconds, most, result


def memory(process: int) -> float:
    """Give the memory of a process in MB, what it shares with others divided by their number."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass  # it has ended, or this is not Linux
    return 0.0


def children(process: int) -> list[int]:
    """List the processes that a process has started, and those that they have."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found + [grandchild for child in found for grandchild in children(child)]


def num_cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine() -> str:
    """Say in a line what the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{num_cores()} cores of {model}, Python {platform.python_version()}{load}"


def row(what: str, ours: float, peer: float | None, unit: str, higher_is_better: bool) -> str:
    """Write a line of the table: ours, the peer's, and how many times better ours is."""
    if peer is None:
        return f"{what:<44} {ours:>10,.1f} {'-':>10} {'-':>7}  {unit}"
    ratio = ours / peer if higher_is_better else peer / ours
    return f"{what:<44} {ours:>10,.1f} {peer:>10,.1f} {ratio:>6.2f}x  {unit}"


HEAD = f"{'':<44} {'ours':>10} {'peer':>10} {'better':>7}"
