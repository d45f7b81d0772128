"""Smaller tokenizers out of a larger one: its first merges alone.

Training takes one merge after the other, and no later one changes an earlier one. So the first n
merges of a vocabulary are what training on the same text for n merges would have given: a
tokenizer can be looked at as it was at every size on its way.
"""

from bpe.special import number_special_tokens
from bpe.tokenizer import Tokenizer


def first_merges(tokenizer: Tokenizer, n: int) -> Tokenizer:
    """Make the tokenizer of the first `n` merges of `tokenizer`; 0 leaves the bytes.

    Ordinary tokens keep their ids, special tokens come after them in the order they had. Raises
    ValueError where there are fewer merges.
    """
    if not 0 <= n <= len(tokenizer.merges):
        raise ValueError(
            f"n is {n}; it must be from 0 to {len(tokenizer.merges)}, the merges there are"
        )
    kept = [*tokenizer._byte_ids, *tokenizer._made[:n]]
    tokens = {id: tokenizer.tokens[id] for id in kept}
    special = sorted(tokenizer.special_tokens, key=tokenizer.special_tokens.get)
    return Tokenizer(
        tokens,
        tokenizer.merges[:n],
        tokenizer.splitter.pattern,
        number_special_tokens(special, max(kept) + 1),
    )
