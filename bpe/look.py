"""The commands that look at what a tokenizer does: `show`, `merges` and `stats`."""

import argparse
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from bpe import stats
from bpe.arguments import (
    DEFAULT_PATH,
    add_allow_special,
    add_files,
    add_pattern,
    add_text,
    add_tokenizer,
    load,
    read_text,
)
from bpe.documents import documents
from bpe.files import atomic_write
from bpe.merges import draw_steps
from bpe.page import page
from bpe.show import count, draw_tokens, visible, wants_colour
from bpe.split import to_bytes

LONGEST_NAME = 80
PICTURES = (".png", ".svg", ".pdf")


Add = Callable[..., argparse.ArgumentParser]  # add(name, run, summary, example) makes a parser


def add_commands(add: Add) -> None:
    """Add the commands and their flags."""
    add_show(add)
    add_merges(add)
    add_stats(add)


def add_show(add: Add) -> None:
    """Add `show` with its flags."""
    command = add(
        "show",
        run_show,
        "show the tokens of a text in colours, in the terminal or as a page for the browser",
        "show --file book.txt --tokenizer a.json --tokenizer b.tiktoken --html book.html",
    )
    add_text(command)
    command.add_argument(
        "--html", type=Path, metavar="PATH", help="write a page for the browser, in one file"
    )
    add_allow_special(command)
    add_tokenizer(command, several=True)


def run_show(args: argparse.Namespace) -> None:
    text = read_text(args)
    tokenizers = {str(path): load(path) for path in args.tokenizer or [DEFAULT_PATH]}
    if args.html:
        source = args.file or shorten(" ".join(text.split())) or "(no text)"
        atomic_write(args.html, page(text, source, tokenizers, args.allow_special))
        print(args.html)
    allowed = "all" if args.allow_special else ()
    for name, tokenizer in tokenizers.items():
        ids = tokenizer.encode(text, allowed, disallowed_special=())
        print(f"{name}: {tokenizer.n_vocab:,} symbols; {count(text, len(ids))}")
        if not args.html:
            print(draw_tokens(tokenizer.decode_tokens_bytes(ids), wants_colour(sys.stdout)))


def shorten(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def add_merges(add: Add) -> None:
    """Add `merges` with its flags."""
    command = add(
        "merges",
        run_merges,
        "play the merges of a text one by one: each line marks the pair that is merged next",
        'merges "unbelievable"',
    )
    add_text(command)
    command.add_argument("--step", action="store_true", help="wait for Enter after each line")
    add_tokenizer(command)


def run_merges(args: argparse.Namespace) -> None:
    text = read_text(args)
    tokenizer = load(args.tokenizer)
    chunks = tokenizer.splitter.chunks(text)
    for number, chunk in enumerate(chunks, start=1):
        print(f"chunk {number} of {len(chunks)}: {visible(to_bytes(chunk))}")
        for line in draw_steps(tokenizer, chunk, wants_colour(sys.stdout)):
            print(line, end="" if args.step else "\n", flush=args.step)
            if args.step and not sys.stdin.readline():
                print()
                return


def add_stats(add: Add) -> None:
    """Add `stats` with its flags."""
    command = add(
        "stats",
        run_stats,
        "measure how much shorter a text becomes with more symbols, from 256 up",
        "stats book.txt --tokenizer cl100k_base.tiktoken --plot book.png",
    )
    add_files(command)
    command.add_argument(
        "--max-vocab",
        type=int,
        default=32_768,
        metavar="N",
        help="the most symbols to learn (default: %(default)s)",
    )
    command.add_argument(
        "--max-chars",
        type=int,
        default=20_000_000,
        metavar="N",
        help="how much of the text to look at (default: %(default)s characters)",
    )
    add_pattern(command)
    command.add_argument(
        "--plot",
        type=Path,
        metavar="PATH",
        help=f"draw a picture too, {', '.join(PICTURES)}; needs matplotlib",
    )
    command.add_argument(
        "--tokenizer",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a vocabulary to compare with; may be repeated",
    )


def run_stats(args: argparse.Namespace) -> None:
    if args.plot:
        if args.plot.suffix not in PICTURES:
            raise ValueError(f"--plot is {args.plot}; it must end in {', '.join(PICTURES)}")
        stats.figure_class()  # said before the work, not after it
    if args.max_chars < 1:
        raise ValueError(f"--max-chars is {args.max_chars}; it must be at least 1")
    tokenizers = [(str(path), load(path)) for path in args.tokenizer]
    texts, cut = stats.head(chain.from_iterable(map(documents, args.files)), args.max_chars)
    num_bytes, points = stats.measure(
        texts, args.max_vocab, args.pattern, tokenizers, progress=True
    )
    names = shorten(", ".join(args.files))
    part = f", its first {args.max_chars:,} characters (more with --max-chars)" if cut else ""
    print(f"{names}: {num_bytes:,} bytes{part}")
    print(stats.table(num_bytes, points))
    most = max(point.symbols for point in points if not point.name)
    if most < args.max_vocab:
        print(f"with {most:,} symbols every chunk is one token: there is nothing left to merge")
    if args.plot:
        stats.plot(args.plot, f"{names}: sequence length by vocabulary", num_bytes, points)
        print(args.plot)
