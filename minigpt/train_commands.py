"""The commands that make a model: presets, check, tokenize, pretrain, gradcheck.

`add_commands` gives them their flags; the function of a command's name runs it and returns the exit
status. Imports that take a while are inside of these functions, so that `--help` answers at once.
"""

import shlex
from dataclasses import replace
from pathlib import Path

from minigpt.config import (
    PRESETS,
    ModelConfig,
    TrainConfig,
    add_flags,
    add_paths,
    get_preset,
    require,
    with_flags,
)


def add_commands(command):
    """Add the commands; `command` makes the parser of one."""
    p = command(
        "presets", presets, "list the presets, or print one field of one",
        "presets tiny vocab_size",
    )  # fmt: skip
    p.add_argument("preset", nargs="?", help="its name")
    p.add_argument(
        "field", nargs="?", choices=("pages", "vocab_size", "facts"), help="print this alone"
    )

    p = command(
        "check", check, "say at once whether settings can work", "check --preset tiny --device gpu"
    )
    p.add_argument("--preset", default="tiny", help="(%(default)s)")
    p.add_argument("--vocab-size", help="number of symbols")
    p.add_argument("--pages", help="number of pages")
    p.add_argument("--train", default="", help="flags for pretrain, in one argument: --train=...")
    p.add_argument("--sft", default="", help="flags for sft, in one argument")
    add_paths(p, "--device")

    p = command(
        "tokenize", tokenize, "turn documents into ids on disk, some of them held out",
        "tokenize out/documents.jsonl.gz",
    )  # fmt: skip
    p.add_argument("files", nargs="+", metavar="FILE", help=".txt, .jsonl, or either with .gz")
    add_paths(p, "--tokenizer")
    p.add_argument("-o", "--out", default="out/tokens", help="folder to write (%(default)s)")

    p = command(
        "pretrain", pretrain, "train a model on tokens; a run that was stopped is continued",
        "pretrain --preset tiny --steps 5000",
    )  # fmt: skip
    add_paths(p, "--tokens", "--tokenizer", "--device")
    p.add_argument("-o", "--out", default="out/base", help="folder to write (%(default)s)")
    p.add_argument("--preset", default="tiny", help=f"one of {', '.join(PRESETS)} (%(default)s)")
    p.add_argument("--fresh", action="store_true", help="start anew even if a run can be continued")
    add_flags(
        p.add_argument_group("the model (default: the preset's)"), ModelConfig, {"vocab_size"}
    )
    add_flags(p.add_argument_group("the training (default: the preset's)"), TrainConfig)

    p = command(
        "gradcheck", gradcheck, "compare the backward pass with measured slopes", "gradcheck"
    )
    add_paths(p, "--device")


def presets(args):
    if args.preset is None:
        for name, p in PRESETS.items():
            print(f"{name:8} {p.about}\n{'':8} {p.model}\n{'':8} {p.train}")
        return 0
    preset = get_preset(args.preset)
    fields = {
        "pages": preset.pages,
        "vocab_size": preset.model.vocab_size,
        "facts": preset.facts,
    }
    print(fields.get(args.field, preset))
    return 0


def check(args):
    get_preset(args.preset)
    least = 257  # every byte and <|endoftext|>
    for name, value, at_least in (("VOCAB", args.vocab_size, least), ("PAGES", args.pages, 1)):
        if value is not None:
            is_number = value.strip().isdecimal()
            require(is_number and int(value) >= at_least, name, value, f"be at least {at_least}")
    for name, flags, command in (("TRAIN", args.train, "pretrain"), ("SFT", args.sft, "sft")):
        check_flags(name, flags, command)
    if args.device != "cpu":
        from minigpt.backend import open_device

        open_device(args.device)
    return 0


def check_flags(name, flags, command):
    """Raise ValueError, or exit with status 2, if `command` does not know these flags."""
    from minigpt.__main__ import build_parser

    _, unknown = build_parser().parse_known_args([command, *shlex.split(flags)])
    require(not unknown, name, flags, f"be flags that `python -m minigpt {command} --help` lists")


def tokenize(args):
    from tqdm import tqdm

    from bpe import Tokenizer
    from minigpt import dataset

    def progress(texts):
        return tqdm(texts, "tokenizing", unit=" documents", disable=None)

    tokenizer = Tokenizer.load(args.tokenizer)
    report = dataset.tokenize(args.files, tokenizer, args.out, progress)
    for part in ("train", "val"):
        r = report[part]
        print(
            f"{part + ':':6} {r['documents']:,} documents, {r['bytes']:,} bytes, "
            f"{r['tokens']:,} tokens -> {Path(args.out) / part}.npy"
        )
    return 0


def pretrain(args):
    from tqdm import tqdm

    from bpe import Tokenizer
    from minigpt.pretrain import pretrain

    preset = get_preset(args.preset)
    model_config = with_flags(preset.model, args)
    train_config = with_flags(preset.train, args)
    tokenizer = Tokenizer.load(args.tokenizer)
    model_config = replace(model_config, vocab_size=tokenizer.n_vocab)
    print(
        f"{model_config.n_params() / 1e6:.2f} M parameters, {train_config.steps} steps of "
        f"{train_config.batch_size * train_config.accumulate} windows of "
        f"{model_config.n_positions} tokens"
    )
    report = pretrain(
        args.tokens, args.tokenizer, args.out, model_config, train_config,
        args.device, args.fresh, tqdm.write,
    )  # fmt: skip
    return 130 if report is None else 0


def gradcheck(args):
    from minigpt import gradcheck

    return 0 if gradcheck.run(args.device) else 1
