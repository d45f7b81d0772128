"""`make bench`: a training step of ours beside PyTorch's, eager and compiled, on the same cores.

    python tests/bench_train.py [--turns 5] [--only shakespeare-cpu] [--eager]

Same shapes, same weights, float32, no dropout: forward, backward, clipping and AdamW (PyTorch's
fused one). They run in turns, started from one process; memory is measured in a process each and
those that it starts, as the most they held beyond what importing the libraries takes. What several
processes have in common counts once.
"""

import argparse
import functools
import os

import numpy as np
from bench import HEAD, TURNS, in_new_process, in_turns, machine, memory, num_cores, row, timed

from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.train import Trainer

SIZES = {  # the model, windows in a batch, steps timed in a turn
    "shakespeare-cpu": (ModelConfig(65, 64, 128, 4, 4), 12, 50),
    "6 x 384, T 256, B 8": (ModelConfig(65, 256, 384, 6, 6), 8, 3),
    "GPT-2 124M, T 256, B 2": (ModelConfig(50257, 256, 768, 12, 12), 2, 1),
}


class Batches:
    """The same random ids again and again."""

    def __init__(self, config, B):
        ids = np.random.default_rng(0).integers(0, config.vocab_size, (B, config.n_positions + 1))
        self.ids, self.targets = ids[:, :-1].copy(), ids[:, 1:].copy()

    def batch(self, index, size):
        return self.ids, self.targets


def our_step(config, B, workers):
    """Return a function that makes the next step and gives its loss."""
    model = GPT(config).initialise(1)
    train = TrainConfig(steps=10**6, batch_size=B, warmup_steps=0)
    trainer = Trainer(model, AdamW(model.params, train), Batches(config, B), train, workers)
    steps = iter(range(10**6))
    return lambda: trainer.step(next(steps))[0]


def their_step(config, B, compiled):
    """Return a function that makes the next step of PyTorch's and gives its loss."""
    import torch
    from torch_gpt import TorchGPT

    torch.set_num_threads(num_cores())
    model = TorchGPT(config).load(GPT(config).initialise(1).params)
    optimizer = model.optimizer(TrainConfig(batch_size=B))
    forward = torch.compile(model) if compiled else model
    batch = Batches(config, B)
    ids, targets = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def repeat(step, n):
    for _ in range(n):
        step()


def most_memory(name, who):
    """Return the most MB that some steps held, in a new process, beyond the libraries."""
    _, most, before = in_new_process(hold, name, who)
    return most - before


def hold(name, who):
    """Make some steps; return (seconds, MB that this process held before)."""
    config, B, n = SIZES[name]
    if who != "ours":
        import torch._dynamo  # noqa: F401
        import torch_gpt  # noqa: F401
    before = memory(os.getpid())
    if who == "ours":
        with Workers() as workers:
            seconds, _ = timed(repeat, our_step(config, B, workers), 5 * n)
    else:
        seconds, _ = timed(repeat, their_step(config, B, who == "compiled"), 5 * n)
    return seconds, before


def bench(name, turns, compiled):
    """Print the lines of one size."""
    config, B, n = SIZES[name]
    with Workers() as workers:
        steps = {"ours": our_step(config, B, workers), "eager": their_step(config, B, False)}
        first = {who: step() for who, step in steps.items()}
        assert abs(first["ours"] - first["eager"]) < 1e-4 * first["eager"]
        if compiled:
            steps["compiled"] = their_step(config, B, True)
        for step in steps.values():
            repeat(step, 3)  # warm: compiled, memory at hand
        runs = {who: functools.partial(run, step, n) for who, step in steps.items()}
        taken = {who: 1e3 * s / n for who, s in in_turns(runs, turns).items()}
    for peer in [who for who in taken if who != "ours"]:
        print(row(f"{name}, a step ({peer})", taken["ours"], taken[peer], "ms", False)
              + f", {taken['ours'] / taken[peer]:.2f} of its time", flush=True)  # fmt: skip
    speed = B * config.n_positions / (taken["ours"] / 1e3)
    print(f"  {speed:,.0f} tokens/s, {speed * config.flops_per_token() / 1e9:,.0f} GFLOP/s")
    most = {who: most_memory(name, who) for who in ("ours", "eager")}
    print(row("  most memory (eager)", most["ours"], most["eager"], "MB", False), flush=True)


def run(step, n):
    return timed(repeat, step, n)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", choices=SIZES)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    arguments = parser.parse_args()
    print(machine(), HEAD, sep="\n", flush=True)
    for name in [arguments.only] if arguments.only else SIZES:
        bench(name, arguments.turns, not arguments.eager)


if __name__ == "__main__":
    main()
