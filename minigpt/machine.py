"""What the machine has: memory that is free, and how fast it multiplies matrices.

The peak of its speed is measured, since no file tells it: matrix products are the fastest thing
that a processor does with numbers.

Sources: proc_meminfo(5), MemAvailable; the kernel's documentation of control groups, memory.max
(v2) and memory.limit_in_bytes (v1); sysconf(3) of macOS, _SC_PHYS_PAGES.
"""

import math
import mmap
import os
import time
from pathlib import Path

import numpy as np

# Size of the matrices multiplied. On a CPU they are in a core's cache, and a product takes half a
# millisecond: it is often through before another program gets the core. On a GPU they fill it.
SIZE = {"cpu": 384, "gpu": 8192}
TILE = 128  # of which they are made
GOES, PAUSE_S = 4, 0.05  # the peak is measured so often, with pauses: a busy core may be free then
NEVER = 1 << 60  # a limit above this is none


def free_memory(device):
    """Return the bytes free where a device computes, None where nothing tells."""
    return device.free_bytes() if device.name == "gpu" else available_bytes()


def most_memory(device):
    """Return the most bytes that can be taken on a device, and the words for them; None if unknown.

    macOS has no file that tells what is free. There it is all that the machine has: more than that
    is refused, and less may still be more than is free.
    """
    free = free_memory(device)
    return (free, "are free") if free is not None else (all_bytes(), "are all there is")


def all_bytes():
    """Return the memory that the machine has, in bytes; None where the system does not tell."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows; a system without this name
        return None
    return pages * mmap.PAGESIZE if pages > 0 else None


def available_bytes(root="/"):
    """Return the memory that this process may still take, in bytes; None where nothing tells.

    The least of what the system has and what the limits of its control groups leave. `root` is
    where /proc and /sys are.
    """
    root = Path(root)
    found = [system_bytes(root / "proc/meminfo"), *group_bytes(root)]
    return min((n for n in found if n is not None), default=None)


def system_bytes(path):
    """Return MemAvailable of /proc/meminfo in bytes, None where it is not there."""
    for line in read(path).splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def group_bytes(root):
    """Yield what the limit of each control group above this process leaves, in bytes."""
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):  # version 2, or 1
            names = "memory.max", "memory.current", ""
            if controllers:
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
            mounted = root / "sys/fs/cgroup" / controllers
            folder = mounted / path.lstrip("/")
            # in a container the path is often that of the host, and the limit at the mount
            folders = [folder, *folder.parents]
            for group in folders[: folders.index(mounted) + 1]:
                yield left_in_group(group, *names)


def left_in_group(folder, limit, usage, prefix):
    """Return the bytes left of a control group's limit, None where it has none.

    Files that were read and can be forgotten count as free, as they do in MemAvailable.
    """
    most, used = read(folder / limit).strip(), read(folder / usage).strip()
    if not most.isdecimal() or not used.isdecimal() or int(most) > NEVER:
        return None
    stat = dict(line.split() for line in read(folder / "memory.stat").splitlines())
    cache = sum(int(stat.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))
    return max(0, int(most) - int(used) + cache)


def read(path):
    """Return the text of a file, "" where it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def measure_peak(device, workers, seconds=0.2):
    """Return the operations a second (FLOP/s) of matrix products on all `workers` together.

    In the precision of the device; of each worker the best of what it can try in `seconds`, in
    several goes, while the others do so too: another program may be in the way at times. The
    numbers are random: with equal ones a GPU needs less power and is faster.
    """
    xp, n = device.xp, SIZE[device.name]
    some = np.random.default_rng(0).random((TILE, TILE), np.float32)

    def fastest(_):
        matrix = xp.tile(xp.asarray(some), (n // TILE, n // TILE))  # (n, n)
        matrix, best = matrix.astype(device.low or np.float32), math.inf
        until = time.perf_counter() + seconds / GOES
        while best == math.inf or time.perf_counter() < until:
            began = time.perf_counter()
            float(device.matmul(matrix, matrix)[0, 0])  # a GPU is waited for
            best = min(best, time.perf_counter() - began)
        return 2 * n**3 / best

    found = []
    for _ in range(GOES):
        found.append(list(workers.map(fastest, range(workers.n))))
        time.sleep(PAUSE_S)
    return sum(map(max, zip(*found, strict=True)))
