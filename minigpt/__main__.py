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
        "sample", sample, "let a model continue a text, drawing one token after the other",
        'sample out/base --prompt "Return the" --temperature 0.7 --top-p 0.9 --seed 1',
    )  # fmt: skip
    add_sampling(p)

    p = command(
        "info", info, "tell what a model's folder holds: shape, parameters, costs, files",
        "info out/base",
    )  # fmt: skip
    p.add_argument("model", help="a model's folder, ours or any GPT-2 of Hugging Face's")

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

    p = command(
        "evaluate", evaluate, "examine what a model knows, copies and invents",
        "evaluate out/base --tasks my.jsonl",
    )  # fmt: skip
    p.description += (
        " Prints tables with explanations and keeps them in evaluation.json, for `report`. "
        "Sections: loss (by page and source), copies (what stands word for word in the training "
        "text), knows (facts against made-up names), learns (from examples in the prompt), chat "
        "(an assistant by prompt alone), samples, tasks. With --tasks alone, only the tasks."
    )
    p.add_argument("model", nargs="?", default="out/base", help="a model's folder (%(default)s)")
    p.add_argument("-o", "--out", help="folder of the run (default: the one MODEL is in)")
    p.add_argument("--tokens", help="folder written by `tokenize` (default: tokens in OUT)")
    p.add_argument(
        "--documents", nargs="+", metavar="FILE",
        help="what it was made from, for the pages' addresses (default: OUT/documents.jsonl.gz)",
    )  # fmt: skip
    p.add_argument("--only", nargs="+", metavar="SECTION", help="examine no more than these")
    p.add_argument(
        "--tasks", nargs="+", default=(), metavar="FILE",
        help="JSON Lines with query, choices, gold, or with context, continuation",
    )  # fmt: skip
    p.add_argument(
        "--length", choices=("tokens", "bytes", "none"),
        help="what the loss of a choice is divided by; default: tokens, as CORE does",
    )  # fmt: skip
    p.add_argument("--shots", type=int, help="examples before each question of a task; default: 0")
    p.add_argument("--samples", type=int, help="texts to write of each kind; default: 10")
    p.add_argument("--temperature", type=float, help="to write them at; default: 0.8")
    p.add_argument("--seed", type=int, help="the same seed, the same tables; default: 0")
    p.add_argument("--brief", action="store_true", help="print a sentence for each section")
    add_paths(p, "--device")

    p = command(
        "report", report, "make a page of what a run did, cost and learnt",
        "report out --price 0.25",
    )  # fmt: skip
    p.description += " Writes report.html, report.md and its pictures from what the stages left."
    p.add_argument("out", nargs="?", default="out", help="the folder of all stages (%(default)s)")
    p.add_argument("--price", type=float, help="dollars an hour of machine; default: 0.10")
    p.add_argument("--documents", nargs="+", metavar="FILE", help="(OUT/documents.jsonl.gz)")
    p.add_argument(
        "--without", nargs="+", default=[], metavar="STAGE", help="stages that were not of this run"
    )
    return parser


def add_sampling(parser):
    """Add the flags of `sample`."""
    add = parser.add_argument
    add("model", help="a model's folder, ours or any GPT-2 of Hugging Face's")
    add("--prompt", default="", help="what to continue; default: a new document")
    add("--special", action="store_true", help="read <|...|> in the prompt as special tokens")
    add("--max-new-tokens", type=int, default=200, metavar="N", help="(%(default)s)")
    add("-n", "--samples", type=int, default=1, metavar="N",
        help="continue it so many times, all at once (%(default)s)")  # fmt: skip
    add("--seed", type=int, help="the same seed, the same text; further samples take the next ones")
    add("--stop", action="append", default=[], metavar="TEXT",
        help="end before this text; may be given several times")  # fmt: skip
    add("--logprobs", type=int, metavar="N",
        help="instead of the text show each token with its probability, the model's own before the "
        "settings below, and the N likeliest")  # fmt: skip
    group = parser.add_argument_group(
        "how to draw", "applied in this order; what one takes away, the next does not see"
    )
    add = group.add_argument
    add("--repetition-penalty", type=float, default=1.0, metavar="X",
        help="above 1: what stands in the text already is less likely (%(default)s)")  # fmt: skip
    add("--temperature", type=float, default=0.8, metavar="X",
        help="below 1 bolder for the likely; 0: always the likeliest (%(default)s)")  # fmt: skip
    add("--top-k", type=int, metavar="K", help="draw from the K likeliest symbols only")
    add("--top-p", type=float, metavar="P",
        help="draw from the fewest likeliest symbols that hold this probability")  # fmt: skip
    add("--min-p", type=float, metavar="P",
        help="draw from symbols at least P times as likely as the likeliest")  # fmt: skip
    add_paths(parser, "--device")


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
    from minigpt import complete, load, show
    from minigpt.completion import encode_prompt

    model, tokenizer = load(args.model, args.device)
    start = tokenizer.eot_token
    ids = [start, *encode_prompt(tokenizer, args.prompt, args.special)]
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    pieces = complete(
        model, tokenizer, ids, args.max_new_tokens, [start, *args.stop], args.samples, args.seed,
        args.logprobs, **{name: getattr(args, name) for name in names},
    )  # fmt: skip
    if len(ids) > model.config.n_positions:
        print(
            f"minigpt: the prompt has {len(ids):,} tokens; the model sees the last "
            f"{model.config.n_positions:,}", file=sys.stderr,
        )  # fmt: skip
    if args.logprobs is not None:
        show.print_probabilities(tokenizer, pieces, args.samples)
    elif args.samples > 1:
        show.print_in_turn(args.prompt, pieces, args.samples)
    else:
        show.print_stream(args.prompt, pieces)
    return 0


def info(args):
    from minigpt.info import describe

    print("\n".join(describe(args.model)))
    return 0


def gradcheck(args):
    from minigpt import gradcheck

    return 0 if gradcheck.run(args.device) else 1


def summary(args):
    from minigpt import summary

    summary.run(args.out, args.device, args.without)
    return 0


def evaluate(args):
    from minigpt.evaluate import OF_TEXT, Settings, evaluate

    given = {name: getattr(args, name) for name in Settings.__dataclass_fields__}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    found = evaluate(settings, args.device, brief if args.brief else print_section)
    if args.only is None and not args.tasks and "loss" not in found["sections"]:
        print(f"left out for want of the training text: {', '.join(OF_TEXT)}; give --tokens")
    print(f"{found['seconds']:.1f} s in all; `python -m minigpt report` makes a page of this")
    return 0


def print_section(section):
    from minigpt.evaluate import section_text

    print(section_text(section))


def brief(section):
    if section["headline"]:
        print(f"  {section['headline']}")


def report(args):
    from minigpt.report import PRICE, write_report

    price = PRICE if args.price is None else args.price
    print(write_report(args.out, price, args.without, args.documents))
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
