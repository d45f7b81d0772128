"""Encode text chunk by chunk: cut it, merge each chunk, remember what came out.

Text repeats its words, so most chunks are looked up rather than merged. `fast.py` does the same
with NumPy, for longer texts and the patterns GPT4 and GPT2. It must give the ids that this gives;
whatever it does not take is encoded here.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from bpe.split import Splitter, to_bytes

CACHE_CHUNKS = 1 << 18  # chunks remembered: 20 MB of novels have 62,000 distinct ones
CACHE_CHUNK_CHARS = 64  # longer ones rarely come again


class PlainEncoder:
    """Encodes text with any pattern."""

    def __init__(self, splitter: Splitter, encode_chunk: Callable[[bytes], list[int]]):
        self._splitter = splitter
        self._encode_chunk = encode_chunk
        self._cache = Cache(lambda chunk: encode_chunk(to_bytes(chunk)))

    def encode(self, text: str, escaped: bool = False) -> Iterator[int]:
        """Encode `text`; `escaped`: it was bytes, decoded with Python's "surrogateescape"."""
        blocks = map(self._splitter.chunks, self._splitter.blocks(text))
        chunks = chain.from_iterable(blocks)
        if escaped:
            encoded = (self._encode_chunk(c.encode("utf-8", "surrogateescape")) for c in chunks)
        else:
            # A C loop from chunk to ids: the cache calls `encode_chunk` for what it does not know.
            encoded = map(self._cache.__getitem__, chunks)
        return chain.from_iterable(encoded)


class Cache(dict):
    """Remembers the ids of up to CACHE_CHUNKS chunks, then starts anew."""

    def __init__(self, encode: Callable[[str], list[int]]):
        self.encode = encode

    def __missing__(self, chunk: str) -> list[int]:
        ids = self.encode(chunk)
        if len(chunk) <= CACHE_CHUNK_CHARS:
            if len(self) >= CACHE_CHUNKS:
                self.clear()
            self[chunk] = ids
        return ids
