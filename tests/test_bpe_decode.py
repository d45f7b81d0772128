"""Decoding beyond `decode`: offsets, batches, tokens one by one, and what is no UTF-8."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe

SAMPLE = "The heron waits; the heron's grey. Grüße, цапля, 鷺と鷺 நாரை 🐦\n  It waits 1200 s.\n" * 3
END, PAD = "<|endoftext|>", "<|pad|>"
TOKENIZER = bpe.train([SAMPLE], 315, special_tokens=[END, PAD])
IDS = st.lists(st.integers(0, TOKENIZER.n_vocab - 1), max_size=20)
MARKED = st.lists(st.sampled_from(["heron", " ", "鷺", "🐦", "ை", "\ud83d", "\n", END])).map(
    "".join
)
ANY_TEXT = st.text(st.characters()) | MARKED
VALID_TEXT = ANY_TEXT.map(lambda text: text.encode("utf-8", "ignore").decode())
# A letter that one version of Unicode has and another has not is cut in two ways.
KNOWN = st.characters(exclude_categories=["Cs", "Cn"]).filter(
    lambda char: unicodedata.ucd_3_2_0.category(char) != "Cn"
)
KNOWN_TEXT = st.text(KNOWN) | MARKED.map(lambda text: text.encode("utf-8", "ignore").decode())


def offsets_by_definition(ids: list[int], text: str) -> list[int]:
    """How many characters of the text are whole before each id, as tiktoken's test defines it."""
    offsets = []
    for i in range(len(ids)):
        before = TOKENIZER.decode(ids[:i], errors="ignore")
        whole = (n for n in range(len(before) + 1) if text[:n] == before[:n])
        offsets.append(max(whole))
    return offsets


@given(VALID_TEXT)
def test_offsets_are_those_of_the_definition(text):
    ids = TOKENIZER.encode(text, allowed_special="all")
    decoded, offsets = TOKENIZER.decode_with_offsets(ids)
    assert decoded == text
    assert offsets == offsets_by_definition(ids, text)


@given(IDS)
def test_offsets_of_any_ids_are_those_of_the_definition(ids):
    text = TOKENIZER.decode(ids, errors="ignore").encode("utf-8", "ignore").decode()
    ids = TOKENIZER.encode(text, allowed_special="all")
    assert TOKENIZER.decode_with_offsets(ids) == (text, offsets_by_definition(ids, text))


@given(ANY_TEXT)
def test_lone_surrogates_are_characters_too(text):
    decoded, offsets = TOKENIZER.decode_with_offsets(TOKENIZER.encode(text, "all"))
    assert decoded == text
    assert offsets == sorted(offsets)
    assert all(0 <= offset < len(text) for offset in offsets)


def test_worked_offsets():
    assert TOKENIZER.decode_with_offsets([]) == ("", [])
    ids = TOKENIZER.encode(f"heron{END} waits", allowed_special="all")  # he, ron, ...
    assert TOKENIZER.decode_with_offsets(iter(ids)) == (f"heron{END} waits", [0, 2, 5, 18])
    # b"a", then the three bytes of a character, each a token, then b"b"
    plain = bpe.train(["a"], 256)
    ids = plain.encode("a鷺b")
    assert plain.decode_with_offsets(np.array(ids)) == ("a鷺b", [0, 1, 1, 1, 2])


@pytest.mark.parametrize("data", [b"\x80", b"a\xff", "鷺".encode()[:2], b"\xed\xa0"])
def test_offsets_of_what_is_no_utf8_are_refused(data):
    ids = TOKENIZER.encode_bytes(data)
    with pytest.raises(UnicodeDecodeError, match="offsets need whole characters: use decode_tok"):
        TOKENIZER.decode_with_offsets(ids)


@given(IDS)
def test_what_is_no_utf8_is_handled_as_python_does(ids):
    data = TOKENIZER.decode_bytes(ids)
    for errors in ("replace", "ignore"):
        if b"\xed" not in data:  # a lone surrogate would come back, where Python sees an error
            assert TOKENIZER.decode(ids, errors) == data.decode("utf-8", errors)
    try:
        assert TOKENIZER.decode(ids, "strict") == data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        assert "\ufffd" in TOKENIZER.decode(ids)


@given(IDS)
def test_tokens_one_by_one_are_the_whole(ids):
    tokens = TOKENIZER.decode_tokens_bytes(ids)
    assert tokens == [TOKENIZER.decode_single_token_bytes(id) for id in ids]
    assert b"".join(tokens) == TOKENIZER.decode_bytes(ids)
    assert TOKENIZER.decode_tokens_bytes(np.array(ids, np.uint16)) == tokens


@given(st.lists(ANY_TEXT, max_size=5))
def test_a_batch_comes_back(batch):
    encoded = TOKENIZER.encode_batch(batch, allowed_special="all")
    assert encoded == [TOKENIZER.encode(text, allowed_special="all") for text in batch]
    assert TOKENIZER.decode_batch(encoded) == batch


@pytest.mark.parametrize("id", [315, -1, 10**12])
@pytest.mark.parametrize("method", ["decode_with_offsets", "decode_tokens_bytes"])
def test_an_id_out_of_range_is_refused(method, id):
    with pytest.raises(ValueError, match=f"id is {id}; it must be at least 0 and below n_vocab"):
        getattr(TOKENIZER, method)([0, id])


@pytest.mark.parametrize(("ids", "shown"), [("0", "'0'"), ([5.5], "5.5"), ([None], "None")])
def test_an_id_that_is_no_whole_number_is_refused(ids, shown):
    with pytest.raises(ValueError, match=f"id is {shown}; it must be a whole number"):
        TOKENIZER.decode(ids)


@given(KNOWN_TEXT, IDS)
def test_tiktoken_decodes_alike(theirs, text, ids):
    encoded = TOKENIZER.encode(text, "all")
    assert theirs.encode(text, allowed_special="all") == encoded
    assert theirs.decode_with_offsets(encoded) == TOKENIZER.decode_with_offsets(encoded)
    assert theirs.decode_tokens_bytes(ids) == TOKENIZER.decode_tokens_bytes(ids)
    if b"\xed" not in TOKENIZER.decode_bytes(ids):
        assert theirs.decode_batch([ids, encoded]) == TOKENIZER.decode_batch([ids, encoded])


@pytest.fixture(scope="module")
def theirs():
    """A tiktoken.Encoding of the same vocabulary."""
    tiktoken = pytest.importorskip("tiktoken")
    return tiktoken.Encoding(
        "ours",
        pat_str=TOKENIZER.splitter.pattern,
        mergeable_ranks={token: id for id, token in TOKENIZER.tokens.items()},
        special_tokens=TOKENIZER.special_tokens,
    )
