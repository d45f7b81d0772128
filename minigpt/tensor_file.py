"""Named arrays in a file: safetensors, written by hand, with a checksum.

    8 bytes     length of the header, little-endian
    header      JSON: {"__metadata__": {...}, name: {"dtype", "shape", "data_offsets"}, ...},
                filled up with blanks to a multiple of 8
    the arrays  in the header's order, as they are in memory

The library `safetensors` reads it, as it reads everybody's. It is not written by it: of several
metadata it keeps no order, and the same model shall be the same bytes. Among the metadata is
`crc32`, so that a disk's or a copy's mistake is noticed; in files of others there is none, and
none is asked for.

Format: https://github.com/huggingface/safetensors; the checksum is zlib's (RFC 1952, section 8).
"""

import json
import zlib

import numpy as np
import safetensors

from bpe.files import atomic_file
from minigpt.weights import opening

DTYPES = {"float32": "F32", "float64": "F64"}


def write_tensors(path, arrays, metadata):
    """Write a dict of arrays and one of strings, in one piece.

    Raises OSError where the disk is full; then what was there before stays.
    """
    arrays = {name: np.ascontiguousarray(x) for name, x in sorted(arrays.items())}
    header, end = {}, 0
    header["__metadata__"] = metadata | {"crc32": checksum(arrays.__getitem__, arrays, metadata)}
    for name, x in arrays.items():
        offsets, end = [end, end + x.nbytes], end + x.nbytes
        shape = list(x.shape)
        header[name] = {"dtype": DTYPES[x.dtype.name], "shape": shape, "data_offsets": offsets}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for x in arrays.values():
            file.write(x.data)


def read_tensor(path, name):
    """Return one array of a safetensors file, None where there is none of that name."""
    with opening(path), safetensors.safe_open(path, "numpy") as file:
        return file.get_tensor(name) if name in file.keys() else None  # noqa: SIM118


def check_tensors(path, cure):
    """Raise ValueError, `cure` in it, where a file does not give the checksum that it carries."""
    with opening(path), safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        expected = metadata.pop("crc32", None)
        if expected is None:
            return
        found = checksum(file.get_tensor, file.keys(), metadata)
    if found != expected:
        raise ValueError(
            f"{path} is damaged: its checksum is {found} and must be {expected}; {cure}"
        )


def checksum(get, names, metadata):
    """Return the CRC-32 of the metadata and of the arrays `get(name)`, as hexadecimal digits.

    An array's name, type and shape count as well as what is in it.
    """
    found = zlib.crc32(json.dumps(sorted(metadata.items())).encode())
    for name in sorted(names):
        x = np.ascontiguousarray(get(name))
        found = zlib.crc32(f"{name} {x.dtype} {x.shape}".encode(), found)
        found = zlib.crc32(x.reshape(-1).view(np.uint8), found)
    return f"{found:08x}"
