"""What a run will take, told before it starts: memory, operations, time; and whether it can fit.

Memory is predicted by costs.py. Operations follow from the model's shape (config.py). Time is a
guess: the operations at a usual share of the machine's peak (machine.py). What a run really
reaches of that peak, its model FLOPs utilisation (MFU), stands in metrics.jsonl.

Sources: Chowdhery et al. 2022, "PaLM", section 4.1 (MFU). Muennighoff et al. 2023, "Scaling
Data-Constrained Language Models", figure 1: four times the same text teach almost as much as a
text four times as long, forty times no more than before.
"""

from dataclasses import asdict, dataclass, replace

from minigpt import muon
from minigpt.amounts import format_bytes, format_seconds
from minigpt.costs import gpu_training_memory, training_memory
from minigpt.machine import free_memory, most_memory
from minigpt.model import param_shapes
from minigpt.parallel import count_cores

# On two cores alone 0.5 with 96 channels, 0.65 with 192, over 0.75 with 384: the wider a model,
# the more of its work are matrix products. On a GPU nobody has measured it here.
USUAL_MFU = {"cpu": 0.6, "gpu": 0.4}
MOST_DAYS = 30  # a longer run is begun only if asked for twice
DAY_S = 86_400
SLOWEST = 5e9  # FLOP/s; no machine that is of use here multiplies matrices more slowly
MOST_EPOCHS = 40  # reading a text once more teaches nothing of the language from then on


@dataclass(frozen=True)
class Forecast:
    """What a run will take: `memory` says what for, in bytes; `mfu` is the usual one, a share."""

    parameters: int
    memory: dict
    flops_per_step: int
    flops: int
    mfu: float

    def seconds(self, peak):
        """Return the seconds that the run may take on a machine of `peak` FLOP/s."""
        return self.flops / (self.mfu * peak)

    def as_json(self, peak):
        """Return what training_config.json says of it."""
        return asdict(self) | {"seconds": round(self.seconds(peak), 1)}


def forecast(model, train, device, packed=False):
    """Return the Forecast of a run with a ModelConfig and a TrainConfig."""
    per_step = step_flops(model, train)
    memory = {what: int(n) for what, n in memory_of(model, train, device, packed).items()}
    flops = train.steps * per_step
    return Forecast(model.n_params(), memory, per_step, flops, USUAL_MFU[device.name])


def step_flops(model, train):
    """Return the operations of an update: of its tokens, and of Muon's matrices."""
    by_muon = muon.flops(param_shapes(model)) if train.optimizer == "muon" else 0
    return train.windows_per_step() * model.n_positions * model.flops_per_token() + by_muon


def check_memory(model, train, device, force=False, packed=False):
    """Raise ValueError if the device has not as much memory free as a run takes, unless `force`.

    Where the system does not tell what is free, all that it has counts; where it does not tell
    that, nothing is refused.
    """
    needed, (most, are) = total(model, train, device, packed), most_memory(device)
    if most is not None and needed > most and not force:
        advice = what_would_fit(model, train, most, device, packed)
        raise ValueError(
            f"the run needs about {format_bytes(needed)} of memory and {format_bytes(most)} {are}; "
            f"it must fit: {advice}, or --force to try it all the same"
        )


def may_take_long(model, train):
    """Tell whether a run would take longer than MOST_DAYS on the slowest of machines.

    Of most runs that is not so, and the peak need not be measured to know that they are short.
    """
    flops = train.steps * step_flops(model, train)
    return flops > MOST_DAYS * DAY_S * min(USUAL_MFU.values()) * SLOWEST


def check_time(model, train, device, peak, force=False, in_make=False):
    """Raise ValueError if a run would take longer than MOST_DAYS at `peak` FLOP/s, unless `force`.

    The cures are flags, or what make takes, if `in_make`.
    """
    seconds, most = forecast(model, train, device).seconds(peak), MOST_DAYS * DAY_S
    if seconds <= most or force:
        return
    steps = int(train.steps * most / seconds)
    flag = (lambda given: f'TRAIN="{given}"') if in_make else (lambda given: given)
    advice = [flag(f"--steps {steps}")] * (steps > 0)
    advice.append("a smaller PRESET" if in_make else "a smaller --preset")
    if device.name == "cpu":
        advice.append("DEVICE=gpu" if in_make else "--device gpu")
    else:
        advice.append("several GPUs")
    raise ValueError(
        f"the run would take about {format_seconds(seconds)} here; it must take at most "
        f"{MOST_DAYS} days: try {', '.join(advice)}, or {flag('--force')} to begin it all the same"
    )


def what_would_fit(model, train, free, device, packed=False):
    """Return advice: a smaller batch with the same gradient if that is enough, else the model."""
    n_windows = train.windows_per_step()

    def fits(batch_size, accumulate):
        other = replace(train, batch_size=batch_size, accumulate=accumulate)
        return total(model, other, device, packed) <= free

    # By halves: somebody may have asked for a billion. Where a batch fits that divides the windows
    # of an update, all smaller ones do, for n_windows // middle gives them no more windows.
    most, too_many = 0, train.batch_size
    while too_many - most > 1:
        middle = (most + too_many) // 2
        most, too_many = (middle, too_many) if fits(middle, n_windows // middle) else (most, middle)
    for batch_size in range(most, 0, -1):
        if n_windows % batch_size == 0 and fits(batch_size, n_windows // batch_size):
            return f"--batch-size {batch_size} --accumulate {n_windows // batch_size} would"
    if fits(1, 1):
        return (
            f"{n_windows:,} windows an update do not even one at a time; take a smaller "
            f"--batch-size or --accumulate"
        )
    least = total(model, replace(train, batch_size=1, accumulate=1), device, packed)
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


def describe(model, train, foreseen, peak, epoch_tokens, device):
    """Return in lines what a run is and what it takes."""
    n_windows = train.windows_per_step()
    tokens = train.steps * n_windows * model.n_positions
    lines = [
        f"{foreseen.parameters / 1e6:.2f} M parameters, {train.steps:,} steps of {n_windows} "
        f"windows of {model.n_positions} tokens: {tokens / epoch_tokens:.1f} epochs"
    ]
    if tokens > MOST_EPOCHS * epoch_tokens:
        fewer = max(1, train.steps * MOST_EPOCHS * epoch_tokens // tokens)
        lines.append(
            f"an epoch reads the whole text once: after {MOST_EPOCHS} a model only learns it by "
            f"heart; bring more text, or give --steps {fewer}, or fewer"
        )
    needed, free = sum(foreseen.memory.values()), free_memory(device)
    largest = sorted(foreseen.memory.items(), key=lambda part: -part[1])[:3]
    parts = ", ".join(f"{what} {format_bytes(n)}" for what, n in largest)
    of = f" of {format_bytes(free)} free" if free else ""
    lines.append(f"memory: about {format_bytes(needed)}{of}; most for {parts}")
    lines.append(
        f"work: {foreseen.flops_per_step:.2g} operations (FLOPs) a step, {foreseen.flops:.2g} in "
        f"all; about {format_seconds(foreseen.seconds(peak))}, if training is {foreseen.mfu:.0%} "
        f"as fast as matrix products, which make {peak / 1e9:,.0f} billion a second (GFLOP/s) here"
    )
    return lines
