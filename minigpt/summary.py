"""The end of `make train`: where things are, what they cost, what the model writes.

Every stage leaves a small JSON report beside its output, with at least "stage" and "seconds";
this reads the ones it finds and prints a table. It computes nothing but the samples.
"""

import json
from pathlib import Path

from minigpt.checkpoint import load
from minigpt.sample import generate

REPORTS = (
    "crawl.json",
    "clean.json",
    "tokenizer/training.json",
    "tokens/tokens.json",
    "base/training.json",
)


def describe(report):
    """Return one line of what a stage made, from its report."""
    r = report
    if r["stage"] == "crawl":
        return f"{r['pages']:,} pages, {r['bytes'] / 1e6:.1f} MB"
    if r["stage"] == "clean":
        return f"{r['documents']:,} documents, {r['characters'] / 1e6:.2f} M characters"
    if r["stage"] == "tokenizer":
        return f"{r['vocab_size']:,} symbols, {r['bytes_per_token']:.2f} bytes a token"
    if r["stage"] == "tokens":
        return f"{r['train']['tokens']:,} tokens to train on, {r['val']['tokens']:,} held out"
    return (
        f"{r['parameters'] / 1e6:.2f} M parameters, {r['tokens'] / 1e6:.2f} M tokens "
        f"({r['epochs']:.1f} epochs), {r['tokens_per_s']:,.0f} tokens/s"
    )


def format_seconds(seconds):
    """Return seconds as a person reads them."""
    return (
        f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:02.0f} s"
    )


def run(out, device="cpu"):
    """Print the summary of the folder `out`."""
    out = Path(out)
    found = {name: out / name for name in REPORTS if (out / name).exists()}
    reports = {name: json.loads(path.read_text("utf-8")) for name, path in found.items()}
    print(f"\n{'stage':12} {'time':>12} {'FLOPs':>9}   what it made")
    for name, r in reports.items():
        flops = f"{r['flops']:.1e}" if "flops" in r else ""
        time = format_seconds(r["seconds"])
        print(f"{r['stage']:12} {time:>12} {flops:>9}   {describe(r)}  -> {out / name}")
    total = sum(r["seconds"] for r in reports.values())
    print(f"{'total':12} {format_seconds(total):>12}")
    base = reports.get("base/training.json")
    if base is None:
        return
    print(
        f"\nvalidation loss {base['val_loss']:.3f} nats/token = "
        f"{base['bits_per_byte']:.3f} bits/byte"
    )
    model, tokenizer = load(out / "base", device)
    start = tokenizer.eot_token
    for seed in range(3):
        ids = generate(model, [start], 120, 0.8, top_p=0.95, stop=(start,), seed=seed)
        print(f"\n--- sample {seed + 1}, from a document's beginning ---")
        print(tokenizer.decode(list(ids)))
    print(f"\nthe model is in {out / 'base'}, a Hugging Face GPT-2 folder. Next:")
    print(f'  .venv/bin/python -m minigpt sample {out / "base"} --prompt "Return the"')
    print("  .venv/bin/python -m minigpt gradcheck")
