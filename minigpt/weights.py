"""Read the parameters of any Hugging Face GPT-2 folder: OpenAI's four sizes, and what others saved.

    model.safetensors                 all tensors; or, where that would be too large,
    model.safetensors.index.json      {"weight_map": {tensor: file}} and the files (shards) it names

Tensors may be called `h.0.ln_1.weight`, as in what OpenAI published, or
`transformer.h.0.ln_1.weight`, as GPT2LMHeadModel saves them. They may be float64, float32, float16
or bfloat16. Some files hold more than the parameters, which is checked or left out: the causal
mask (`attn.bias`, `attn.masked_bias`), and the output matrix `lm_head.weight`, which in GPT-2 is
the token embedding once more. Anything else unknown is refused: it would be ignored silently.

Pickled weights (pytorch_model.bin) are not read: unpickling runs whatever code is in the file.

Format: https://github.com/huggingface/safetensors (8-byte header length, JSON, raw arrays).
"""

import contextlib
import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors

from bpe.mistakes import reason
from minigpt.backend import array_module, to_numpy
from minigpt.model import param_shapes

MODEL, INDEX, PICKLE = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
HEAD, PREFIX = "lm_head.weight", "transformer."
SOON_NAMED = 1000  # layers; the names of a billion would fill the memory
MASK = re.compile(r"h\.\d+\.attn\.(masked_)?bias")


def fill(params, found):
    """Fill the arrays of `params` from what `find` returned.

    Raises ValueError, naming file and tensor, for one that is cut off, of another type or not
    finite, and for an output matrix that is not the token embedding.
    """
    for name, w in params.items():
        w[...] = array_module(w).asarray(found[name].read())
        # both are NaN where a number is; two passes are less work than to ask each number
        if not math.isfinite(float(w.min()) + float(w.max())):
            raise ValueError(
                f"{found[name].path}: {name} holds numbers that are not finite; all must be: copy "
                "it again or train it again"
            )
    if HEAD in found:
        check_head(found[HEAD], params["wte.weight"])


def find(folder, config):
    """Return {name: Tensor} for the parameters, and the head if it is there; read only headers.

    Raises ValueError, naming file, tensor and shapes, for what is missing, unknown, cut off or of
    another shape, and for shards that contradict their index.
    """
    folder, found, unknown = Path(folder), {}, {}
    there = tensors(folder)
    if config.n_layer > max(SOON_NAMED, len(there)):
        raise ValueError(
            f"{folder / 'config.json'} says that n_layer is {config.n_layer}, and beside it are "
            f"{len(there)} tensors, of which each layer has 12; the two must belong together"
        )
    shapes = param_shapes(config)
    for tensor in in_order(there, [*shapes]):
        name = tensor.name
        if name == HEAD and "wte.weight" not in found:
            name = "wte.weight"  # the one matrix was saved under its other name
        if name in found:
            raise ValueError(
                f"{tensor.path} has {name} a second time; {found[name].path} has it already"
            )
        if tensor.shape != shapes.get(name, tensor.shape):
            raise ValueError(
                f"{tensor.path}: {name} has shape {tensor.shape}; "
                f"by config.json it must be {shapes[name]}"
            )
        (found if name in shapes or name == HEAD else unknown)[name] = tensor
    check_complete(shapes, found, unknown, folder)
    return found


def check_complete(shapes, found, unknown, folder):
    """Raise ValueError where a parameter is missing, or a tensor is none."""
    where = folder / (MODEL if (folder / MODEL).exists() else INDEX)
    some = ", ".join(f"{name} {tensor.shape}" for name, tensor in [*unknown.items()][:3])
    missing = [name for name in shapes if name not in found]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        instead = f"; it has {some}, which a GPT-2 has not" if unknown else ""
        raise ValueError(
            f"{where} lacks {missing[0]}, of shape {shapes[missing[0]]}{more}{instead}"
        )
    if unknown:
        raise ValueError(
            f"{where} has {some}, which a GPT-2 of the shape in config.json has not; "
            "the two must belong together"
        )


def check_head(head, wte):
    """Raise ValueError where the output matrix is another one than the token embedding."""
    if head.shape != wte.shape:
        raise ValueError(f"{head.path}: {HEAD} has shape {head.shape}; it must be {wte.shape}")
    if not np.array_equal(head.read().astype(wte.dtype), to_numpy(wte)):
        raise ValueError(
            f"{head.path}: {HEAD} differs from wte.weight; in a GPT-2 they are one matrix"
        )


# ---- the files ---------------------------------------------------------------------------------


class Tensor(NamedTuple):
    """A tensor of a file, not read yet; `name` is without the prefix."""

    path: Path
    full_name: str
    shape: tuple
    dtype: str  # as safetensors calls it: "F32", "BF16"

    @property
    def name(self):
        return self.full_name.removeprefix(PREFIX)

    def read(self):
        """Return it as an array; bfloat16 becomes float32. Raises ValueError for other types."""
        if self.dtype == "BF16":
            return read_bfloat16(self.path, self.full_name)
        if self.dtype not in ("F64", "F32", "F16"):
            raise ValueError(
                f"{self.path}: {self.name} is of type {self.dtype}; "
                "it must be F32, F16, BF16 or F64"
            )
        with opening(self.path), safetensors.safe_open(self.path, "numpy") as file:
            return file.get_tensor(self.full_name)


def tensors(folder):
    """List the tensors of a folder but for masks."""
    found = []
    for path, names in tensor_files(folder):
        with opening(path), safetensors.safe_open(path, "numpy") as file:
            for name in names or file.keys():
                part = file.get_slice(name)
                found.append(Tensor(path, name, tuple(part.get_shape()), part.get_dtype()))
    return [tensor for tensor in found if not MASK.fullmatch(tensor.name)]


def in_order(found, names):
    """Return tensors in the order of `names`, then others: of several faults the first is told."""
    place = {name: i for i, name in enumerate(names)}
    return sorted(found, key=lambda tensor: place.get(tensor.name, len(place)))


def tensor_files(folder):
    """List (path, names of the tensors in it) for each file; no names where it says so itself."""
    if (folder / MODEL).exists():
        return [(folder / MODEL, None)]
    index = folder / INDEX
    if not index.exists():
        cure = ""
        if (folder / PICKLE).exists():
            cure = (
                f"; {PICKLE} is not read, for unpickling runs code: let transformers load the "
                "folder and save_pretrained() it"
            )
        raise ValueError(f"{folder / MODEL} does not exist{cure}")
    try:
        weight_map = json.loads(index.read_text("utf-8"))["weight_map"]
        shards = {}
        for name, file in weight_map.items():
            shards.setdefault(file, []).append(name)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index} is no index of shards ({reason(error)})") from error
    for file in shards:
        if not isinstance(file, str) or Path(file).name != file or file in ("", ".."):
            raise ValueError(f"{index} names {file!r}; it must be a file beside it")
        if not (folder / file).exists():
            raise ValueError(f"{folder / file} does not exist; {index} names it: fetch it too")
    for file, names in shards.items():
        check_shard(folder / file, names, index)
    return [(folder / file, names) for file, names in shards.items()]


def check_shard(path, names, index):
    """Raise ValueError where a shard holds other tensors than its index says."""
    with opening(path), safetensors.safe_open(path, "numpy") as file:
        there = set(file.keys())
    for name in sorted(there ^ set(names)):
        says, has = ("has", "lacks") if name in names else ("does not have", "has")
        raise ValueError(
            f"{index} says that {path.name} {says} {name}, but it {has} it; the files must be of "
            "one model"
        )


@contextlib.contextmanager
def opening(path):
    """Turn the ways in which a safetensors file can be bad into one ValueError."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file ({error}); it may have been cut off: fetch it "
            f"again, or delete it, and the run that made it will continue or begin anew"
        ) from error


def read_bfloat16(path, name):
    """Return a bfloat16 tensor as float32, of which it is the upper half; NumPy has no bfloat16."""
    with open(path, "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_bytes))[name]
        start, end = entry["data_offsets"]
        file.seek(8 + header_bytes + start)
        upper = np.frombuffer(file.read(end - start), "<u2")
    return (upper.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
