"""The commands that make a model: presets, check, tokenize, pretrain, plot, gradcheck.

Of each, `add_NAME` makes its flags; below it, the function of its name runs it and returns the exit
status. Imports that take a while are inside of these functions, so that `--help` answers at once.
"""

from dataclasses import replace
from pathlib import Path

from minigpt.amounts import count
from minigpt.config import (
    ModelConfig,
    TrainConfig,
    add_flags,
    add_paths,
    add_run_flags,
    require,
    with_flags,
)
from minigpt.presets import PRESETS, get_preset, settings


def add_commands(command):
    """Add the commands; `command` makes the parser of one."""
    for add in (add_presets, add_check, add_tokenize, add_pretrain, add_plot, add_gradcheck):
        add(command)


def add_presets(command):
    """Add `presets` with its flags."""
    p = command(
        "presets", presets, "tell what each preset is for and takes here, or all of one",
        "presets tiny",
    )  # fmt: skip
    p.add_argument("preset", nargs="?", help="its name; default: a table of all")
    p.add_argument(
        "field", nargs="?", choices=("pages", "vocab_size", "facts", "settings"),
        help="print this alone; settings: all in a line, for a program to compare",
    )  # fmt: skip
    add_paths(p, "--device")


def presets(args):
    preset = None if args.preset is None else get_preset(args.preset)
    if args.field is not None:
        fields = {
            "pages": preset.pages, "vocab_size": preset.model.vocab_size, "facts": preset.facts,
            "settings": preset,
        }  # fmt: skip
        print(fields[args.field])
        return 0
    from minigpt import preset_table
    from minigpt.backend import open_device
    from minigpt.machine import measure_peak
    from minigpt.parallel import Workers

    device = open_device(args.device)
    with Workers(device.n_workers(0)) as workers:
        peak = measure_peak(device, workers)
    if preset is None:
        lines = preset_table.table(device, peak)
    else:
        lines = preset_table.one(args.preset, device, peak)
    print("\n".join(lines))
    return 0


def add_check(command):
    """Add `check` with its flags."""
    p = command(
        "check", check, "say at once whether settings can work", "check --preset tiny --device gpu"
    )
    p.description += " `make train` asks it first, so that nothing is said only after the crawl."
    p.add_argument("--preset", default="tiny", help="one that `presets` lists (%(default)s)")
    p.add_argument("--vocab-size", help="number of symbols of the tokenizer, at least 256")
    p.add_argument("--pages", help="number of pages to crawl, at least 1")
    p.add_argument("--train", default="", help="flags for pretrain, in one argument: --train=...")
    p.add_argument("--sft", default="", help="flags for sft, in one argument")
    p.add_argument("--launched", action="store_true", help="pretrain is started by mpiexec")
    p.add_argument("--chat", nargs="*", default=(), metavar="FILE", help="conversations")
    p.add_argument("--text", nargs="*", default=(), metavar="FILE", help="texts, JSON Lines")
    p.add_argument("--files", nargs="*", default=(), metavar="FILE", help="archives")
    add_paths(p, "--device")


def check(args):
    from minigpt.check import check

    check(args)
    return 0


def add_tokenize(command):
    """Add `tokenize` with its flags."""
    p = command(
        "tokenize", tokenize, "turn documents into ids on disk, some of them held out",
        "tokenize out/documents.jsonl.gz",
    )  # fmt: skip
    p.description += (
        " Writes train.npy and val.npy, one row of ids each, with <|endoftext|> before every "
        "document. Every 20th document is held out; of fewer than that, the last tenth of each."
    )
    p.add_argument(
        "files", nargs="+", metavar="FILE",
        help='.txt, or .jsonl, an object a line, of which "text" is read; either with .gz',
    )  # fmt: skip
    add_paths(p, "--tokenizer")
    p.add_argument("-o", "--out", default="out/tokens", help="folder to write (%(default)s)")


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
            f"{part + ':':6} {count(r['documents'], 'document')}, {count(r['bytes'], 'byte')}, "
            f"{count(r['tokens'], 'token')} -> {Path(args.out) / part}.npy"
        )
    return 0


def add_pretrain(command):
    """Add `pretrain` with its flags."""
    p = command(
        "pretrain", pretrain, "train a model on tokens; a run that was stopped is continued",
        "pretrain --preset tiny --steps 5000",
    )  # fmt: skip
    p.description += (
        " Says first how much memory and time it will take. Now and then it tells the validation "
        "loss, which should fall, and lets the model write. An earlier run with other settings is "
        "kept as OUT.previous. Started by mpiexec, several machines make each step together; with "
        "--device gpu several GPUs do, a process for each."
    )
    add_paths(p, "--tokens", beside="--init")
    add_paths(p, "--tokenizer", beside="--init or --tokens")
    add_paths(p, "--device")
    p.add_argument("-o", "--out", default="out/base", help="folder to write (%(default)s)")
    p.add_argument("--preset", default="tiny", help=f"one of {', '.join(PRESETS)} (%(default)s)")
    p.add_argument(
        "--depth", type=int, metavar="N",
        help="instead of a preset: so many layers, and width, window, learning rate, batch and "
        "steps that suit them (GPT-2's smallest is 12)",
    )  # fmt: skip
    p.add_argument(
        "--init", metavar="FOLDER",
        help="start from the weights of a GPT-2 folder; its tokenizer must have made the tokens, "
        "and its shape is taken, of the preset only dropout and the training",
    )  # fmt: skip
    add_run_flags(p)
    add_flags(
        p.add_argument_group("the model (default: as `presets tiny` says)"),
        ModelConfig, {"vocab_size"},
    )  # fmt: skip
    add_flags(p.add_argument_group("the training (default: as `presets tiny` says)"), TrainConfig)


def pretrain(args):
    get_preset(args.preset)  # what is wrong there is soon said
    from tqdm import tqdm

    from bpe import Tokenizer
    from minigpt.beside import tokens_and_tokenizer
    from minigpt.cluster import exit_status, joined
    from minigpt.pretrain import pretrain

    with joined(tqdm.write, args.device) as (cluster, say):
        tokens, tokenizer = tokens_and_tokenizer(args.tokens, args.tokenizer, args.init)
        model, train = settings_asked(args, Tokenizer.load(tokenizer).n_vocab)
        report = pretrain(
            tokens, tokenizer, args.out, model, train, args.device, args.start, say, args.force,
            args.init, cluster,
        )  # fmt: skip
    return exit_status(report, cluster)


def settings_asked(args, n_vocab):
    """Return (ModelConfig, TrainConfig) as the flags of `pretrain` ask for them.

    The model has `n_vocab` symbols, or those of --init. Raises ValueError for what cannot be.
    """
    from minigpt.checkpoint import read_config

    model, train = settings(args.preset, args.depth, n_vocab)
    if args.init is not None:
        require(args.depth is None, "depth", args.depth, "be left out with --init")
        model = replace(read_config(Path(args.init) / "config.json"), dropout=model.dropout)
    return with_flags(model, args), with_flags(train, args)


def add_plot(command):
    """Add `plot` with its flags."""
    p = command(
        "plot", plot, "draw the loss curves of runs",
        "plot out/base out/other -o curve.svg",
    )  # fmt: skip
    p.description += " Needs matplotlib: .venv/bin/pip install matplotlib."
    p.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, finished or not")
    p.add_argument("-o", "--out", default="curve.svg", help=".svg, .png or .pdf (%(default)s)")
    p.add_argument(
        "--x", choices=("tokens", "step", "seconds"), default="tokens",
        help="what to draw the loss against (%(default)s)",
    )  # fmt: skip
    p.add_argument(
        "--bits", action="store_true", help="in bits a byte, to compare different tokenizers"
    )


def plot(args):
    from minigpt.curves import plot

    print(plot(args.runs, args.out, args.x, args.bits))
    return 0


def add_gradcheck(command):
    """Add `gradcheck` with its flags."""
    p = command(
        "gradcheck", gradcheck, "compare the backward pass with measured slopes", "gradcheck"
    )
    p.description += (
        " Every input of every operation, and every parameter of a small model, is moved a little; "
        "how much the loss changes must be what the backward pass says. Prints both, side by side."
    )
    add_paths(p, "--device")


def gradcheck(args):
    from minigpt import gradcheck

    return 0 if gradcheck.run(args.device) else 1
