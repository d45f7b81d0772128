"""From a file to what makes a tokenizer, and back: which format is it, and what does it not say?

The formats themselves are in `tokenizer_json.py`, `rank_file.py` and `published.py`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bpe import published, rank_file, tokenizer_json
from bpe.ranks import merges_from_ranks
from bpe.special import check_special_tokens, number_special_tokens

if TYPE_CHECKING:
    from bpe.tokenizer import Tokenizer


def read(
    path: str | Path, pattern: str | None, special_tokens: Mapping[str, int] | Iterable[str] | None
) -> dict:
    """Read the arguments of `Tokenizer`; see `Tokenizer.load`."""
    path = Path(path)
    if special_tokens is not None and not isinstance(special_tokens, Mapping):
        special_tokens = check_special_tokens(special_tokens)
    found = published.find_vocabulary(path)
    if len(found) == 2:
        arguments = published.read_vocab_and_merges(*found, special_tokens)
        return {**arguments, "pattern": pattern or "gpt2"}
    if found[0].suffix != ".tiktoken":
        if pattern is not None or special_tokens is not None:
            raise ValueError("it says its own pattern and special tokens; leave yours out")
        return tokenizer_json.read_tokenizer_json(found[0])
    tokens = rank_file.read_ranks(path)
    known = published.recognise(path) or published.Published("", "gpt4", {})
    if special_tokens is None:
        special_tokens = known.special_tokens
    elif not isinstance(special_tokens, Mapping):
        special_tokens = number_special_tokens(special_tokens, len(tokens))
    merges = merges_from_ranks(tokens)
    return {
        "tokens": tokens,
        "merges": merges,
        "pattern": pattern or known.pattern,
        "special_tokens": special_tokens,
    }


def write(path: str | Path, tokenizer: "Tokenizer") -> None:
    """Write a tokenizer in the format that `path` asks for; see `Tokenizer.save`."""
    path = Path(path)
    if path.suffix != ".tiktoken":
        tokenizer_json.write_tokenizer_json(path, tokenizer)
    elif sorted(tokenizer.tokens) != [*range(len(tokenizer.tokens))]:
        raise ValueError("a .tiktoken file numbers tokens from 0 without a gap; save as .json")
    elif merges_from_ranks(tokenizer.tokens) != tokenizer.merges:
        raise ValueError("a .tiktoken file orders merges by what they make; save as .json")
    else:
        rank_file.write_ranks(path, tokenizer.tokens)
