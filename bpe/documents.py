"""Read documents: text files, or JSON Lines with a "text" field; either may be gzipped (`.gz`).

JSON Lines (jsonlines.org) is a JSON object a line, here {"text": "..."} and whatever else: what
FineWeb and most data for language models comes in. This is not where it is made (`crawler`).
"""

import codecs
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

PIECE_BYTES = 1 << 20  # read at a time


def documents(path: str | Path) -> Iterator[str]:
    """Read the texts of a file: the `text` fields of `.jsonl`, else the whole as one text.

    A byte-order mark is dropped. Raises ValueError, naming the file and the place, for an empty,
    binary or truncated file and for a malformed line.
    """
    return map("".join, documents_in_pieces(path))


def documents_in_pieces(path: str | Path) -> Iterator[Iterable[str]]:
    """Do what `documents` does, but give each text as pieces, so that none need fit in memory.

    Where a piece ends means nothing. The pieces of a text must be taken before the next text.
    """
    path = Path(path)
    lines, opener = kind(path)
    with opener(path, "rb") as file:
        if lines:
            yield from ([text] for text in _json_lines(path, file))
        else:
            yield _whole_text(path, file)


def kind(path: str | Path) -> tuple[bool, Callable[..., BinaryIO]]:
    """Tell by its name whether a file is JSON Lines, and what opens it."""
    name = Path(path).name.lower()
    return name.endswith((".jsonl", ".jsonl.gz")), gzip.open if name.endswith(".gz") else open


def _whole_text(path: Path, file: BinaryIO) -> Iterator[str]:
    decoder, offset, begun = codecs.getincrementaldecoder("utf-8")(), 0, False
    while data := whole_gzip(path, file.read, PIECE_BYTES):
        text = _decode(data, f"{path}: ", offset, decoder.decode)
        yield text if begun else text.removeprefix("\ufeff")
        offset, begun = offset + len(data), begun or text != ""
    if not offset:
        raise ValueError(f"{path}: empty; a document must have text in it")
    _decode(b"", f"{path}: ", offset, partial(decoder.decode, final=True))


def _json_lines(path: Path, file: BinaryIO) -> Iterator[str]:
    offset = number = 0
    while line := whole_gzip(path, file.readline):
        number += 1
        where = f"{path}, line {number}: "
        text = _decode(line, where, offset, bytes.decode)
        offset += len(line)
        if number == 1:
            text = text.removeprefix("\ufeff")
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}no valid JSON ({error}); mend or remove the line") from None
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise ValueError(f'{where}{text[:40]!r}; a line must be like {{"text": "..."}}')
        yield record["text"]
    if not offset:
        raise ValueError(f"{path}: empty; it must hold documents, one a line")


def whole_gzip(path: str | Path, read: Callable[..., bytes], *arguments: int) -> bytes:
    """Read; raise ValueError where a gzip file is damaged."""
    try:
        return read(*arguments)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged or truncated gzip ({error}); fetch it again") from None


def _decode(data: bytes, where: str, offset: int, decode: Callable[[bytes], str]) -> str:
    """Decode UTF-8 that stands at byte `offset` of a file; raise ValueError for what is no text."""
    bad = data.find(0)
    if bad < 0:
        try:
            return decode(data)
        except UnicodeDecodeError as error:
            # It begins with what was left of the bytes before.
            offset -= len(error.object) - len(data)
            data, bad = error.object, error.start
    raise ValueError(
        f"{where}byte 0x{data[bad]:02x} at offset {offset + bad} is not text; "
        "a document must be UTF-8: convert it, or leave a binary file out"
    )
