"""Arguments that several commands of `python -m bpe` share, and the reading of what they name."""

import argparse
import sys
from pathlib import Path

from bpe import published
from bpe.documents import documents
from bpe.split import PATTERNS
from bpe.tokenizer import Tokenizer

DEFAULT_PATH = Path("out/tokenizer/tokenizer.json")


def add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="text, or JSON Lines with a text field; .gz or not"
    )


def add_pattern(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pattern",
        default="gpt4",
        help=f"how text is cut into chunks: {', '.join(PATTERNS)} or a regular expression "
        "(default: %(default)s)",
    )


def add_text(command: argparse.ArgumentParser) -> None:
    text = command.add_mutually_exclusive_group()
    text.add_argument("text", nargs="?", metavar="TEXT", help="default: standard input")
    text.add_argument(
        "--file", metavar="FILE", help="a text file instead, or JSON Lines; .gz or not"
    )


def add_allow_special(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-special", action="store_true", help="take special tokens in TEXT as such"
    )


def add_tokenizer(command: argparse.ArgumentParser, several: bool = False) -> None:
    command.add_argument(
        "--tokenizer",
        type=Path,
        action="append" if several else "store",
        default=None if several else DEFAULT_PATH,
        metavar="PATH",
        help="tokenizer.json, a .tiktoken file, vocab.json with merges.txt, or their folder"
        f"{'; may be repeated' if several else ''} (default: {DEFAULT_PATH})",
    )


def load(path: Path) -> Tokenizer:
    """Load a tokenizer, and say on stderr what its file does not: its pattern, what is special."""
    tokenizer = Tokenizer.load(path)
    found = published.find_vocabulary(path)
    if len(found) == 2 or path.suffix == ".tiktoken":
        known = published.recognise(path) if len(found) == 1 else None
        pattern = next(name for name in PATTERNS if PATTERNS[name] == tokenizer.splitter.pattern)
        print(
            f"bpe: {path}: {known.name if known else 'not said by the file, so taken to be'}:"
            f" pattern {pattern}, special tokens {' '.join(tokenizer.special_tokens) or 'none'}",
            file=sys.stderr,
        )
    return tokenizer


def read_text(args: argparse.Namespace) -> str:
    """Read the text that `add_text` asked for; raise ValueError where it is no UTF-8."""
    if args.file is not None:
        return "\n".join(documents(args.file, exact=True))
    if args.text is None:
        where, data = "standard input", sys.stdin.buffer.read()  # bytes: a "\r" stays
    else:
        # What is no UTF-8 has come from the system as lone surrogates (PEP 383).
        where, data = "TEXT", args.text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: byte 0x{data[error.start]:02x} at offset {error.start} is not text; it must "
            "be UTF-8: convert it"
        ) from None
