"""What HTTP did to a page on its way, undone: chunks (RFC 9112, 7.1), compression (RFC 9110, 8.4).

All of it with a limit on what may come out: a few kilobytes of gzip can stand for gigabytes. Brotli
and zstd are not in the standard library; the crawler does not ask for them.
"""

import re
import zlib

MAX_BODY_BYTES = 64 * 2**20
MAX_CODINGS = 5  # one after the other; nobody needs two
_PIECE_BYTES = 2**14
_NO_CODING = frozenset(["", "identity", "none", "utf-8", "iso-8859-1"])  # the last three by mistake
_GZIP_MAGIC = b"\x1f\x8b"
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]+)""", re.I)
CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


class TooLargeError(ValueError):
    """More bytes come out than may."""


def media_type(content_type: str) -> tuple[str, str | None]:
    """Split `text/html; charset=utf-8` in two, in lower case (RFC 9110, 8.3)."""
    charset = _CHARSET.search(content_type)
    name = re.split("[;,]", content_type, maxsplit=1)[0]  # a comma where the field is there twice
    return name.strip().lower(), charset[1].lower() if charset else None


def decode_content(body: bytes, coding: str, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Undo a Content-Encoding, such as `gzip` or `deflate, gzip` (the last was applied last).

    Raises ValueError for an unknown coding or broken data, TooLargeError for more than `max_bytes`.
    """
    names = [part.strip().lower() for part in coding.split(",")]
    if len(names) > MAX_CODINGS:
        raise ValueError(f"there are {len(names)} content codings; the limit is {MAX_CODINGS}")
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            body = _inflate(body, 16 + zlib.MAX_WBITS, max_bytes)
        elif name == "deflate":
            body = _inflate(body, _deflate_window(body), max_bytes)
        elif name not in _NO_CODING:
            raise ValueError(f"the content coding is {name[:40]!r}; known are gzip and deflate")
    if len(body) > max_bytes:
        raise TooLargeError(f"the page has {len(body)} bytes; the limit is {max_bytes}")
    return body


def decode_chunked(body: bytes, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Join the chunks of a body; raises ValueError where no chunk begins or one is cut short."""
    parts, size, at = [], 0, 0
    while True:
        match = CHUNK_SIZE.match(body, at)
        if not match:
            raise ValueError(f"no chunk size at byte {at} of a body said to come in chunks")
        length = int(match[1], 16)
        if length == 0:
            return b"".join(parts)  # trailer fields may follow: nobody needs them
        size += length
        if size > max_bytes:
            raise TooLargeError(f"the chunks make more than {max_bytes} bytes")
        end = match.end() + length
        if end > len(body):
            raise ValueError(f"the chunk at byte {at} is cut short")
        parts.append(body[match.end() : end])
        at = end + (2 if body[end : end + 2] == b"\r\n" else body[end : end + 1] == b"\n")


def _inflate(body: bytes, window_bits: int, max_bytes: int) -> bytes:
    """Decompress; gzip data may be several members one after another (RFC 1952, 2.2)."""
    out, at, is_gzip = bytearray(), 0, window_bits > zlib.MAX_WBITS
    while at < len(body):
        decoder = zlib.decompressobj(window_bits)
        while not decoder.eof:
            # in pieces, since zlib copies what follows a member: there may be 100,000 of them
            piece = body[at : at + _PIECE_BYTES]
            if not piece:
                raise ValueError("the compressed page is cut short")
            try:
                out += decoder.decompress(piece, max_bytes + 1 - len(out))
            except zlib.error as error:
                raise ValueError(f"the compressed page is broken: {error}") from None
            if len(out) > max_bytes:
                raise TooLargeError(f"the page has more than {max_bytes} bytes when decompressed")
            at += len(piece) - len(decoder.unused_data)
        if not (is_gzip and body.startswith(_GZIP_MAGIC, at)):
            break  # what follows is padding
    return bytes(out)


def _deflate_window(body: bytes) -> int:
    """Tell zlib's format, which RFC 9110 means by deflate, from the bare one that some send."""
    has_zlib_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS
