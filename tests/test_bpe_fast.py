"""The NumPy encoder gives the ids of the plain one, whatever text, blocks, memory and threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import fast, naive
from bpe.fast import FastEncoder
from bpe.split import to_bytes

SAMPLE_ONCE = (
    "The weaver's loom: 1200 threads, 3 shuttles; don't tangle them!\n\n"
    "  Der Webstuhl knarrt seit 1887. 織機と糸と織物、 베틀 🧵🧵\n\t(weave)\n \n"
)
SAMPLE = SAMPLE_ONCE * 3
TOKENIZERS = {name: bpe.train([SAMPLE], 340, name) for name in ("gpt4", "gpt2")}
PIECES = ["weaver", "'s", "'LL", " ", "\n", "  \n", "織機と糸", "🧵", "1887", "\ud800", "\0"]
PIECES += ["loom" * 9, "-" * 40, "é\u0301"]
ANY_TEXT = st.text(st.characters()) | st.lists(st.sampled_from(PIECES)).map("".join)
TEXTS = st.lists(ANY_TEXT, min_size=1, max_size=5)
each = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())


def fresh(tokenizer, **arguments):
    return FastEncoder(tokenizer._fast._merger, tokenizer.splitter, **arguments)


@each
@given(texts=TEXTS)
def test_ids_are_those_of_the_plain_encoder(tokenizer, texts):
    encoder = fresh(tokenizer)
    expected = [list(tokenizer._plain.encode(text)) for text in texts]
    assert list(encoder.encode_lists(texts)) == expected  # cold
    assert list(encoder.encode_lists(texts)) == expected  # from what it remembers
    arrays = [np.concatenate(row) for row in encoder.encode_arrays(texts)]
    assert [array.tolist() for array in arrays] == expected
    assert {array.dtype for array in arrays} == {np.dtype(np.uint32)}


@each
@given(text=ANY_TEXT)
def test_ids_are_those_of_the_naive_encoder(tokenizer, text):
    chunks = map(to_bytes, tokenizer.splitter.chunks(text))
    ids = [id for chunk in chunks for id in naive.encode(chunk, tokenizer.merges)]
    assert next(fresh(tokenizer).encode_lists([text])) == ids


@each
@given(data=st.binary(), more=st.binary())
def test_escaped_bytes_are_encoded_as_bytes(tokenizer, data, more):
    texts = [part.decode("utf-8", "surrogateescape") for part in (data, more)]
    expected = [list(tokenizer._plain.encode(text, escaped=True)) for text in texts]
    assert list(fresh(tokenizer).encode_lists(texts, escaped=True)) == expected


@each
@given(texts=TEXTS, size=st.integers(1, 40))
def test_blocks_and_batches_of_any_size_have_the_same_ids(tokenizer, texts, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "BLOCK_CHARS", size)
        ids = list(fresh(tokenizer).encode_lists([*texts, SAMPLE_ONCE]))
    assert ids == [list(tokenizer._plain.encode(text)) for text in [*texts, SAMPLE_ONCE]]


@each
def test_memory_that_is_full_starts_anew(tokenizer):
    encoder = fresh(tokenizer, kept_ids=50)
    sizes = []
    for i in range(60):
        text = f"{SAMPLE} number {i * 7919} {'=' * i} {'w' * i}"
        assert next(encoder.encode_lists([text])) == list(tokenizer._plain.encode(text))
        sizes.append(encoder._memory.size)
    assert max(sizes) < 500


def test_the_same_chunk_is_merged_once(monkeypatch):
    encoder = fresh(TOKENIZERS["gpt4"])
    next(encoder.encode_lists([SAMPLE]))
    monkeypatch.setattr(encoder, "_merger", None)
    assert len(next(encoder.encode_arrays([SAMPLE]))[0])  # nothing is left to merge


def test_very_long_chunks_are_not_remembered():
    encoder = fresh(TOKENIZERS["gpt4"])
    next(encoder.encode_lists(["w" * 64 + " " + "v" * 63 + " " + "u" * 65]))
    assert sorted(map(len, encoder._memory.long)) == [64, 64]


def test_threads_may_share_an_encoder():
    tokenizer = TOKENIZERS["gpt4"]
    texts = [f"{SAMPLE} {i} {chr(0x4E00 + i)} {'ab' * (i % 40)}" * 3 for i in range(40)]
    expected = [list(tokenizer._plain.encode(text)) for text in texts]
    for kept_ids in (200, fast.KEPT_IDS):
        encoder = fresh(tokenizer, kept_ids=kept_ids)
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(encoder.encode_lists, [[text] for text in texts * 3]))
            ids = list(pool.map(next, ids))
        assert ids == expected * 3


def test_one_thread_adds_at_a_time(monkeypatch):
    encoder = fresh(TOKENIZERS["gpt4"])
    locked = []
    for name in ("add", "add_long"):
        monkeypatch.setattr(
            encoder._memory, name, lambda *_: locked.append(encoder._one_adds.locked())
        )
    next(encoder.encode_lists([SAMPLE]))
    assert locked == [True, True]


@each
def test_long_text_takes_the_fast_road_and_has_the_same_ids(tokenizer, monkeypatch):
    expected = list(tokenizer._plain.encode(SAMPLE * 9))
    monkeypatch.setattr(tokenizer._plain, "encode", None)
    assert tokenizer.encode(SAMPLE * 9) == expected
    array = tokenizer.encode_to_numpy(SAMPLE * 9)
    assert array.tolist() == expected
    assert array.dtype == np.uint32


def test_what_fast_cannot_do_is_done_in_the_plain_way():
    own = bpe.train([SAMPLE], 300, r"\s+|\S+")
    whole = bpe.Tokenizer(own.tokens, own.merges, "gpt4", ignore_merges=True)
    for tokenizer in (own, whole):
        assert tokenizer._fast is None
        assert tokenizer.decode(tokenizer.encode(SAMPLE * 9)) == SAMPLE * 9
