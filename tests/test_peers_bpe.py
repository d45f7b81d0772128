"""Our ids beside tiktoken's and those of `tokenizers`, for one vocabulary and text of many scripts.

Only characters of Unicode 3.2: the engines follow different versions of it, and take characters
that one of them does not know yet for marks rather than letters.
"""

import random
import unicodedata

import pytest

import bpe

pytestmark = pytest.mark.peer

SCRIPTS = [
    "az",
    "AZ",
    "а\u044f",
    "αω",
    "את",
    "بي",
    "अह",
    "กฮ",
    "가나",
    "一丈",
    "あん",
    "🌀🌟",
    "09",
    "!/",
]
WORDS = 10_000  # enough for the NumPy encoder


def example_text(seed):
    """Words of every script, marks, numbers, contractions and white space of all kinds."""
    rng = random.Random(seed)
    parts = []
    for _ in range(WORDS):
        first, last = map(ord, rng.choice(SCRIPTS))
        letters = [chr(code) for code in range(first, last + 1)]
        letters = [c for c in letters if unicodedata.ucd_3_2_0.category(c) != "Cn"] or ["🌀"]
        parts.append("".join(rng.choices(letters[:9], k=rng.randint(1, 9))))
        parts.append(
            rng.choice([" ", " ", " ", "  ", "\n", "\n\n", " \n  ", "'s ", "'LL ", ", ", ").\n"])
        )
    return "".join(parts)


@pytest.fixture(scope="module", params=["gpt4", "gpt2"])
def ours(request):
    return bpe.train([example_text(0)], 700, request.param, ["<|endoftext|>"])


@pytest.mark.parametrize("seed", range(4))
def test_tiktoken_gives_the_same_ids(ours, seed):
    tiktoken = pytest.importorskip("tiktoken")
    theirs = tiktoken.Encoding(
        "ours",
        pat_str=ours.splitter.pattern,
        mergeable_ranks={token: id for id, token in ours.tokens.items()},
        special_tokens=ours.special_tokens,
    )
    text = example_text(seed)
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
    lines = text.split("\n")
    assert ours.encode_batch(lines) == theirs.encode_batch(lines)


@pytest.mark.parametrize("seed", range(4))
def test_tokenizers_gives_the_same_ids_with_our_file(ours, seed, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    ours.save(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = example_text(seed)
    assert ours.encode_ordinary(text) == theirs.encode(text).ids
