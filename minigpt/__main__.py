"""The command line: `python -m minigpt COMMAND`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from minigpt import chat_commands
from minigpt.config import (
    PRESETS,
    ModelConfig,
    TrainConfig,
    add_flags,
    get_preset,
    require,
    with_flags,
)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def build_parser():
    """Return the parser of all commands."""
    parser = Parser(
        prog="python -m minigpt", description="Train a GPT-2 by hand, and let it write."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, function, help, example):
        p = commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".",
            epilog=f"example: python -m minigpt {example}",
        )  # fmt: skip
        p.set_defaults(function=function)
        return p

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
    p.add_argument("--vocab-size", type=int, help="number of symbols")
    p.add_argument("--pages", type=int, help="number of pages")
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
        "sample", sample, "let a model continue a text",
        'sample out/base --prompt "Return the" --seed 1',
    )  # fmt: skip
    p.add_argument("model", help="a model's folder")
    p.add_argument("--prompt", default="", help="what to continue; default: a new document")
    p.add_argument("--max-new-tokens", type=int, default=200, help="(%(default)s)")
    p.add_argument("--temperature", type=float, default=0.8, help="0: the likeliest (%(default)s)")
    p.add_argument("--top-k", type=int, help="draw from the k likeliest symbols only")
    p.add_argument("--top-p", type=float, help="draw from the likeliest that hold this probability")
    p.add_argument("--seed", type=int, help="the same seed, the same text")
    add_paths(p, "--device")

    chat_commands.add_commands(command, add_paths)

    p = command(
        "gradcheck", gradcheck, "compare the backward pass with measured slopes", "gradcheck"
    )
    add_paths(p, "--device")

    p = command(
        "summary", summary, "print what a run made, what it cost and three samples", "summary out"
    )
    p.add_argument("out", nargs="?", default="out", help="the folder of all stages (%(default)s)")
    p.add_argument(
        "--without", nargs="+", default=[], metavar="STAGE", help="stages that were not of this run"
    )
    add_paths(p, "--device")
    return parser


def add_paths(parser, *flags):
    """Add the flags that several commands share."""
    flags_help = {
        "--tokens": ("out/tokens", "folder written by `tokenize` (%(default)s)"),
        "--tokenizer": ("out/tokenizer/tokenizer.json", "the tokenizer (%(default)s)"),
        "--device": ("cpu", "cpu or gpu (%(default)s)"),
    }
    for flag in flags:
        default, help = flags_help[flag]
        parser.add_argument(flag, default=default, help=help)


def presets(args):
    if args.preset is None:
        for name, p in PRESETS.items():
            print(f"{name:8} {p.about}\n{'':8} {p.model}\n{'':8} {p.train}")
        return 0
    preset = get_preset(args.preset)
    p, m = preset, preset.model
    value = {"pages": p.pages, "vocab_size": m.vocab_size, "facts": p.facts}.get(args.field, p)
    print(value)
    return 0


def check(args):
    get_preset(args.preset)
    least = 257  # every byte and <|endoftext|>
    if args.vocab_size is not None:
        require(args.vocab_size >= least, "VOCAB", args.vocab_size, f"be at least {least}")
    if args.pages is not None:
        require(args.pages >= 1, "PAGES", args.pages, "be at least 1")
    if args.device != "cpu":
        from minigpt.backend import open_device

        open_device(args.device)
    return 0


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


def sample(args):
    from minigpt import generate, load
    from minigpt.sample import stream_text

    model, tokenizer = load(args.model, args.device)
    start = tokenizer.eot_token
    ids = [start, *tokenizer.encode_ordinary(args.prompt)]
    new_ids = generate(
        model, ids, args.max_new_tokens, args.temperature, args.top_k, args.top_p,
        stop=(start,), seed=args.seed,
    )  # fmt: skip
    print(args.prompt, end="", flush=True)
    for text in stream_text(tokenizer, new_ids):
        print(text, end="", flush=True)
    print()
    return 0


def gradcheck(args):
    from minigpt import gradcheck

    return 0 if gradcheck.run(args.device) else 1


def summary(args):
    from minigpt import summary

    summary.run(args.out, args.device, args.without)
    return 0


def main(argv=None):
    """Run a command; return its exit status: 2 for bad input, 130 after Ctrl-C."""
    args = build_parser().parse_args(argv)
    try:
        return args.function(args)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"minigpt: {what}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"minigpt: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("minigpt: not enough memory; ask for a smaller model or batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nminigpt: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
