"""What a model's folder holds, told to a newcomer: shape, parameters, memory, costs, files.

Reads config.json, the tokenizer, the headers of the weights and training.json; the weights
themselves are not read, so it answers at once for any size. `load` makes the same checks.

Sources: Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1 (2 operations
for each weight forward); Chowdhery et al. 2022, "PaLM", appendix B (attention, training).
"""

import json
import math
from pathlib import Path

from bpe.mistakes import reason
from minigpt.amounts import format_bytes
from minigpt.checkpoint import load_tokenizer, read_config
from minigpt.model import param_shapes
from minigpt.resume import METRICS, REPORT
from minigpt.under_way import run_line
from minigpt.weights import INDEX, MODEL, find

FLOAT_BYTES = 4  # what the model computes with


def parts(config):
    """Return [(part, number of parameters, what it does)]."""
    shapes = param_shapes(config)

    def count(*words):
        return sum(math.prod(s) for name, s in shapes.items() if any(w in name for w in words))

    return [
        ("token embedding", count("wte"), "a vector for each symbol; also scores the next one"),
        ("position embedding", count("wpe"), "a vector for each place in the window"),
        ("attention", count(".attn."), "positions exchange what they know"),
        ("feed-forward", count(".mlp."), "every position thinks for itself"),
        ("layer normalisation", count("ln_"), "keeps numbers in a good range"),
    ]


def generation_flops(config, n_seen):
    """Return the operations for one more token after `n_seen`: 2 a weight, 4 L C a position."""
    c = config
    multiplying = 12 * c.n_layer * c.n_embd**2 + c.vocab_size * c.n_embd
    return 2 * multiplying + 4 * c.n_layer * c.n_embd * n_seen


def cache_bytes(config):
    """Return the memory that one token's keys and values take."""
    return 2 * config.n_layer * config.n_embd * FLOAT_BYTES


def shape_lines(config):
    c = config
    return [
        f"layers      {c.n_layer:>9,}   transformer blocks, one after the other",
        f"channels    {c.n_embd:>9,}   numbers that stand for a token inside",
        f"heads       {c.n_head:>9,}   of {c.n_embd // c.n_head} channels each",
        f"window      {c.n_positions:>9,}   tokens it sees at a time",
        f"vocabulary  {c.vocab_size:>9,}   symbols",
    ]


def parameter_lines(config):
    total = config.n_params()
    lines = [f"{name:20} {n:>15,} {n / total:>7.1%}   {what}" for name, n, what in parts(config)]
    return [*lines, f"{'total':20} {total:>15,}"]


def cost_lines(config):
    n, T = config.n_params() * FLOAT_BYTES, config.n_positions
    return [
        f"weights in memory         {format_bytes(n):>9}   4 bytes each",
        f"cache of a full window    {format_bytes(cache_bytes(config) * T):>9}   "
        f"keys and values, {format_bytes(cache_bytes(config))} a token and text",
        f"training, beside batches  {format_bytes(4 * n):>9}   weights, gradients, two moments",
        f"operations for a token    {generation_flops(config, T):>9.1e}   generating, window full",
        f"                          {config.flops_per_token():>9.1e}   training on it",
    ]


def tokenizer_lines(tokenizer):
    special = ", ".join(f"{text} = {id}" for text, id in tokenizer.special_tokens.items())
    return [
        f"{tokenizer.n_vocab:,} symbols: {len(tokenizer.tokens):,} pieces of text, "
        f"{len(tokenizer.merges):,} merges",
        f"special: {special or 'none'}",
    ]


def training_lines(path):
    """Tell what training.json says, or how far a run is that has not written it yet."""
    if not path.exists() and (path.parent / METRICS).exists():
        return [f"not finished: {run_line(path.parent)}"]
    if not path.exists():
        return [f"no {REPORT} here: its makers may say elsewhere"]
    try:
        r = json.loads(path.read_text("utf-8"))
        return [
            f"{r['tokens']:,} tokens in {r['steps']:,} steps, {r['epochs']:.1f} times its text",
            f"validation loss {r['val_loss']:.3f} nats/token = {r['bits_per_byte']:.3f} bits/byte",
            f"{r['flops']:.1e} operations in {r['seconds']:,.0f} seconds",
        ]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not a whole report ({reason(error)}); delete it") from None


def file_lines(folder):
    files = sorted(path for path in folder.iterdir() if path.is_file())
    sizes = [path.stat().st_size for path in files]
    lines = [f"{path.name:34} {format_bytes(n):>9}" for path, n in zip(files, sizes, strict=True)]
    return [*lines, f"{'total':34} {format_bytes(sum(sizes)):>9}"]


def describe(folder):
    """Return the lines about a model's folder; raise ValueError where it cannot be loaded."""
    folder = Path(folder)
    config = read_config(folder / "config.json")
    tokenizer = load_tokenizer(folder, config)
    types = sorted({tensor.dtype for tensor in find(folder, config).values()})
    stored = f"stored as {', '.join(types)} in {MODEL if (folder / MODEL).exists() else INDEX}"
    sections = {
        f"{folder}: a GPT-2 of {config.n_params() / 1e6:,.2f} M parameters": [stored],
        "shape": shape_lines(config),
        "parameters": parameter_lines(config),
        "what it costs": cost_lines(config),
        "tokenizer": tokenizer_lines(tokenizer),
        "training": training_lines(folder / REPORT),
        "files": file_lines(folder),
    }
    lines = []
    for title, body in sections.items():
        lines += ["", title, *(f"  {line}" for line in body)]
    return lines[1:]
