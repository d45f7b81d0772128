"""`make bench`: our generation beside transformers on PyTorch, on the same weights and cores.

    python tests/bench_sample.py [--turns 5] [--cpu-time] [--quick]

Greedy decoding after a short prompt, alone and with eight texts at once, and reading a prompt of
512 tokens, for the preset `tiny` and for GPT-2 with 124 M parameters, weights random; for `tiny`
also 64 texts of unequal length, ours alone. Both must write the same ids. The last lines compare
with what memory allows: each token needs every weight.

On a busy machine the clock says little; `--cpu-time` counts the time of all cores together instead:
tokens for each second of a core. It flatters whoever leaves a core idle.
"""

import argparse
import functools
import tempfile
import time

import numpy as np
import torch
import transformers
from bench import HEAD, TURNS, in_turns, machine, num_cores, row

from minigpt import generate
from minigpt.checkpoint import load_model
from minigpt.config import ModelConfig
from minigpt.decode import Decoder
from minigpt.parallel import slices
from minigpt.presets import PRESETS
from minigpt.team import one_blas_thread, team

PROMPT_TOKENS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--cpu-time", action="store_true", help="the processor's time, not a clock")
    parser.add_argument("--quick", action="store_true", help="`tiny` alone")
    arguments = parser.parse_args()
    torch.set_num_threads(num_cores())
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print(machine(), HEAD, sep="\n", flush=True)
    bench("tiny", PRESETS["tiny"].model, 100, clock, arguments.turns, crowd=64)
    if not arguments.quick:
        bench("124M", ModelConfig(), 64, clock, arguments.turns)


def both(config: ModelConfig):
    """Make a model in transformers, and load it in ours: the same weights."""
    shape = {name: getattr(config, name) for name in ("vocab_size", "n_positions", "n_embd")}
    shape |= {"n_layer": config.n_layer, "n_head": config.n_head, "initializer_range": 0.1}
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**shape)).eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return load_model(folder), theirs


def their_ids(theirs, prompts: list, n: int) -> list:
    """Continue prompts greedily with transformers; return the new ids of each."""
    ids = torch.tensor(prompts)
    settings = {"do_sample": False, "use_cache": True, "eos_token_id": None, "pad_token_id": 0}
    with torch.inference_mode():
        out = theirs.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, **settings
        )
    return out[:, len(prompts[0]) :].tolist()


def our_ids(ours, prompts: list, n: int) -> list:
    return [list(row) for row in zip(*generate(ours, prompts, n, temperature=0), strict=True)]


def seconds(clock, function, *arguments) -> float:
    start = clock()
    function(*arguments)
    return clock() - start


def bench(name: str, config: ModelConfig, n: int, clock, turns: int, crowd: int = 0) -> None:
    """Print the lines of one model."""
    ours, theirs = both(config)
    rng = np.random.default_rng(0)
    timed = functools.partial(functools.partial, seconds, clock)
    for B in (1, 8):
        prompts = rng.integers(0, config.vocab_size, (B, PROMPT_TOKENS)).tolist()
        assert our_ids(ours, prompts, n) == their_ids(theirs, prompts, n)
        runs = {"ours": timed(our_ids, ours, prompts, n)}
        runs["peer"] = timed(their_ids, theirs, prompts, n)
        taken = in_turns(runs, turns)
        speed = {who: B * n / s for who, s in taken.items()}
        what = f"{name}, batch {B}, greedy (transformers)"
        print(row(what, speed["ours"], speed["peer"], "tokens/s", True), flush=True)
        if B == 1:
            alone = speed["ours"]
    print(row("  batch 8 beside batch 1, both ours", speed["ours"], alone, "tokens/s", True))

    if crowd:
        prompts = [rng.integers(0, config.vocab_size, 1 + i % 60).tolist() for i in range(crowd)]
        drawn = functools.partial(generate, ours, prompts, n, temperature=0.8)
        taken = in_turns({"ours": timed(lambda: list(drawn()))}, turns)["ours"]
        what = f"  {crowd} of unequal length, drawn, beside batch 1"
        print(row(what, crowd * n / taken, alone, "tokens/s", True), flush=True)

    T = min(512, config.n_positions)
    prompt = rng.integers(0, config.vocab_size, T).tolist()
    runs = {"ours": timed(lambda: Decoder(ours).read(0, prompt))}
    runs["peer"] = timed(their_prefill, theirs, torch.tensor([prompt]))
    taken = in_turns(runs, turns)
    what = f"{name}, prompt of {T} tokens (transformers)"
    print(row(what, 1e3 * taken["ours"], 1e3 * taken["peer"], "ms", False), flush=True)
    bench_memory(ours, clock, turns, alone)


def their_prefill(theirs, ids) -> None:
    with torch.inference_mode():
        theirs(ids, use_cache=True, logits_to_keep=1)


def bench_memory(ours, clock, turns: int, alone: float) -> None:
    """Print what reading all weights once would allow."""
    flat, threads = ours.params.flat, team()

    def read_all():
        # a scalar product does as little with each number as can be
        parts = slices(len(flat), threads.n)
        with one_blas_thread():
            threads.run(lambda part: np.vecdot(flat[part], flat[part]), parts)

    taken = in_turns({"read": functools.partial(seconds, clock, read_all)}, 2 * turns)["read"]
    print(row("  batch 1 beside reading the weights once", alone, 1 / taken, "tokens/s", True))
    print(f"  the weights came at {flat.nbytes / taken / 1e9:.1f} GB/s", flush=True)


if __name__ == "__main__":
    main()
