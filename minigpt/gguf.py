"""Metadata and named arrays in one file: GGUF, llama.cpp's format, written by hand.

    4 bytes     "GGUF"
    4           the format's version, 3
    8 and 8     the number of arrays, and of metadata
    metadata    each a key, the number of its type, its value
    arrays      each a name, the number of dimensions, those, the number of its type, and where it
                begins in what follows
    zeros       up to a multiple of 32, here and after each array
    the arrays

All numbers are little-endian. A text is its length in 8 bytes, then UTF-8; a list the type of its
elements, their number in 8 bytes, then they. Dimensions stand the other way round than NumPy's: the
first is the one whose elements lie side by side.

As q8_0 an array takes about a quarter of the room that it takes as float32. Each 32 numbers of a
row are a scale, float16, and 32 whole numbers from -127 to 127 that it multiplies.

What must be in such a file for a model to be of use is another matter: see export.py.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct

import numpy as np

from bpe.files import atomic_file

VERSION, ALIGNMENT = 3, 32

# The numbers of the types of values, and how one is written; of a text and a list see `value`.
U32, I32, F32, BOOL, TEXT, LIST = 4, 5, 6, 7, 8, 9
FORMATS = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
TYPES = {bool: BOOL, int: U32, float: F32, str: TEXT, list: LIST}

# The numbers of the types of arrays, and the largest number that each can hold.
ARRAYS = {"float32": 0, "float16": 1, "q8_0": 8}
LARGEST = {"float32": math.inf, "float16": 65504, "q8_0": 127 * 65504}
BLOCK = 32  # numbers with one scale


def write_gguf(path, metadata, arrays, types):
    """Write a dict of metadata and one of float32 arrays, in one piece.

    A value is a bool, an int from 0 to 2^32 - 1, a float, a str, or a list of str or of ints.
    `types` says for each name as what its array is written: "float32", "float16" or, if its rows
    are a multiple of 32 long, "q8_0". One array at a time is in memory as that. Raises ValueError
    for a number that is not finite or too large for its type, and OSError where the disk is full;
    then what was there before stays.
    """
    for name, x in arrays.items():
        largest = np.abs(x).max(initial=0)
        if not np.isfinite(largest):
            raise ValueError(f"{name} holds numbers that are not finite; all must be")
        if largest > LARGEST[types[name]]:
            raise ValueError(
                f"{name} holds a number of size {largest:.6g}; as {types[name]} it must be at most "
                f"{LARGEST[types[name]]}: write float32"
            )
    header = [b"GGUF", struct.pack("<IQQ", VERSION, len(arrays), len(metadata))]
    for key, x in metadata.items():
        header += [text(key), struct.pack("<I", TYPES[type(x)]), value(x)]
    begins = 0
    for name, x in arrays.items():
        dimensions = struct.pack(f"<I{x.ndim}Q", x.ndim, *reversed(x.shape))
        header += [text(name), dimensions, struct.pack("<IQ", ARRAYS[types[name]], begins)]
        n_bytes = size(x.shape, types[name])
        begins += n_bytes + padding(n_bytes)
    header = b"".join(header)
    with atomic_file(path) as file:
        file.write(header + bytes(padding(len(header))))
        for name, x in arrays.items():
            x = q8_0(x) if types[name] == "q8_0" else np.ascontiguousarray(x, types[name])
            file.write(x.data)
            file.write(bytes(padding(x.nbytes)))


def size(shape, type):
    """Return how many bytes an array takes."""
    if type == "q8_0":
        return math.prod(shape) // BLOCK * (2 + BLOCK)
    return math.prod(shape) * np.dtype(type).itemsize


def q8_0(x):
    """Return float32 numbers in blocks, each a scale and whole numbers: (N, 34) bytes."""
    blocks = np.ascontiguousarray(x).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)  # (N, 1)
    blocks = blocks * (1 / np.where(scale, scale, 1))
    # To the nearest, a half away from 0, as llama.cpp does it: the same bytes.
    whole = np.floor(np.abs(blocks))
    whole += np.abs(blocks) - whole >= 0.5
    whole = np.copysign(whole, blocks).astype(np.int8)  # (N, 32)
    return np.concatenate((scale.astype("<f2").view(np.uint8), whole.view(np.uint8)), axis=1)


def padding(n_bytes):
    """Return how many bytes are missing to a multiple of ALIGNMENT."""
    return -n_bytes % ALIGNMENT


def text(x):
    """Return a text as it stands in the file."""
    data = x.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def value(x):
    """Return a value as it stands in the file, without its type."""
    if isinstance(x, str):
        return text(x)
    if isinstance(x, list):
        kind = TEXT if x and isinstance(x[0], str) else I32
        elements = map(text, x) if kind == TEXT else (struct.pack("<i", i) for i in x)
        return struct.pack("<IQ", kind, len(x)) + b"".join(elements)
    return struct.pack(FORMATS[TYPES[type(x)]], x)
