"""Rank files, `.tiktoken`: a line a token, "base64-of-the-bytes rank", in the order of ranks.

That is tiktoken's format. It says neither which tokens are special nor how text is cut: see
`published.py`.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from bpe.files import atomic_write


def read_ranks(path: str | Path) -> dict[int, bytes]:
    """Read rank -> bytes; raise ValueError where a line is malformed or a rank missing or twice."""
    tokens = {}
    for number, line in enumerate(Path(path).read_bytes().splitlines(), start=1):
        if not line:
            continue
        try:
            word, rank = line.split(b" ")
            token, rank = base64.b64decode(word, validate=True), int(rank)
        except (ValueError, binascii.Error):
            raise ValueError(
                f"line {number} is {line[:40]!r}; it must be base64, a space and a rank"
            ) from None
        if rank in tokens:
            raise ValueError(f"line {number} has rank {rank} a second time; each must stand once")
        tokens[rank] = token
    for rank in range(len(tokens)):
        if rank not in tokens:
            raise ValueError(
                f"rank {rank} is missing of {len(tokens)}; ranks must go up from 0 without a gap: "
                "the file has lost a line"
            )
    return tokens


def write_ranks(path: str | Path, tokens: Mapping[int, bytes]) -> None:
    """Write id -> bytes as ranks."""
    lines = (b"%s %d\n" % (base64.b64encode(token), id) for id, token in sorted(tokens.items()))
    atomic_write(path, b"".join(lines))
