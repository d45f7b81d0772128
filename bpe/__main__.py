"""The tokenizer at the command line: `python -m bpe`, then train, encode, decode, or `look.py`'s.

`train` writes `tokenizer.json` and, beside it, `training.json`:
{"stage": "tokenizer", "seconds", "vocab_size", "documents", "bytes", "tokens", "bytes_per_token"}.
"""

import argparse
import json
import os
import struct
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NoReturn

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
from bpe.documents import documents_in_pieces
from bpe.files import atomic_write
from bpe.look import Add, add_commands
from bpe.mistakes import file_error, unrecognized
from bpe.tokenizer import END_OF_TEXT
from bpe.train import train_with_report

MAX_SHOWN = 60  # characters of a token in a line
# What a missing file is made by.
MADE_BY = {
    "tokenizer.json": "python -m bpe train FILE --vocab-size 2048",
    "documents.jsonl.gz": "python -m crawler clean out/pages.warc.gz",
}
FLAGS = {"tokenizer.json": "--tokenizer"}  # by which another may be given


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """Refuse what a command does not know in its own name, with the flag that may be meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            self.error(unrecognized(self, unknown))
        return found, unknown


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m bpe",
        description="Learn a byte-level BPE tokenizer from text, and look at what it does.",
        epilog="Example: python -m bpe train book.txt --vocab-size 1024; then `encode`, `show`, "
        "`merges` use it. Each explains itself: python -m bpe COMMAND --help",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run, summary: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"Example: python -m bpe {example}",
        )
        command.set_defaults(run=run)
        return command

    add_train(add)
    add_encode_and_decode(add)
    add_commands(add)
    return parser


def add_train(add: Add) -> None:
    """Add `train` with its flags."""
    train = add(
        "train",
        run_train,
        "learn a vocabulary: merge the most frequent pair of symbols, again and again",
        "train out/documents.jsonl.gz --vocab-size 2048",
    )
    add_files(train)
    train.add_argument(
        "--vocab-size",
        type=int,
        required=True,
        metavar="N",
        help="symbols in all: 256 bytes, the merges, and the special tokens; 256 asks for the "
        "bytes alone, without a merge, and the special tokens come on top",
    )
    train.add_argument(
        "--at-most", action="store_true", help="be content with fewer if the text gives no more"
    )
    train.add_argument(
        "-o",
        "--output",
        type=Path,
        default=DEFAULT_PATH,
        metavar="PATH",
        help="where to write the tokenizer, as .tiktoken if it ends so (default: %(default)s)",
    )
    add_pattern(train)
    train.add_argument(
        "--special",
        action="append",
        metavar="TOKEN",
        help=f"a special token, which no text can spell; may be repeated (default: {END_OF_TEXT})",
    )


def add_encode_and_decode(add: Add) -> None:
    """Add `encode` and `decode` with their flags."""
    encode = add(
        "encode",
        run_encode,
        "print the ids of a text and the piece each stands for",
        'encode "Hello, world"',
    )
    add_text(encode)
    add_allow_special(encode)

    decode = add("decode", run_decode, "print the text of some ids", "decode 39 68 75")
    decode.add_argument(
        "ids",
        nargs="*",
        type=int,
        metavar="ID",
        help="as encode prints them (default: those in the first line of standard input)",
    )

    for command in (encode, decode):
        add_tokenizer(command)


def run_train(args: argparse.Namespace) -> None:
    if args.output.is_dir():
        raise ValueError(f"--output is {args.output}, a folder; it must be a file in one")
    started = time.perf_counter()
    special_tokens = args.special or [END_OF_TEXT]
    only_bytes = args.vocab_size == 256
    tokenizer, report = train_with_report(
        chain.from_iterable(map(documents_in_pieces, args.files)),
        args.vocab_size + (len(set(special_tokens)) if only_bytes else 0),
        args.pattern,
        special_tokens,
        progress=True,
        at_most=args.at_most,
        total_bytes=sum(map(text_size, args.files)),
    )
    seconds = round(time.perf_counter() - started, 3)
    report = {"stage": "tokenizer", "seconds": seconds, **report}
    atomic_write(args.output.with_name("training.json"), json.dumps(report, indent=2) + "\n")
    tokenizer.save(args.output)  # last: a tokenizer that is there has its report
    longest = map(show, sorted(tokenizer.token_byte_values(), key=len, reverse=True)[:5])
    longest = [text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..." for text in longest]
    print(
        f"{args.output}: {tokenizer.n_vocab:,} symbols, {report['bytes_per_token']:.2f} bytes per "
        f"token on {report['bytes']:,} bytes of text, longest {' '.join(longest)}, "
        f"{seconds:.1f} s"
    )


def text_size(path: str) -> int:
    """Guess for the progress bar how many bytes of text a file has, without reading it."""
    size = Path(path).stat().st_size
    if not path.lower().endswith(".gz") or size < 4:
        return size
    with open(path, "rb") as file:
        file.seek(-4, 2)
        # A gzip member ends with its uncompressed size modulo 2**32 (RFC 1952, section 2.3.1).
        return max(size, *struct.unpack("<I", file.read(4)))


def run_encode(args: argparse.Namespace) -> None:
    text, tokenizer = read_text(args), load(args.tokenizer)
    ids = tokenizer.encode(text, "all" if args.allow_special else (), disallowed_special=())
    pieces = {id: show(tokenizer.decode_single_token_bytes(id)) for id in set(ids)}
    print(" ".join(map(str, ids)))
    print(" ".join(map(pieces.get, ids)))


def show(token: bytes) -> str:
    """Write a token as Python would: as text where it is whole characters, else as bytes."""
    try:
        return repr(token.decode("utf-8"))
    except UnicodeDecodeError:
        return repr(token)


def run_decode(args: argparse.Namespace) -> None:
    ids = args.ids or read_ids()
    # As bytes: ids may hold part of a character, and what is printed should be what they stand for.
    sys.stdout.buffer.write(load(args.tokenizer).decode_bytes(ids) + b"\n")


def read_ids() -> list[int]:
    """Read the first line that `encode` has written to standard input, and wait for the others."""
    words = sys.stdin.read().partition("\n")[0].split()
    if wrong := [word for word in words if not word.isdecimal()]:
        raise ValueError(f"id is {wrong[0]!r}; it must be a whole number, as encode prints them")
    return [int(word) for word in words]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 2 for bad input, or 130 after Ctrl-C."""
    # What this terminal has no letter for is written as Python would.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(argv)
        args.run(args)
    except ValueError as error:
        print(f"bpe: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"bpe: {file_error(error, MADE_BY, FLAGS)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bpe: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
