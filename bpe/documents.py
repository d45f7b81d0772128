"""Read documents: text files, or JSON Lines with a "text" field; either may be gzipped (`.gz`).

JSON Lines (jsonlines.org) is a JSON object a line, here {"text": "..."} and whatever else: what
FineWeb and most data for language models comes in. This is not where it is made (`crawler`).

Windows ends a line of a text file with \\r\\n, which is read as \\n: the same words at the end of a
line should be the same tokens everywhere. Texts in JSON Lines are what they are.
"""

import codecs
import gzip
import json
import shlex
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

PIECE_BYTES = 1 << 20  # read at a time


def documents(path: str | Path, exact: bool = False) -> Iterator[str]:
    """Read the texts of a file: the `text` fields of `.jsonl`, else the whole as one text.

    A byte-order mark is dropped, and line ends become \\n unless they shall be `exact`. Raises
    ValueError, naming the file and the place, for an empty, binary or truncated file and for a
    malformed line.
    """
    return map("".join, documents_in_pieces(path, exact))


def documents_in_pieces(path: str | Path, exact: bool = False) -> Iterator[Iterable[str]]:
    """Do what `documents` does, but give each text as pieces, so that none need fit in memory.

    Where a piece ends means nothing. The pieces of a text must be taken before the next text.
    """
    path = Path(path)
    lines, opener = kind(path)
    with opener(path, "rb") as file:
        if lines:
            yield from ([text] for text in _json_lines(path, file))
        else:
            pieces = _whole_text(path, file)
            yield pieces if exact else _with_plain_line_ends(pieces)


def kind(path: str | Path) -> tuple[bool, Callable[..., BinaryIO]]:
    """Tell by its name whether a file is JSON Lines, and what opens it."""
    name = Path(path).name.lower()
    return name.endswith((".jsonl", ".jsonl.gz")), gzip.open if name.endswith(".gz") else open


def _whole_text(path: Path, file: BinaryIO) -> Iterator[str]:
    decoder, offset, begun = codecs.getincrementaldecoder("utf-8")(), 0, False
    while data := whole_gzip(path, file.read, PIECE_BYTES):
        text = _decode(data, path, "", offset, decoder.decode)
        yield text if begun else text.removeprefix("\ufeff")
        offset, begun = offset + len(data), begun or text != ""
    if not offset:
        raise ValueError(f"{path}: empty; a document must have text in it")
    _decode(b"", path, "", offset, partial(decoder.decode, final=True))


def _with_plain_line_ends(pieces: Iterable[str]) -> Iterator[str]:
    """Make \\r\\n into \\n, also where a piece ends between the two."""
    held = ""
    for piece in pieces:
        piece = held + piece
        held = "\r" if piece.endswith("\r") else ""
        yield piece.removesuffix("\r").replace("\r\n", "\n")
    if held:
        yield held


def _json_lines(path: Path, file: BinaryIO) -> Iterator[str]:
    offset = number = 0
    while line := whole_gzip(path, file.readline):
        number += 1
        place = f", line {number}"
        where = f"{path}{place}: "
        text = _decode(line, path, place, offset, bytes.decode)
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


def _decode(
    data: bytes, path: Path, place: str, offset: int, decode: Callable[[bytes], str]
) -> str:
    """Decode UTF-8 that stands at byte `offset` of a file; raise ValueError for what is no text."""
    is_utf16 = offset == 0 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    bad = data.find(0)
    cure = "a binary file; leave it out"
    if bad < 0:
        try:
            return decode(data)
        except UnicodeDecodeError as error:
            # It begins with what was left of the bytes before.
            offset -= len(error.object) - len(data)
            data, bad = error.object, error.start
            cure = f"if it is Latin-1, as of old Windows: {iconv('LATIN1', path)}"
    if is_utf16:
        bad, cure = 0, f"it looks like UTF-16: {iconv('UTF-16', path)}"
    raise ValueError(
        f"{path}{place}: byte 0x{data[bad]:02x} at offset {offset + bad} is not text; "
        f"a document must be UTF-8; {cure}"
    )


def iconv(encoding: str, path: str | Path) -> str:
    """Give the command that converts a file to UTF-8, beside it.

    >>> iconv("LATIN1", "my/book.txt.gz")
    'gzip -dc my/book.txt.gz | iconv -f LATIN1 -t UTF-8 > my/book-utf8.txt'
    """
    plain = Path(str(path).removesuffix(".gz"))
    new = shlex.quote(str(plain.with_name(f"{plain.stem}-utf8{plain.suffix}")))
    old, convert = shlex.quote(str(path)), f"iconv -f {encoding} -t UTF-8"
    is_gzip = plain != Path(path)
    return f"gzip -dc {old} | {convert} > {new}" if is_gzip else f"{convert} {old} > {new}"
