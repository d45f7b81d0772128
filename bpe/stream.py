"""Encode a text of any length piece by piece, in little memory.

What is read is kept until it can be cut where neither a chunk nor a special token goes across, so
the ids are those of the whole. This is not the encoding of the pieces (`plain.py`, `fast.py`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from bpe.special import refuse
from bpe.split import LAST_SAFE_CUT, special_tokens_regex

PIECE_CHARS = 5000

# Text that is encoded by itself, and the special token behind it.
Part = tuple[str, str | None]


def encode_stream(
    parts: Iterable[Part],
    encode_each: Callable[[Sequence[str]], Iterable[Iterable[int]]],
    special_ids: Mapping[str, int],
) -> Iterator[int]:
    """Encode parts, short ones several at a time; yield the ids one by one."""

    def encode(batch: list[Part]) -> Iterator[int]:
        encoded = encode_each([text for text, _ in batch])
        for ids, (_, special) in zip(encoded, batch, strict=True):
            yield from ids
            if special is not None:
                yield special_ids[special]

    batch, size = [], 0
    for part in parts:
        batch.append(part)
        size += len(part[0])
        if size >= PIECE_CHARS:
            yield from encode(batch)
            batch, size = [], 0
    yield from encode(batch)


def cut_stream(
    texts: Iterable[str], allowed: Collection[str], disallowed: Collection[str], can_cut: bool
) -> Iterator[Part]:
    """Cut what `texts` are together into parts.

    Without `can_cut`, for a pattern of one's own, only special tokens end a part. Raises ValueError
    for what is no str, and as `refuse`.
    """
    specials = special_tokens_regex(allowed)
    longest = max(map(len, [*allowed, *disallowed]), default=1)
    offset, wanted = 0, PIECE_CHARS  # of what is held, in characters; how much is worth a look
    held, size = [], 0
    for piece in short_pieces(texts):
        held.append(piece)
        size += len(piece)
        if size < wanted:
            continue
        text, done = "".join(held), 0
        refuse(text, disallowed, offset)
        end = max(len(text) - longest + 1, 0)  # a special token that begins before is all there
        for found in specials.finditer(text):
            if found.end() > end:
                end = min(end, found.start())
                break
            yield text[done : found.start()], found[0]
            done = found.end()
        if can_cut and (cut := LAST_SAFE_CUT.search(text, done, end)):
            yield text[done : cut.end()], None
            done = cut.end()
        offset += done
        held, size = [text[done:]], len(text) - done
        wanted = max(PIECE_CHARS, 2 * size)  # what cannot be cut is not looked at again and again
    text = "".join(held)
    refuse(text, disallowed, offset)
    *parts, last = specials.split(text)
    yield from zip(parts[::2], parts[1::2], strict=True)
    yield last, None


def short_pieces(texts: Iterable[str]) -> Iterator[str]:
    """Cut texts into pieces of at most PIECE_CHARS."""
    one = isinstance(texts, str | bytes) or not isinstance(texts, Iterable)
    for text in [texts] if one else texts:
        if not isinstance(text, str):
            raise ValueError(
                f"text is {type(text).__name__}; it must be str: open a file with encoding='utf-8'"
            )
        for start in range(0, len(text), PIECE_CHARS):
            yield text[start : start + PIECE_CHARS]
