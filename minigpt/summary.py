"""The end of `make train`: where things are, what they cost, what the model writes.

Every stage leaves a small JSON report beside its output, with at least "stage" and "seconds";
this reads the ones it finds and prints a table. It computes nothing but the samples.
"""

import json
import math
import os
import shlex
import sys
from pathlib import Path

import numpy as np

from bpe.mistakes import reason
from minigpt.amounts import count, format_seconds
from minigpt.checkpoint import load
from minigpt.curves import loss_line
from minigpt.dataset import load_tokens
from minigpt.playground_suggestions import suggestions
from minigpt.resume import BEST, REPORT
from minigpt.sample import generate, stream_text
from minigpt.under_way import outdated, under_way
from minigpt.window_fit import too_narrow

REPORTS = (
    "crawl.json",
    "clean.json",
    "tokenizer/training.json",
    "tokens/tokens.json",
    "base/training.json",
    "conversations/conversations.json",
    "chat/training.json",
    "chat/evaluation.json",
    "evaluation.json",
)
NO_FACTS = (
    "no facts were found to teach: an assistant will know nothing of the text; `sample` goes on "
    "with it"
)


def describe(report):
    """Return one line of what a stage made, from its report."""
    r = report
    if r["stage"] == "crawl":
        return f"{count(r['pages'], 'page')}, {r['bytes'] / 1e6:.1f} MB"
    if r["stage"] == "clean":
        return f"{count(r['documents'], 'document')}, {r['characters'] / 1e6:.2f} M characters"
    if r["stage"] == "tokenizer":
        return f"{r['vocab_size']:,} symbols, {r['bytes_per_token']:.2f} bytes a token"
    if r["stage"] == "tokens":
        return f"{r['train']['tokens']:,} tokens to train on, {r['val']['tokens']:,} held out"
    if r["stage"] == "conversations":
        return f"{count(r['train'], 'conversation')} about {count(r['facts'], 'fact')}"
    if r["stage"] == "evaluate":
        return f"{count(len(r['sections']), 'examination')}, {r['tokens']:,} tokens"
    if r["stage"] == "evaluate chat":
        return describe_examination(r)
    return (
        f"{r['parameters'] / 1e6:.2f} M parameters, {r['tokens'] / 1e6:.2f} M tokens "
        f"({r['epochs']:.1f} epochs), {r['tokens_per_s']:,.0f} tokens/s"
    )


def describe_examination(r):
    """Return one line of what an assistant knows."""
    if not r["questions"]:
        return "nothing to ask for"
    parts = (("exact", "of facts right"), ("invented_declined", "of invented names declined"),
             ("small_talk_exact", "of small talk right"), ("loops", "loops"))  # fmt: skip
    found = [(r.get(key), name) for key, name in parts]
    return ", ".join(f"{100 * share:.0f} % {name}" for share, name in found if share is not None)


def read(path):
    """Return (report, one line of what it made); raise ValueError for a damaged report."""
    try:
        report = json.loads(path.read_text("utf-8"))
        float(report["seconds"])
        return report, describe(report)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a whole report ({reason(error)}); run its stage again"
        ) from None


def prompts(out, separator, n_tokens=16):
    """Return three (title, ids) to continue: a new document, and pieces of held-out text."""
    val = load_tokens(out / "tokens" / "val.npy")
    starts = np.flatnonzero(val == separator)
    first = starts[0] if len(starts) else -1
    last = starts[-1] if len(starts) > 1 else len(val) // 2
    beginnings = [[separator, *val[i + 1 : i + n_tokens].tolist()] for i in (first, last)]
    title = "held-out text, and | how the model goes on"
    return [("a new document", [separator]), *((title, ids) for ids in beginnings)]


def run(out, device="cpu", without=()):
    """Print the summary of the folder `out`, stages in `without` left out.

    Raises ValueError where there is nothing to tell.
    """
    out = Path(out)
    reports = {name: read(out / name) for name in REPORTS if (out / name).exists()}
    reports = {name: found for name, found in reports.items() if found[0]["stage"] not in without}
    unfinished = under_way(out)
    old = [reports.pop(name)[0]["stage"] for name in outdated(out, reports)]
    if not (reports or unfinished or old):
        what = "no stage has left a report in" if out.is_dir() else "there is no folder"
        raise ValueError(f"{what} {str(out)!r}; `make train OUT={out}` fills it")
    if reports:
        print_table(out, reports)
    if unfinished:
        print("\nnot finished:", *unfinished, sep="\n  ")
    if old:
        print(f"\nof earlier settings, and made anew by `make train`: {', '.join(old)}")
    if "base/training.json" in reports:
        print_model(out, {name: report for name, (report, _) in reports.items()}, device)


def print_table(out, reports):
    """Print what each stage took and made, {file: (report, line)}."""
    print(f"\n{'stage':13} {'time':>12} {'FLOPs':>9}   what it made")
    for r, made in reports.values():
        flops = f"{r['flops']:.1e}" if "flops" in r else ""
        time = format_seconds(r["seconds"])
        print(f"{r['stage']:13} {time:>12} {flops:>9}   {made}")
    total = sum(r["seconds"] for r, _ in reports.values())
    print(f"{'total':13} {format_seconds(total):>12}")
    print(f"a report of each in {out}: {', '.join(reports)}")


def print_model(out, reports, device):
    """Print how good the base model is, from {file: report}, let it write, and say what is next."""
    model, tokenizer = load(out / "base", device)
    print_loss(out, reports["base/training.json"], model.config.vocab_size)
    for seed, (title, prompt) in enumerate(prompts(out, tokenizer.eot_token), 1):
        ids = generate(model, prompt, 120, 0.8, top_p=0.95, stop=prompt[:1], seed=seed)
        print(f"\n--- sample {seed}: {title} ---")
        print("".join(stream_text(tokenizer, prompt[1:])), end="|")
        print("".join(stream_text(tokenizer, ids)))
    print_answers(out / "chat/evaluation.json")
    if "conversations/conversations.json" in reports:
        print_what_is_not_taught(out, reports["conversations/conversations.json"])
    print_what_is_next(out)


def print_loss(out, base, vocab_size):
    """Print the validation loss of the base model, how it came about, and where it rose again."""
    curve = loss_line(out / "base") or f"{base['val_loss']:.3f}"  # the record may be lost
    print(
        f"\nvalidation loss {curve} nats/token = "
        f"{base['bits_per_byte']:.3f} bits/byte (lower is better; guessing evenly: "
        f"{math.log(vocab_size):.2f} nats)"
    )
    if (out / "evaluation.json").exists():
        print("(the report's loss is of documents, where a token has more text before it)")
    if base["best_val_loss"] < base["val_loss"] - 0.1:
        kept = f" (kept in {out / 'base' / BEST})" if base.get("best_is_kept") else ""
        print(
            f"it was {base['best_val_loss']:.3f}{kept} before it rose again: so little text is "
            f"learnt by heart; train on more, or for fewer steps"
        )


def print_answers(path):
    """Print a question that the assistant answered and one that it declined, of its report."""
    if not path.exists():
        return
    examples = read(path)[0].get("examples", [])
    shown = (("1: a fact", "known", "right"), ("2: an invented name", "invented", "declined"))
    for title, *wanted in shown:
        first = next((x for x in examples if [x["asks"], x["verdict"]] == wanted), None)
        if first:
            print(f"\n--- answer {title} ---\n{first['asked'][-1]}\n{first['said']}")


def print_what_is_not_taught(out, conversations):
    """Print why there is no assistant, or that it knows nothing of the text, if that is so."""
    if not (out / "chat").is_dir() and (why := too_narrow(out / "base", out / "conversations")):
        print(f"\n{why}")
    elif knows_nothing(conversations):
        print(f"\n{NO_FACTS}")


def knows_nothing(conversations):
    """Tell by their report whether conversations say nothing of the text: a user's own ones may."""
    return not (conversations["facts"] or conversations.get("own"))


def print_what_is_next(out):
    """Print where the models are, and the commands that use them."""
    folders = [out / name for name in ("base", "chat") if (out / name / REPORT).exists()]
    make = "make chat" if str(out) == "out" else f"make chat OUT={out}"
    kind = "Hugging Face GPT-2 folders" if len(folders) > 1 else "A Hugging Face GPT-2 folder"
    print(f"\n{kind}: {' and '.join(map(str, folders))}, the model after the last step, which "
          f"`{make}` uses.")  # fmt: skip
    if kept := [str(folder / BEST) for folder in folders if (folder / BEST).exists()]:
        print(f"{' and '.join(kept)}: the one of the lowest validation loss, often the same.")
    print("Next:")
    python = os.path.relpath(sys.executable) if sys.prefix.startswith(os.getcwd()) else "python"
    prompt = suggestions(out).get("beginning", "Return the")
    print(f"  {python} -m minigpt sample {out / 'base'} --prompt {shlex.quote(prompt)}")
    if len(folders) > 1:
        print(f"  {python} -m minigpt chat {out / 'chat'}")
        print(f"  {make}: talk to it in the browser, and look into it")
    else:
        print(f"  {make}: let it write in the browser, and look into it")
    if (out / "report.html").exists():
        print(f"  open {out / 'report.html'} in a browser: what it knows, copies and invents")
