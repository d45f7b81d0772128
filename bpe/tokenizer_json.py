"""`tokenizer.json`, Hugging Face's format, written and read.

A JSON object whose "model" holds the vocabulary (token -> id) and the merges in order, whose
"pre_tokenizer" holds the pattern that cuts the text, and whose "added_tokens" are the special
tokens. Bytes are spelled as visible characters there: a space is "Ġ" (GPT-2's `bytes_to_unicode`).
`tokenizers.Tokenizer.from_file` finds the same ids; note that it takes special tokens in any text
as such: it does what `encode(text, allowed_special="all")` does here.

This is not a reader of every tokenizer: one that is not byte-level BPE is refused with the reason.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from bpe.files import atomic_write
from bpe.naive import BYTE_ORDER, VISIBLE
from bpe.split import GPT2

# GPT-2's bytes_to_unicode: a visible byte is its own character, the others follow from U+0100.
SPELLING = [chr(byte) if i < len(VISIBLE) else chr(256 + i - len(VISIBLE))
            for i, byte in enumerate(BYTE_ORDER)]  # fmt: skip
TO_SPELLING = dict(zip(BYTE_ORDER, SPELLING, strict=True))
FROM_SPELLING = {char: byte for byte, char in TO_SPELLING.items()}


# A chat template puts this noncharacter after each "|" of what a user typed, so that it holds no
# special token's text; this normalizer, applied after those were looked for, takes it out. Text
# that never went through a template has no guards, so here it needs no undoing.
GUARD = "\ufdd0"
GUARD_NORMALIZER = {"type": "Replace", "pattern": {"Regex": r"(?<=\|)" + GUARD}, "content": ""}

# A template that puts nothing around the text. transformers 5 saves it with every tokenizer.
TEXT_ALONE = [{"Sequence": {"id": "A", "type_id": 0}}]


def spell(token: bytes) -> str:
    """Spell bytes as visible characters: b" the" as "Ġthe"."""
    return "".join([TO_SPELLING[byte] for byte in token])


def unspell(word: str) -> bytes:
    """Invert `spell`; raise ValueError for a character that stands for no byte."""
    try:
        return bytes([FROM_SPELLING[char] for char in word])
    except KeyError as error:
        raise ValueError(
            f"token {word!r} holds {error.args[0]!r}, which stands for no byte; "
            "the vocabulary must be byte-level"
        ) from None


def write_tokenizer_json(path: str | Path, tokenizer) -> None:
    """Write a `Tokenizer`, byte for byte as `tokenizers` itself would save it.

    Raises ValueError where a special token reads like the spelling of an ordinary one.
    """
    words = {id: spell(token) for id, token in tokenizer.tokens.items()}
    specials = {id: text for text, id in tokenizer.special_tokens.items()}
    if twice := set(specials.values()) & set(words.values()):
        raise ValueError(
            f"special token {min(twice)!r} is how {unspell(min(twice))!r} is spelled in this file; "
            "choose another text"
        )
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    byte_level["use_regex"] = False  # the cutting is Split's
    split = {
        "type": "Split",
        "pattern": {"Regex": tokenizer.splitter.pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added_token(id, text) for id, text in sorted(specials.items())],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": _model(tokenizer, words, specials),
    }
    atomic_write(path, json.dumps(content, ensure_ascii=False, indent=2))


def _model(tokenizer, words: Mapping[int, str], specials: Mapping[int, str]) -> dict:
    """Return the "model": ids and merges, of what `words` and `specials` spell for each id."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": tokenizer.ignore_merges,
        # Special tokens stand here too, as in GPT-2's file: it fixes their ids.
        "vocab": {word: id for id, word in sorted((words | specials).items())},
        "merges": [[words[first], words[second]] for first, second in tokenizer.merges],
    }


def _added_token(id: int, text: str) -> dict:
    """Return an entry of "added_tokens": a special token that is found as it stands."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id, "content": text, **flags, "special": True}


def read_tokenizer_json(path: str | Path) -> dict:
    """Read the arguments of `Tokenizer`; raise ValueError for what is not byte-level BPE."""
    try:
        content = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no valid JSON ({error}); it must be a whole tokenizer.json") from None
    try:
        _check_supported(content)
        model = content["model"]
        special_tokens = {token["content"]: token["id"] for token in content["added_tokens"]}
        if len(special_tokens) != len(content["added_tokens"]):
            raise ValueError("added_tokens hold a text twice; each must stand once")
        return {
            **read_words(model["vocab"], model["merges"], special_tokens),
            "pattern": _read_pattern(content["pre_tokenizer"]),
            "ignore_merges": model.get("ignore_merges", False),
        }
    except KeyError as error:
        raise ValueError(f"{error} is missing; it must be a whole tokenizer.json") from None
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"not laid out as a tokenizer.json is ({error})") from None


def read_words(
    vocab: Mapping[str, int], merges: Iterable, special_tokens: Mapping[str, int]
) -> dict:
    """Turn words as they are spelled in a file into the ids and bytes `Tokenizer` takes.

    A merge is a pair of words, or both with a space between. Raises ValueError where the words
    contradict each other.
    """
    for text, id in special_tokens.items():
        if vocab.get(text, id) != id:
            raise ValueError(
                f"added token {text!r} has id {id}, but {vocab[text]} in the vocabulary; the two "
                "must agree"
            )
    words = {word: id for word, id in vocab.items() if word not in special_tokens}
    tokens = {id: unspell(word) for word, id in words.items()}
    if len(tokens) != len(words):
        raise ValueError("vocab gives two tokens one id; each must have its own")
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    for pair in pairs:
        if len(pair) != 2 or not words.keys() >= {*pair}:
            shown = str(pair)[:80]
            raise ValueError(f"merge {shown} must join two tokens of the vocabulary")
    return {
        "tokens": tokens,
        "merges": [(words[first], words[second]) for first, second in pairs],
        "special_tokens": dict(special_tokens),
    }


def _check_supported(content: dict) -> None:
    """Raise ValueError for what would change the ids in a way `Tokenizer` does not follow."""
    model = content["model"]
    _require(model, "type", ("BPE",), "other kinds of tokenizer are not read")
    _require(model, "dropout", (None, 0.0), "encoding must not be random")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        _require(model, key, (None, ""), "byte-level BPE marks words by their space")
    cure = "do that to the text before encoding it"
    for key in ("truncation", "padding"):
        _require(content, key, (None,), cure)
    _require(content, "normalizer", (None, GUARD_NORMALIZER), cure)
    post = content.get("post_processor") or {"type": "ByteLevel"}
    cure = "add tokens around the text yourself"
    _require(post, "type", ("ByteLevel", "TemplateProcessing"), cure)
    _require(post, "single", (TEXT_ALONE, None), cure)
    for token in content["added_tokens"]:
        for key in ("single_word", "lstrip", "rstrip"):
            _require(token, key, (None, False), "special tokens are found as they are")


def _require(content: Mapping, key: str, allowed: tuple, cure: str) -> None:
    if content.get(key) not in allowed:
        value = json.dumps(content.get(key))[:60]
        raise ValueError(f"{key} is {value}; it must be {json.dumps(allowed[0])}: {cure}")


def _read_pattern(pre_tokenizer: dict) -> str:
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    byte_level = steps[-1]
    cure = "the text must be cut by one Split and ByteLevel, or by ByteLevel alone"
    _require(byte_level, "type", ("ByteLevel",), cure)
    _require(byte_level, "add_prefix_space", (False,), "put the space into the text")
    own_pattern = byte_level.get("use_regex", True)
    if own_pattern and len(steps) == 1:
        return GPT2
    if own_pattern or len(steps) != 2:
        raise ValueError(f"pre_tokenizer has {len(steps)} steps; {cure}")
    split = steps[0]
    _require(split, "type", ("Split",), cure)
    _require(split, "behavior", ("Isolated",), "a chunk is what the pattern matches")
    _require(split, "invert", (False, None), "a chunk is what the pattern matches")
    pattern = split["pattern"]["Regex"]
    if not isinstance(pattern, str):
        raise TypeError(f"the pattern is {pattern!r}")
    return pattern
