"""Parts of bench_gpu.py that train: steps beside PyTorch's at the same precision, and a whole run.

Same shapes, same first weights, same ids; forward, backward, clipping and AdamW. PyTorch runs with
autocast, fused attention and fused AdamW, eager and compiled. Ours computes with bfloat16 weights
beside float32 ones, autocast casts float32 weights: what each is meant for.
"""

import contextlib
import gc
import json
import math
import sys
import time
from dataclasses import replace

import numpy as np

from minigpt.backend import open_device
from minigpt.captured import make_trainer
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.presets import get_preset
from minigpt.sample import generate

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # bf16, NVIDIA's data sheets
TURNS, ALL_TURNS_S = 3, 3.0


class Batches:
    """The same random ids again and again."""

    def __init__(self, config, B):
        ids = np.random.default_rng(0).integers(0, config.vocab_size, (B, config.n_positions + 1))
        self.ids, self.targets = ids[:, :-1].copy(), ids[:, 1:].copy()

    def batch(self, index, size):
        return self.ids, self.targets


def our_steps(config, B, device, capture=True):
    """Return (start a step, wait for all; the loss of the last step, bytes held, a failure)."""
    model = GPT(config, device).initialise(1)
    train = TrainConfig(steps=10**6, batch_size=B, warmup_steps=0)
    trainer = make_trainer(model, AdamW(model.params, train), Batches(config, B), train, Workers(1))
    if not capture:
        trainer.backward.capture = trainer.update.capture = False
    number, last = iter(range(10**6)), []

    def wait():
        last[:] = trainer.finished()[-1:] or last
        return last[0][0]

    def bytes_held():
        pools = device.xp.get_default_memory_pool(), trainer.graphs.pool
        return sum(pool.total_bytes() for pool in pools)

    return lambda: trainer.start(next(number)), wait, bytes_held, lambda: trainer.graphs.failure


def torch_steps(config, B, precision, compiled, where="cuda"):
    """Return (start a step, wait for all; the loss of the last, bytes held, None) of PyTorch's."""
    import torch
    from torch_gpt import TorchGPT

    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    model = TorchGPT(config).load(GPT(config).initialise(1).params).to(where)
    optimizer = model.optimizer(TrainConfig(batch_size=B))
    forward = torch.compile(model) if compiled else model
    batch, is_gpu = Batches(config, B), where == "cuda"
    arrays = [torch.from_numpy(x) for x in (batch.ids, batch.targets)]
    arrays = [x.pin_memory() for x in arrays] if is_gpu else arrays
    last = []

    def cast():
        if precision != "bf16":
            return contextlib.nullcontext()
        return torch.autocast(where, dtype=torch.bfloat16)

    def start():
        ids, targets = (x.to(where, non_blocking=True) for x in arrays)
        optimizer.zero_grad(set_to_none=True)
        with cast():
            loss = forward(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last[:] = [loss.detach()]

    def wait():
        return last[0].item()

    def bytes_held():
        return torch.cuda.max_memory_allocated() if is_gpu else 0

    return start, wait, bytes_held, lambda: None


def measure(steps, tokens):
    """Return the figures of somebody's steps: tokens/s (median of turns), the first loss, bytes."""
    start, wait, bytes_held, failure = steps
    start()
    first = wait()
    for _ in range(4):
        start()
    wait()
    began = time.perf_counter()
    start()
    wait()
    n = max(2, min(1000, int(ALL_TURNS_S / TURNS / (time.perf_counter() - began))))
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        for _ in range(n):
            start()
        wait()
        taken.append((time.perf_counter() - began) / n)
    seconds = sorted(taken)[TURNS // 2]
    found = {
        "ms": 1e3 * seconds, "tokens_per_s": tokens / seconds, "first_loss": first,
        "GB": bytes_held() / 1e9, "steps": n * TURNS,
    }  # fmt: skip
    return found | ({"not captured": failure()} if failure() else {})


def race(label, config, B, precision, who, note, peak=None):
    """Measure each of `who`, {name: function that returns its steps}; print and note all."""
    tokens, rates = B * config.n_positions, {}
    for name, make in who.items():
        try:
            found = measure(make(), tokens)
            rates[name] = found["tokens_per_s"]
            found["mfu"] = rates[name] * config.flops_per_token() / peak if peak else None
            mfu = f", MFU {found['mfu']:.1%}" if peak else ""
            print(f"  {label} {precision} {name:18} {found['tokens_per_s']:12,.0f} tokens/s "
                  f"{found['ms']:8.2f} ms {found['GB']:6.1f} GB, first loss "
                  f"{found['first_loss']:.4f}{mfu}", flush=True)  # fmt: skip
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}".partition("\n")[0]}
            print(f"  {label} {precision} {name:18} {found['error']}", flush=True)
        note(**{f"{label} {precision} {name}": found})
        del make
        forget()
    for peer in ("PyTorch eager", "PyTorch compiled"):
        if "ours" in rates and peer in rates:
            times = rates["ours"] / rates[peer]
            note(**{f"{label} {precision} times {peer}": times})
            print(f"  {label} {precision}: {times:.2f} times {peer}", flush=True)


def forget():
    """Give back the memory of whoever ran last; a library nobody imported holds none."""
    gc.collect()
    cupy, torch = map(sys.modules.get, ("cupy", "torch"))
    if cupy is not None:
        with contextlib.suppress(RuntimeError, AttributeError):
            cupy.get_default_memory_pool().free_all_blocks()
    if torch is not None:
        with contextlib.suppress(RuntimeError):
            torch._dynamo.reset()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()


def contestants(config, B, precision, eager_too=False):
    """Return who runs: ours captured (and not), PyTorch eager and compiled."""

    def ours(capture):
        return our_steps(config, B, open_device("gpu", precision), capture)

    who = {"ours": lambda: ours(True)}
    if eager_too:
        who["ours, not captured"] = lambda: ours(False)
    who["PyTorch eager"] = lambda: torch_steps(config, B, precision, False)
    who["PyTorch compiled"] = lambda: torch_steps(config, B, precision, True)
    return who


def peak_of_device():
    """Return the FLOP/s in bf16 that NVIDIA promises for the GPU, None where not known here."""
    cuda = open_device("gpu").xp.cuda
    name = cuda.runtime.getDeviceProperties(cuda.Device().id)["name"].decode()
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)


def part_shakespeare(arguments, note):
    """Steps of shakespeare-gpu, with its dropout and without, in bf16 and TF32."""
    config, B = get_preset("shakespeare-gpu").model, 64
    if arguments.toy:
        config, B = ModelConfig(65, 32, 32, 2, 2), 2
    for label, dropout, precisions in (
        ("shakespeare-gpu", config.dropout, ("bf16",)),
        ("shakespeare-gpu without dropout", 0.0, ("bf16", "tf32")),
    ):
        settings = replace(config, dropout=dropout)
        for precision in precisions:
            who = contestants(settings, B, precision, eager_too=precision == "bf16")
            race(label, settings, B, precision, who, note)


def part_gpt2(arguments, note):
    """Steps of GPT-2 124M, B = 64, T = 1024, in bf16."""
    config, B = (ModelConfig(), 64)
    if arguments.toy:
        config, B = ModelConfig(300, 32, 64, 2, 2), 2
    race("GPT-2 124M", config, B, "bf16", contestants(config, B, "bf16"), note, peak_of_device())


# ---- generation ------------------------------------------------------------------------------


def part_generation(arguments, note):
    """Tokens a second of generation, and whether a GPU draws the ids that a CPU draws."""
    config, n = ModelConfig(257, 256, 384, 6, 6), 200
    if arguments.toy:
        config, n = ModelConfig(257, 32, 16, 2, 2), 20
    prompts = [[7, i] for i in range(8)]
    expected = list(generate(GPT(config).initialise(0), prompts, n, seed=5))
    for precision in ("fp32", "bf16"):
        try:
            model = GPT(config, open_device("gpu", precision)).initialise(0)
            list(generate(model, prompts, 4, seed=5))  # warm
            began = time.perf_counter()
            got = list(generate(model, prompts, n, seed=5))
            rate = n * len(prompts) / (time.perf_counter() - began)
            alike = sum(a == b for a, b in zip(got, expected, strict=True)) / n
            found = {"tokens_per_s": rate, "steps_alike": alike}
            print(f"  {precision} {rate:,.0f} tokens/s of 8 rows, {alike:.0%} of the steps as on "
                  f"the CPU", flush=True)  # fmt: skip
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}".partition("\n")[0]}
            print(f"  {precision} {found['error']}", flush=True)
        note(**{precision: found})


# ---- a whole run -----------------------------------------------------------------------------


def part_tinyshakespeare(arguments, note):
    """Train shakespeare-gpu on a text; the best validation loss, nanoGPT's being 1.47."""
    import tempfile
    from pathlib import Path

    from minigpt.__main__ import main

    if not arguments.text:
        raise ValueError("no text to train on; give tinyshakespeare with --text (make: TEXT=...)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        tokenizer, tokens = str(out / "tokenizer.json"), str(out / "tokens")
        n_vocab = str(get_preset("shakespeare-gpu").model.vocab_size)
        run_bpe([arguments.text, "--vocab-size", n_vocab, "-o", tokenizer])
        assert main(["tokenize", arguments.text, "--tokenizer", tokenizer, "-o", tokens]) == 0
        flags = ["--preset", "shakespeare-gpu", "--tokens", tokens, "--tokenizer", tokenizer]
        flags += ["--device", "gpu", "-o", str(out / "base"), "--sample-every", "0"]
        flags += ["--steps", "4", "--eval-every", "2"] if arguments.toy else []
        began = time.monotonic()
        assert main(["pretrain", *flags]) == 0
        report = json.loads((out / "base/training.json").read_text())
    seconds = time.monotonic() - began
    best = report["best_val_loss"]
    note(best_val_loss=best, val_loss=report["val_loss"], steps=report["steps"],
         run_seconds=seconds, tokens_per_s=report["tokens_per_s"])  # fmt: skip
    verdict = "at most" if best <= 1.47 and math.isfinite(best) else "NOT at most"
    print(f"  best validation loss {best:.3f} nats, {verdict} 1.47; {report['steps']:,} steps in "
          f"{seconds:.0f} s")  # fmt: skip


def run_bpe(flags):
    """Train a tokenizer as `python -m bpe train` does."""
    from bpe.__main__ import main

    assert main(["train", *flags]) == 0
