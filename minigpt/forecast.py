"""What a run will take, told before it starts: memory, operations, time; and whether it can fit.

Memory is predicted by costs.py. Operations follow from the model's shape (config.py). Time is a
guess: the operations at a usual share of the peak, which is measured here by multiplying matrices,
the fastest thing a processor does with numbers. What a run really reaches of that peak, its
model FLOPs utilisation (MFU), stands in metrics.jsonl.

Sources: Chowdhery et al. 2022, "PaLM", section 4.1 (MFU); proc_meminfo(5), MemAvailable; the
kernel's documentation of control groups, memory.max (v2) and memory.limit_in_bytes (v1).
"""

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from minigpt.amounts import format_bytes, format_seconds
from minigpt.costs import gpu_training_memory, training_memory
from minigpt.parallel import count_cores

USUAL_MFU = 0.4  # of small models on a CPU; larger ones reach more
# Size of the matrices multiplied. On a CPU they are in a core's cache, and a product takes half a
# millisecond: it is often through before another program gets the core. On a GPU they fill it.
SIZE = {"cpu": 384, "gpu": 8192}
TILE = 128  # of which they are made
GOES, PAUSE_S = 4, 0.05  # the peak is measured so often, with pauses: a busy core may be free then
NEVER = 1 << 60  # a limit above this is none


@dataclass(frozen=True)
class Forecast:
    """What a run will take: `memory` says what for, in bytes."""

    parameters: int
    memory: dict
    flops_per_step: int
    flops: int

    def seconds(self, peak):
        """Return the seconds that the run may take on a machine of `peak` FLOP/s."""
        return self.flops / (USUAL_MFU * peak)

    def as_json(self, peak):
        """Return what training_config.json says of it."""
        return asdict(self) | {"seconds": round(self.seconds(peak), 1)}


def forecast(model, train, device, packed=False):
    """Return the Forecast of a run with a ModelConfig and a TrainConfig."""
    per_step = train.windows_per_step() * model.n_positions * model.flops_per_token()
    memory = {what: int(n) for what, n in memory_of(model, train, device, packed).items()}
    return Forecast(model.n_params(), memory, per_step, train.steps * per_step)


def check_memory(model, train, device, force=False, packed=False):
    """Raise ValueError if the device has not as much memory free as a run takes, unless `force`.

    Nothing is refused where the system does not tell what is free.
    """
    needed, free = total(model, train, device, packed), free_memory(device)
    if free is not None and needed > free and not force:
        advice = what_would_fit(model, train, free, device, packed)
        raise ValueError(
            f"the run needs about {format_bytes(needed)} of memory and {format_bytes(free)} are "
            f"free; it must fit: {advice}, or --force to try it all the same"
        )


def what_would_fit(model, train, free, device, packed=False):
    """Return advice: a smaller batch with the same gradient if that is enough, else the model."""
    n_windows = train.windows_per_step()
    for batch_size in range(train.batch_size - 1, 0, -1):
        if n_windows % batch_size == 0:
            accumulate = n_windows // batch_size
            smaller = replace(train, batch_size=batch_size, accumulate=accumulate)
            if total(model, smaller, device, packed) <= free:
                return f"--batch-size {batch_size} --accumulate {accumulate} would"
    least = total(model, replace(train, batch_size=1, workers=1), device, packed)
    return (
        f"one window at a time would need {format_bytes(least)}; take a smaller preset, fewer "
        f"--n-layer, a smaller --n-embd or --n-positions"
    )


def total(model, train, device, packed):
    """Return the bytes that training takes."""
    return sum(memory_of(model, train, device, packed).values())


def memory_of(model, train, device, packed=False):
    """Return what training holds on the device, as costs.py predicts it."""
    if device.name == "gpu":
        return gpu_training_memory(model, train, device.precision, packed)
    return training_memory(model, train, train.workers or count_cores())


# ---- the machine -------------------------------------------------------------------------------


def available_bytes(root="/"):
    """Return the memory that this process may still take, in bytes; None where nothing tells.

    The least of what the system has and what the limits of its control groups leave. `root` is
    where /proc and /sys are.
    """
    root = Path(root)
    found = [system_bytes(root / "proc/meminfo"), *group_bytes(root)]
    return min((n for n in found if n is not None), default=None)


def free_memory(device):
    """Return the bytes free where a device computes, None where nothing tells."""
    return device.free_bytes() if device.name == "gpu" else available_bytes()


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


def describe(model, train, foreseen, peak, epoch_tokens, device):
    """Return in lines what a run is and what it takes."""
    n_windows = train.windows_per_step()
    tokens = train.steps * n_windows * model.n_positions
    lines = [
        f"{foreseen.parameters / 1e6:.2f} M parameters, {train.steps:,} steps of {n_windows} "
        f"windows of {model.n_positions} tokens: {tokens / epoch_tokens:.1f} epochs"
    ]
    needed, free = sum(foreseen.memory.values()), free_memory(device)
    largest = sorted(foreseen.memory.items(), key=lambda part: -part[1])[:3]
    parts = ", ".join(f"{what} {format_bytes(n)}" for what, n in largest)
    of = f" of {format_bytes(free)} free" if free else ""
    lines.append(f"memory: about {format_bytes(needed)}{of}; most for {parts}")
    lines.append(
        f"work: {foreseen.flops_per_step:.2g} FLOPs a step, {foreseen.flops:.2g} in all; about "
        f"{format_seconds(foreseen.seconds(peak))} at {USUAL_MFU:.0%} of the "
        f"{peak / 1e9:,.0f} GFLOP/s measured here"
    )
    return lines
