"""Check that tokens, merges and special tokens make a vocabulary that can encode and decode."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count

from bpe.naive import Pair
from bpe.ranks import require_every_byte
from bpe.special import check_special_tokens
from bpe.split import to_bytes

MOST_ID = 2**32 - 1  # ids in arrays are uint32


def check_vocabulary(
    tokens: Mapping[int, bytes],
    merges: Sequence[Pair],
    special_tokens: Mapping[str, int],
    ignore_merges: bool,
) -> None:
    """Raise ValueError for the first contradiction between tokens, merges and special tokens."""
    taken = [*tokens, *special_tokens.values()]
    for id in taken:
        if not isinstance(id, int) or id < 0:
            raise ValueError(f"id is {repr(id)[:40]}; it must be a whole number from 0 up")
    ids = set(taken)
    free = next(id for id in count() if id not in ids)
    if free < max(tokens, default=0):
        raise ValueError(f"no token has id {free}; ids must go up without a gap")

    require_every_byte(set(tokens.values()))
    id_of = {}
    for id, token in tokens.items():
        if not token:
            raise ValueError(f"token {id} is empty; it must be one byte or more")
        if id_of.setdefault(token, id) != id:
            raise ValueError(f"ids {id_of[token]} and {id} are both {token!r}; keep one")

    unmade = {token for token in id_of if len(token) > 1}
    for rank, (first, second) in enumerate(merges):
        if first not in tokens or second not in tokens:
            raise ValueError(f"merge {rank} joins ids {first} and {second}; both must be tokens")
        token = tokens[first] + tokens[second]
        if token not in id_of:
            raise ValueError(f"merge {rank} makes {token!r}; that must be a token")
        unmade.discard(token)
    if len(set(merges)) != len(merges):
        raise ValueError("merges hold a pair twice; each must stand once")
    if unmade and not ignore_merges:
        raise ValueError(f"no merge makes token {id_of[min(unmade)]}, {min(unmade)!r}; one must")

    check_special_tokens(special_tokens)
    times_taken = Counter(taken)
    for text, id in special_tokens.items():
        if id > MOST_ID:
            raise ValueError(f"special token {text!r} has id {id}; it must be at most {MOST_ID}")
        if times_taken[id] > 1:
            raise ValueError(f"special token {text!r} has id {id}; another token has it already")
        if to_bytes(text) in id_of:
            raise ValueError(f"special token {text!r} is an ordinary token too; choose another")
