"""Vocabularies as others published them: GPT-2's two files, and what belongs to known rank files.

GPT-2's way, also that of many models after it: `vocab.json`, a JSON object from token to id, and
`merges.txt`, after a line "#version: ..." one merge a line, two tokens with a space between, in
order. Tokens are spelled as in `tokenizer.json` (`tokenizer_json.py`). Neither file says which
tokens are special, nor how text is cut. What was added later, `transformers` before its fifth
version wrote beside them: `added_tokens.json`, from text to id.

A rank file (`.tiktoken`) says neither, too. Three are known here, by the digests tiktoken checks
its downloads against (`tiktoken_ext/openai_public.py`), with what that source says belongs to them.

This is not a download: nothing here reads anything but local files.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bpe.tokenizer_json import read_words

END_OF_TEXT = "<|endoftext|>"


class Published(NamedTuple):
    """What belongs to a published rank file."""

    name: str
    pattern: str
    special_tokens: dict[str, int]


KNOWN = {  # SHA-256 of the file -> what belongs to it
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930": Published(
        "r50k_base (GPT-2)", "gpt2", {END_OF_TEXT: 50256}
    ),
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": Published(
        "cl100k_base (GPT-4)",
        "gpt4",
        {
            END_OF_TEXT: 100257,
            "<|fim_prefix|>": 100258,  # fill in the middle: what comes before the gap,
            "<|fim_middle|>": 100259,  # what belongs in it,
            "<|fim_suffix|>": 100260,  # and what comes after it
            "<|endofprompt|>": 100276,
        },
    ),
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": Published(
        "o200k_base (GPT-4o)", "gpt4o", {END_OF_TEXT: 199999, "<|endofprompt|>": 200018}
    ),
}


def recognise(path: str | Path) -> Published | None:
    """Tell what belongs to a rank file, if it is one of the known, whatever its line ends."""
    data = Path(path).read_bytes().replace(b"\r\n", b"\n")
    return KNOWN.get(hashlib.sha256(data).hexdigest())


# How the two files of GPT-2 end: `transformers` calls them the first, OpenAI the second.
ENDINGS = [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")]


def find_vocabulary(path: Path) -> tuple[Path, ...]:
    """Find the file, or GPT-2's two, that hold the tokenizer at `path`, a file or a folder.

    Raises ValueError for a folder that holds none.
    """
    if path.is_dir():
        if (path / "tokenizer.json").exists():
            return (path / "tokenizer.json",)
        for pair in ENDINGS:
            if any((path / name).exists() for name in pair):
                return tuple(path / name for name in pair)
        raise ValueError("no tokenizer in this folder; it must hold tokenizer.json or vocab.json")
    for pair in ENDINGS:
        for ending in pair:
            if path.name.endswith(ending):
                prefix = path.name.removesuffix(ending)
                return tuple(path.with_name(prefix + name) for name in pair)
    return (path,)


def read_vocab_and_merges(
    vocab_path: Path,
    merges_path: Path,
    special_tokens: Mapping[str, int] | Iterable[str] | None = None,
) -> dict:
    """Read the arguments of `Tokenizer` from GPT-2's two files.

    A list of special tokens names those of the vocabulary that are special (default:
    <|endoftext|>, if it is there, and added tokens); a dict says their ids, also of new ones.
    Raises ValueError where a file is damaged or contradicts the other.
    """
    vocab = read_ids(vocab_path)
    try:
        lines = merges_path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{merges_path.name}: it must be UTF-8 ({error}); fetch it again"
        ) from None
    lines = lines[lines[0].startswith("#version") :]  # without the first, if it is that

    if special_tokens is None:
        prefix = vocab_path.name.removesuffix("vocab.json")
        added_path = vocab_path.with_name(f"{prefix}added_tokens.json")
        added = read_ids(added_path) if added_path.exists() else {}
        special_tokens = {t: id for t, id in vocab.items() if t == END_OF_TEXT} | added
    if not isinstance(special_tokens, Mapping):
        if unknown := [text for text in special_tokens if text not in vocab]:
            raise ValueError(
                f"special token {unknown[0]!r} is not in {vocab_path.name}; give its id: "
                f"special_tokens={{{unknown[0]!r}: {len(vocab)}}}"
            )
        special_tokens = {text: vocab[text] for text in special_tokens}
    try:
        return read_words(vocab, [line for line in lines if line], special_tokens)
    except ValueError as error:
        raise ValueError(f"{vocab_path.name} and {merges_path.name}: {error}") from None


def read_ids(path: Path) -> dict[str, int]:
    """Read a JSON object from tokens to ids; raise ValueError where it is none."""
    try:
        ids = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name}: no valid JSON ({error}); fetch it again") from None
    if not isinstance(ids, dict) or not all(type(id) is int for id in ids.values()):
        raise ValueError(f"{path.name}: it must be a JSON object from tokens to ids")
    return ids
