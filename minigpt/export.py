"""A model's folder as one file for llama.cpp, and for what is built on it: Ollama, LM Studio.

Their GPT-2 is ours under other names, and with matrices (out, in). The file (gguf.py) also holds
the tokenizer, and of an assistant the chat template: without the guard of chat_template.py, for
llama.cpp has no normalizer that would take it out, so there a user can write control tokens.

This is not a way back: such a file cannot be loaded here.

Sources: gguf.md (the keys), and for GPT-2's names the converter that comes with llama.cpp.
"""

from pathlib import Path

from bpe.split import GPT2, GPT4
from bpe.tokenizer_json import GUARD, spell
from minigpt.amounts import format_bytes
from minigpt.chat_format import BOS, END
from minigpt.chat_template import check_template, read_template
from minigpt.checkpoint import load
from minigpt.gguf import BLOCK, write_gguf

# what our parameters are called there; h.3.ln_1.weight is blk.3.attn_norm.weight
NAMES = {
    "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm",
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip

TYPES = {"f16": "float16", "f32": "float32", "q8_0": "q8_0"}
FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7}  # general.file_type

# How llama.cpp calls what cuts and merges a text: by a pattern, and whether a chunk that is a token
# is left whole (ignore_merges, see bpe/tokenizer.py). It knows GPT-4's pattern from two other
# models; white space at the end of a text is cut otherwise there.
CUTS = {(GPT2, False): "gpt-2", (GPT4, False): "dbrx", (GPT4, True): "llama-bpe"}

NORMAL, CONTROL, UNUSED = 1, 3, 5  # kinds of tokens


def export(folder, path, type="f16"):
    """Write the model in `folder` as the file `path`, its matrices as `type`; say so in a line.

    Raises ValueError for what is no model's folder, for a tokenizer that llama.cpp has no name
    for, and for weights that the type cannot hold.
    """
    if type not in TYPES:
        raise ValueError(f"type is {type!r}; it must be one of {', '.join(TYPES)}")
    model, tokenizer = load(folder)
    if type == "q8_0" and model.config.n_embd % BLOCK:
        raise ValueError(
            f"n_embd is {model.config.n_embd}; as q8_0 it must be a multiple of {BLOCK}: take f16"
        )
    metadata = {
        "general.architecture": "gpt2",
        "general.name": Path(folder).resolve().name,
        "general.file_type": FILE_TYPES[type],
        "general.quantization_version": 2,  # of how q8_0 is laid out
        **shape(model.config),
        **vocabulary(tokenizer, model.config.vocab_size),
        **manners(folder, tokenizer),
    }
    arrays = {renamed(name): turned(name, w) for name, w in model.params.items()}
    # places and vectors are few, and stay exact
    types = {
        name: TYPES[type] if x.ndim == 2 and "position" not in name else "float32"
        for name, x in arrays.items()
    }
    write_gguf(path, metadata, arrays, types)
    size = format_bytes(Path(path).stat().st_size)
    return f"{path}: {model.config.n_params() / 1e6:.2f} M parameters as {type}, {size}"


def shape(config):
    """Return what llama.cpp must know of the model's shape."""
    return {
        "gpt2.context_length": config.n_positions,
        "gpt2.embedding_length": config.n_embd,
        "gpt2.feed_forward_length": 4 * config.n_embd,
        "gpt2.block_count": config.n_layer,
        "gpt2.attention.head_count": config.n_head,
        "gpt2.attention.layer_norm_epsilon": config.layer_norm_epsilon,
    }


def vocabulary(tokenizer, n_vocab):
    """Return the tokenizer as llama.cpp wants it, of `n_vocab` tokens.

    Raises ValueError where it cuts texts in a way that llama.cpp has no name for.
    """
    cut = tokenizer.splitter.pattern, tokenizer.ignore_merges
    if cut not in CUTS:
        raise ValueError(
            f"the tokenizer cuts texts by {cut[0]!r}{', with ignore_merges' if cut[1] else ''}; "
            "llama.cpp must know how, and knows the patterns gpt2 and gpt4, and gpt4 with "
            "ignore_merges"
        )
    words = {id: spell(token) for id, token in tokenizer.tokens.items()}
    specials = {id: name for name, id in tokenizer.special_tokens.items()}
    kinds = dict.fromkeys(words, NORMAL) | dict.fromkeys(specials, CONTROL)
    names = words | specials
    ids = range(n_vocab)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": CUTS[cut],
        "tokenizer.ggml.tokens": [names.get(id, f"<unused{id}>") for id in ids],
        "tokenizer.ggml.token_type": [kinds.get(id, UNUSED) for id in ids],
        "tokenizer.ggml.merges": [
            f"{words[first]} {words[second]}" for first, second in tokenizer.merges
        ],
    }


def manners(folder, tokenizer):
    """Return where a text begins and ends and, of an assistant, how a conversation is written."""
    template = read_template(folder)
    if template is None:  # a document begins and ends with the separator
        begin = end = tokenizer.eot_token
    else:
        check_template(folder, tokenizer)
        begin, end = (tokenizer.special_tokens[name] for name in (BOS, END["assistant"]))
    found = {
        "tokenizer.ggml.bos_token_id": begin,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.add_bos_token": template is None,  # a template begins with it
    }
    if template is not None:
        found["tokenizer.chat_template"] = without_guard(template)
    return found


def without_guard(template):
    """Return our template without what only transformers understands."""
    for part in (
        f".replace('|', '|{ascii(GUARD)[1:-1]}')", "{%- generation -%}", "{%- endgeneration -%}"
    ):  # fmt: skip
        template = template.replace(part, "")
    return template


def renamed(name):
    """Return what llama.cpp calls a parameter."""
    *where, kind = name.split(".")
    block = ""
    if where[0] == "h":
        block, where = f"blk.{where[1]}.", where[2:]
    return f"{block}{NAMES['.'.join(where)]}.{kind}"


def turned(name, w):
    """Return a matrix of a linear layer as (out, in), anything else as it is."""
    return w.T if name.startswith("h.") and w.ndim == 2 else w
