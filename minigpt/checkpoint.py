"""A model as a folder in Hugging Face's GPT-2 format, and the state of a training run beside it.

    config.json, generation_config.json      the model's shape; its separator's id
    tokenizer.json, tokenizer_config.json    the tokenizer, copied
    model.safetensors                        the parameters under GPT-2's names
    training_state.safetensors               weights and the optimizer's moments, three flat arrays,
                                             and as metadata where the run is: for resuming

`transformers.AutoModelForCausalLM.from_pretrained(folder)` loads the folder as it is, and `load`
loads what others saved: weights.py says in which forms. Each file is replaced in one piece. The
training state holds the weights a second time, so that weights and moments cannot come from
different steps, whenever the process is killed. Both carry a checksum, see tensor_file.py.
"""

import json
from dataclasses import asdict
from pathlib import Path

import safetensors

from bpe import Tokenizer
from bpe.files import atomic_write
from minigpt import run_lock
from minigpt.amounts import format_bytes
from minigpt.backend import open_device, to_numpy
from minigpt.config import ModelConfig
from minigpt.dataset import SEPARATOR
from minigpt.machine import most_memory
from minigpt.model import GPT
from minigpt.tensor_file import check_tensors, read_tensor, write_tensors
from minigpt.weights import MODEL, fill, find, opening

STATE = "training_state.safetensors"
# what stands beside the weights in a model's folder
DESCRIPTION = "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"

SIZES = "vocab_size", "n_positions", "n_embd", "n_layer", "n_head"  # in config.json, as in ours

# Settings of a GPT-2 in config.json for which model.py knows this value only.
FIXED = {
    "activation_function": "gelu_new",
    "tie_word_embeddings": True,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}

SAME = {"activation_function": "gelu_pytorch_tanh"}  # another name for the same
TOKENIZERS = ("tokenizer.json", "vocab.json", "encoder.json")  # the first that is there


def load(folder, device="cpu"):
    """Return (model, tokenizer) from a folder; `device` is "cpu" or "gpu".

    Raises ValueError, naming the file or tensor, for what is missing, cut off or of another shape.
    """
    config = read_config(Path(folder) / "config.json")
    tokenizer = load_tokenizer(folder, config)  # first, since it is read quickly
    return load_model(folder, device), tokenizer


def load_tokenizer(folder, config):
    """Return the tokenizer of a folder; raise ValueError where it does not fit the model."""
    folder = Path(folder)
    file = next((folder / f for f in TOKENIZERS if (folder / f).exists()), None)
    if file is None:
        raise ValueError(
            f"{folder / TOKENIZERS[0]} does not exist; {folder} must be a model's folder, as "
            "out/base"
        )
    tokenizer = Tokenizer.load(file)
    if tokenizer.n_vocab > config.vocab_size:
        raise ValueError(
            f"{file} has {tokenizer.n_vocab} symbols and the model {config.vocab_size}; they must "
            "belong together"
        )
    return tokenizer


def load_model(folder, device="cpu"):
    """Return the GPT of a folder; see `load`. In files that we saved, damage is noticed."""
    folder, device = Path(folder), open_device(device)
    config = read_config(folder / "config.json")
    found = find(folder, config)  # first, so that a misfit is reported before anything is built
    require_memory(folder, config, device)
    model = GPT(config, device)
    fill(model.params, found)
    model.renew_weights()
    if (folder / MODEL).exists():
        check_tensors(folder / MODEL, "copy it again or train it again")
    return model


class LackOfMemory(ValueError):
    """The memory that is free now is too small for a model; later it may not be."""


def require_memory(folder, config, device):
    """Raise LackOfMemory where the weights of a folder do not fit in the memory that is free."""
    n_bytes = 6 if device.low else 4  # float32, and bfloat16 beside it
    needed, (most, are) = n_bytes * config.n_params(), most_memory(device)
    if most is not None and needed > most:
        raise LackOfMemory(
            f"{folder} needs {format_bytes(needed)} of memory and {format_bytes(most)} {are}; "
            f"it must fit: end what else takes memory, or take a smaller model"
        )


def why_no_model(folder):
    """Say what there is where a model's folder was expected."""
    inside = sorted(str(path.parent) for path in folder.glob("*/config.json"))
    if inside:
        return f"{folder} holds models, and must be one of them: {', '.join(inside)}"
    rule = "it must be a model's folder, as out/base and out/chat, which `make train` makes"
    if folder.is_file():
        return f"{folder} is a file; {rule}"
    if not folder.exists():
        return f"{folder} does not exist; {rule}"
    if run_lock.is_held(folder):
        return f"{folder} holds no model yet: a run begins there; ask in a moment"
    return f"{folder} holds no config.json; {rule}"


def read_config(path):
    """Return the ModelConfig of a config.json."""
    try:
        values = json.loads(Path(path).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(why_no_model(Path(path).parent)) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a {type(values).__name__}; it must hold an object")
    if values.get("model_type") != "gpt2":
        raise ValueError(f"{path}: model_type is {values.get('model_type')!r}; it must be 'gpt2'")
    for name, value in FIXED.items():
        if values.get(name, value) not in (value, SAME.get(name, value)):
            raise ValueError(f"{path}: {name} is {values[name]!r}; it must be {value!r}")
    for name in SIZES:
        if type(values.get(name, 1)) is not int:
            raise ValueError(f"{path}: {name} is {values[name]!r}; it must be a whole number")
    try:
        same = {k: values[k] for k in (*SIZES, "layer_norm_epsilon")}
        config = ModelConfig(**same, dropout=values.get("resid_pdrop", 0.0))
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    if values.get("n_inner") not in (None, 4 * config.n_embd):
        raise ValueError(
            f"{path}: n_inner is {values['n_inner']}; it must be {4 * config.n_embd}, 4 n_embd"
        )
    return config


def save_model(folder, model, tokenizer):
    """Write a model's folder, without a training state."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    c = model.config
    separator = tokenizer.eot_token
    ends = {"bos_token_id": separator, "eos_token_id": separator}
    write_json(
        folder / "config.json",
        {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            **{k: v for k, v in asdict(c).items() if k != "dropout"},
            **FIXED,
            "embd_pdrop": c.dropout,
            "resid_pdrop": c.dropout,
            "attn_pdrop": c.dropout,
            **ends,
        },
    )
    write_json(folder / "generation_config.json", {"do_sample": True, **ends})
    tokenizer.save(folder / "tokenizer.json")
    special = {"bos_token": SEPARATOR, "eos_token": SEPARATOR, "unk_token": SEPARATOR}
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": c.n_positions,
            "clean_up_tokenization_spaces": False,
            **special,
        },
    )
    save_weights(folder, model)


def save_weights(folder, model):
    """Write the parameters alone."""
    tensors = {f"transformer.{name}": to_numpy(w) for name, w in model.params.items()}
    write_tensors(Path(folder) / MODEL, tensors, {"format": "pt"})


def save_state(folder, model, optimizer, progress):
    """Write the training state; `progress` is a dict that JSON can hold."""
    arrays = {"weights": model.params.flat, "m": optimizer.m, "v": optimizer.v}
    arrays = {name: to_numpy(x) for name, x in arrays.items()}
    write_tensors(Path(folder) / STATE, arrays, {"progress": json.dumps(progress)})


def read_progress(folder):
    """Return the `progress` of a folder's training state, None where there is none."""
    path = Path(folder) / STATE
    if not path.exists():
        return None
    with opening(path), safetensors.safe_open(path, "numpy") as file:
        return json.loads((file.metadata() or {})["progress"])


def load_state(folder, model, optimizer):
    """Fill `model` and `optimizer` from the training state; return its `progress`.

    Raises ValueError for a state that is damaged or of another shape.
    """
    path = Path(folder) / STATE
    check_tensors(path, "--fresh starts anew")
    for name, flat in (("weights", model.params.flat), ("m", optimizer.m), ("v", optimizer.v)):
        array = read_tensor(path, name)  # one after the other: three more would take memory
        if array is None or array.shape != flat.shape:
            raise ValueError(f"{path}: {name} must be an array of shape {flat.shape}")
        flat[...] = model.device.xp.asarray(array)
    model.renew_weights()
    return read_progress(folder)


def write_json(path, value):
    """Write `value` as JSON, in one piece."""
    atomic_write(path, (json.dumps(value, indent=2) + "\n").encode())
