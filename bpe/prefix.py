"""Smaller tokenizers out of a larger one: its first merges alone.

Training takes one merge after the other, and no later one changes an earlier one. So the first n
merges of a vocabulary are what training on the same text for n merges would have given: a
tokenizer can be looked at as it was at every size on its way.
"""

from bpe.naive import BYTE_ORDER
from bpe.tokenizer import Tokenizer


def first_merges(tokenizer: Tokenizer, n: int) -> Tokenizer:
    """Make the tokenizer of the first `n` merges of `tokenizer`; with 0 every byte is a token.

    Its ids are those that training would give: bytes, merges, special tokens. Raises ValueError
    where there are fewer merges.
    """
    if not 0 <= n <= len(tokenizer.merges):
        raise ValueError(f"n is {n}; it must be from 0 to {len(tokenizer.merges)}, all its merges")
    new_ids = {tokenizer._byte_ids[byte]: i for i, byte in enumerate(BYTE_ORDER)}
    new_ids |= {id: 256 + i for i, id in enumerate(tokenizer._made[:n])}
    merges = [(new_ids[first], new_ids[second]) for first, second in tokenizer.merges[:n]]
    special = sorted(tokenizer.special_tokens, key=tokenizer.special_tokens.get)
    return Tokenizer.from_merges(merges, tokenizer.splitter.pattern, special)
