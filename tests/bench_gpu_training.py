"""Parts of bench_gpu.py that train: steps beside PyTorch's at the same precision, and a whole run.

Same shapes, same first weights, same ids; forward, backward, clipping and AdamW. PyTorch runs with
autocast, fused attention and fused AdamW, eager and compiled. Ours computes with bfloat16 weights
beside float32 ones, autocast casts float32 weights: what each is meant for. In TF32 PyTorch has
fused attention, and ours holds the scores.

A large vocabulary is padded for PyTorch to a multiple of 64, as nanoGPT does: its products of
50,257 columns are slow. Ours pads by itself. The symbols that never come add a thousandth to
PyTorch's first loss.
"""

import contextlib
import gc
import json
import math
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench_gpu_common import PEAK_FLOPS, cause, peak
from bench_train import Batches

from minigpt.backend import open_device
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.presets import get_preset
from minigpt.sample import generate
from minigpt.trainers import make_trainer

TURNS, ALL_TURNS_S = 3, 2.0
LARGE_VOCABULARY, PADDED_TO = 10_000, 64
TOY_RUN = """--steps 4 --eval-every 2 --eval-windows 2 --batch-size 2 --n-layer 1 --n-embd 16
    --n-head 2 --n-positions 16"""


def our_steps(config, B, device, capture=True, cluster=None):
    """Return (start a step, wait for all; the loss of the last step, why it is not captured)."""
    model = GPT(config, device).initialise(1)
    train = TrainConfig(steps=10**6, batch_size=B, warmup_steps=0)
    parts = model, AdamW(model.params, train), Batches(config, B), train, Workers(1)
    trainer = make_trainer(*parts, cluster)
    if not capture:
        trainer.backward.capture = trainer.update.capture = False
    number, last = iter(range(10**6)), []

    def wait():
        last[:] = trainer.finished()[-1:] or last
        return last[0][0]

    return lambda: trainer.start(next(number)), wait, lambda: trainer.graphs.failure


def torch_steps(config, B, precision, compiled, where="cuda"):
    """Return (start a step, wait for all; the loss of the last, None) of PyTorch's."""
    import torch
    from torch_gpt import TorchGPT

    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    model = TorchGPT(padded(config)).load(GPT(config).initialise(1).params).to(where)
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

    return start, lambda: last[0].item(), lambda: None


def padded(config):
    """Return the ModelConfig with as many symbols as PyTorch likes, if they are many."""
    V = config.vocab_size
    more = math.ceil(V / PADDED_TO) * PADDED_TO if V >= LARGE_VOCABULARY else V
    return replace(config, vocab_size=more)


def measure(make, tokens):
    """Return the figures of the steps that `make` gives, in the same way whoever's they are.

    GB is what the GPU's driver has given away meanwhile: neither side returns memory to it while
    it runs, so that is the most that was held, what is kept for reuse in it. What a library takes
    when it is first used counts for whoever does that.
    """
    forget()
    before = free_bytes()  # asked here, for `make` may choose TF32 for the whole process
    start, wait, failure = make()
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
        "last_loss": wait(), "GB": (before - free_bytes()) / 1e9, "steps": n * TURNS,
    }  # fmt: skip
    return found | ({"not_captured": failure()} if failure() else {})


def race(label, config, B, precision, who, note, peak_flops=None):
    """Measure each of `who`, {name: function that returns its steps}; print and note all."""
    tokens, rates = B * config.n_positions, {}
    for name, make in who.items():
        try:
            found = measure(make, tokens)
            rates[name] = found["tokens_per_s"]
            share = rates[name] * config.flops_per_token() / peak_flops if peak_flops else None
            found["mfu"] = share
            said = f"{found['tokens_per_s']:12,.0f} tokens/s {found['ms']:8.2f} ms "
            said += f"{found['GB']:6.1f} GB, loss {found['first_loss']:.4f} then "
            said += f"{found['last_loss']:.4f}" + (f", MFU {share:.1%}" if share else "")
            if "not_captured" in found:
                said += f"; NOT captured: {found['not_captured']}"
        except Exception as error:
            said = cause(error)
            found = {"error": said}
        print(f"  {label} {precision} {name:18} {said}", flush=True)
        note(**{f"{label} {precision} {name}": found})
        if "ours" in rates and name in rates and "PyTorch" in name:
            times = rates["ours"] / rates[name]
            note(**{f"{label} {precision} times {name}": times})
            print(f"  {label} {precision}: {times:.2f} times {name}", flush=True)
    forget()


def free_bytes():
    """Return the bytes of the GPU's memory that its driver has not given away."""
    return open_device("gpu").xp.cuda.runtime.memGetInfo()[0]


def forget():
    """Give back the memory of whoever ran last."""
    gc.collect()
    with contextlib.suppress(RuntimeError):
        if "cupy" in sys.modules:
            sys.modules["cupy"].get_default_memory_pool().free_all_blocks()
        if "torch._dynamo" in sys.modules:
            sys.modules["torch._dynamo"].reset()
        if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
            gc.collect()
            sys.modules["torch"].cuda.empty_cache()


def contestants(config, B, precision):
    """Return who may run: ours captured and not, PyTorch eager and compiled."""

    def ours(capture):
        return our_steps(config, B, open_device("gpu", precision), capture)

    return {
        "ours": lambda: ours(True),
        "PyTorch eager": lambda: torch_steps(config, B, precision, False),
        "ours, not captured": lambda: ours(False),
        "PyTorch compiled": lambda: torch_steps(config, B, precision, True),
    }


def shakespeare(toy):
    """Return the ModelConfig of shakespeare-gpu, and its batch size."""
    if toy:
        return ModelConfig(65, 16, 32, 1, 2, 0.2), 2
    return get_preset("shakespeare-gpu").model, 64


def gpt2(toy):
    """Return the ModelConfig of GPT-2 124M, and a batch size."""
    return (ModelConfig(300, 16, 64, 1, 1), 1) if toy else (ModelConfig(), 64)


def part_shakespeare(arguments, note):
    """Steps of shakespeare-gpu, with its dropout and without, in bf16 and TF32."""
    config, B = shakespeare(arguments.toy)
    plain = replace(config, dropout=0.0)
    for label, settings, precision, only in (
        ("shakespeare-gpu", config, "bf16", ("ours", "PyTorch eager", "ours, not captured")),
        ("shakespeare-gpu without dropout", plain, "bf16", ("ours", "PyTorch eager")),
        ("shakespeare-gpu without dropout", plain, "tf32", ("ours", "PyTorch eager")),
    ):
        who = contestants(settings, B, precision)
        race(label, settings, B, precision, {name: who[name] for name in only}, note)


def part_gpt2(arguments, note):
    """Steps of GPT-2 124M, B = 64, T = 1024, in bf16."""
    config, B = gpt2(arguments.toy)
    who = contestants(config, B, "bf16")
    del who["PyTorch compiled"]
    most = peak(open_device("gpu"), PEAK_FLOPS)
    race("GPT-2 124M", config, B, "bf16", who, note, most)


def part_compiled(arguments, note):
    """The same beside PyTorch compiled, which takes minutes before the first step."""
    config, B = shakespeare(arguments.toy)
    for label, settings, size in (
        ("GPT-2 124M", *gpt2(arguments.toy)),
        ("shakespeare-gpu", config, B),
        ("shakespeare-gpu without dropout", replace(config, dropout=0.0), B),
    ):
        who = contestants(settings, size, "bf16")
        only = {name: who[name] for name in ("ours", "PyTorch compiled")}
        race(label, settings, size, "bf16", only, note)


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
            found = {"error": cause(error)}
            print(f"  {precision} {found['error']}", flush=True)
        note(**{precision: found})


# ---- a whole run -----------------------------------------------------------------------------


def part_tinyshakespeare(arguments, note):
    """Train shakespeare-gpu on a text; the best validation loss, nanoGPT's being 1.47."""
    from minigpt.__main__ import main

    if not arguments.text:
        raise ValueError("no text to train on; give tinyshakespeare with --text (make: TEXT=...)")
    out = Path(arguments.found).with_suffix("")  # kept: what a run that is ended had reached
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tokenizer, tokens = str(out / "tokenizer.json"), str(out / "tokens")
    n_vocab = str(get_preset("shakespeare-gpu").model.vocab_size)
    run_bpe([arguments.text, "--vocab-size", n_vocab, "-o", tokenizer])
    finish(main(["tokenize", arguments.text, "--tokenizer", tokenizer, "-o", tokens]), "tokenize")
    flags = ["--preset", "shakespeare-gpu", "--tokens", tokens, "--tokenizer", tokenizer]
    flags += ["--device", "gpu", "-o", str(out / "base"), "--sample-every", "0"]
    flags += TOY_RUN.split() if arguments.toy else []
    began = time.monotonic()
    finish(main(["pretrain", *flags]), "pretrain")
    report = json.loads((out / "base/training.json").read_text())
    seconds = time.monotonic() - began
    best = report["best_val_loss"]
    note(best_val_loss=best, val_loss=report["val_loss"], steps=report["steps"],
         run_seconds=seconds, tokens_per_s=report["tokens_per_s"])  # fmt: skip
    verdict = "at most" if best <= 1.47 and math.isfinite(best) else "NOT at most"
    print(f"  best validation loss {best:.3f} nats, {verdict} 1.47; {report['steps']:,} steps in "
          f"{seconds:.0f} s", flush=True)  # fmt: skip


def run_bpe(flags):
    """Train a tokenizer as `python -m bpe train` does."""
    from bpe.__main__ import main

    finish(main(["train", *flags]), "bpe train")


def finish(status, command):
    """Raise RuntimeError unless a command has ended well; it has said why."""
    if status:
        raise RuntimeError(f"{command} ended with status {status}")
