"""Encoding and decoding: round trips, special tokens, and the naive encoder as oracle."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import naive
from bpe.plain import Cache
from bpe.split import to_bytes

SAMPLE = (
    "The miller's daughter counted 365 sacks; the miller counted them again.\n"
    "Don't count what you can't carry, she'd say. <|endoftext|> is only text.\n"
    "\tif sacks:\n\t\treturn sacks[0]\n    Größe, façade, мельница, 粉屋, 粉屋の娘 😀\n"
) * 3
END, PAD = "<|endoftext|>", "<|pad|>"
TOKENIZERS = {
    pattern: bpe.train([SAMPLE], 360, pattern, special_tokens=[END, PAD])
    for pattern in ("gpt4", "gpt2", r"\s+|\S+")
}
GPT4 = TOKENIZERS["gpt4"]
MARKED = st.lists(
    st.sampled_from(["count", " the", "'s", "\n", " ", "粉屋", "\ud800", END, PAD, "<|"])
)
ANY_TEXT = st.text(st.characters()) | MARKED.map("".join)
BYTES = st.binary() | ANY_TEXT.map(to_bytes)


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())
class TestRoundTrip:
    @given(text=ANY_TEXT)
    def test_decode_inverts_encode(self, tokenizer, text):
        assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text
        assert tokenizer.decode(tokenizer.encode(text, allowed_special="all")) == text
        assert tokenizer.decode(tokenizer.encode(text, disallowed_special=())) == text

    @given(data=BYTES)
    def test_decode_bytes_inverts_encode_bytes(self, tokenizer, data):
        assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data

    @given(text=ANY_TEXT)
    def test_each_chunk_is_encoded_as_the_naive_encoder_does(self, tokenizer, text):
        chunks = map(to_bytes, tokenizer.splitter.chunks(text))
        ids = [id for chunk in chunks for id in naive.encode(chunk, tokenizer.merges)]
        assert tokenizer.encode_ordinary(text) == ids

    @given(ids=st.lists(st.integers(0, 359)))
    def test_any_ids_decode(self, tokenizer, ids):
        assert isinstance(tokenizer.decode(ids), str)
        singles = map(tokenizer.decode_single_token_bytes, ids)
        assert tokenizer.decode_bytes(ids) == b"".join(singles)


@given(st.text())
def test_encode_bytes_of_text_is_encode_of_the_text(text):
    assert GPT4.encode_bytes(text.encode()) == GPT4.encode_ordinary(text)


def test_part_of_a_character_decodes_to_the_replacement_character():
    assert GPT4.decode(naive.byte_ids("é".encode()[:1])) == "\ufffd"


def test_ids_may_be_an_array():
    ids = GPT4.encode_to_numpy("count the sacks")
    assert ids.dtype == np.uint32
    assert ids.tolist() == GPT4.encode("count the sacks")
    assert GPT4.decode(ids) == "count the sacks"
    assert GPT4.decode(iter(ids.astype(np.uint16))) == "count the sacks"


def test_a_batch_is_each_text_encoded():
    texts = ["count", "", f"a{END}"]
    batch = GPT4.encode_batch(texts, allowed_special="all")
    assert batch == [GPT4.encode(text, allowed_special="all") for text in texts]
    for encode in (GPT4.encode_batch, GPT4.encode_ordinary_batch):
        with pytest.raises(ValueError, match=r"texts is one str; .* put it into a list"):
            encode("count")


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())
@given(texts=st.lists(ANY_TEXT, max_size=4))
def test_short_and_long_text_are_encoded_alike_special_tokens_too(tokenizer, texts):
    batches = []
    for fast_chars in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bpe.tokenizer.FAST_CHARS", fast_chars)
            batches.append(tokenizer.encode_batch(texts, "all"))
            arrays = [tokenizer.encode_to_numpy(text, "all") for text in texts]
            assert all(array.dtype == np.uint32 for array in arrays)
            batches.append([array.tolist() for array in arrays])
    assert batches == [batches[0]] * 4


class TestSpecialTokens:
    @given(st.lists(st.sampled_from([END, PAD, "<|", "|>", "endoftext", " "])).map("".join))
    def test_no_ordinary_text_becomes_a_special_token(self, text):
        assert not set(GPT4.special_tokens.values()) & set(GPT4.encode_ordinary(text))

    def test_special_text_is_refused_unless_something_is_said(self):
        with pytest.raises(
            ValueError,
            match=r"text holds the special token '<\|endoftext\|>' at character 2; pass "
            r"allowed_special=\{'<\|endoftext\|>'\} .* or disallowed_special=\(\)",
        ):
            GPT4.encode(f"a {END}")

    def test_what_is_allowed_becomes_its_id(self):
        a, b = GPT4.encode("a"), GPT4.encode("b")
        assert GPT4.encode(f"a{END}b", allowed_special={END}) == [*a, 358, *b]
        assert GPT4.encode(f"{END}{PAD}", allowed_special="all") == [358, 359]

    def test_what_is_not_allowed_is_still_refused(self):
        with pytest.raises(ValueError, match=r"special token '<\|pad\|>' at character 13"):
            GPT4.encode(f"{END}{PAD}", allowed_special={END})

    def test_with_nothing_disallowed_the_rest_is_ordinary(self):
        text = f"{END}{PAD}"
        assert GPT4.encode(text, disallowed_special=()) == GPT4.encode_ordinary(text)
        ids = GPT4.encode(text, allowed_special={END}, disallowed_special=())
        assert ids == [358, *GPT4.encode_ordinary(PAD)]

    def test_only_what_is_named_is_disallowed(self):
        GPT4.encode(END, disallowed_special={PAD})
        with pytest.raises(ValueError, match=r"special token '<\|pad\|>' at character 0"):
            GPT4.encode(PAD, disallowed_special={PAD})

    def test_of_two_that_fit_the_longest_is_taken(self):
        tokenizer = bpe.train(["ab"], 258, special_tokens=["<a>", "<a><b>"])
        ids = tokenizer.encode("<a><a><b>", allowed_special="all")
        assert ids == [256, 257]

    def test_a_special_token_nobody_trained_is_refused(self):
        with pytest.raises(ValueError, match="allowed_special holds '<x>'; the special tokens are"):
            GPT4.encode("", allowed_special={"<x>"})
        with pytest.raises(ValueError, match="it must be a set of str, or 'all'"):
            GPT4.encode("", allowed_special=END)

    def test_names_may_come_one_by_one(self):
        assert GPT4.encode(END, allowed_special=iter([END])) == [358]

    def test_the_end_of_text_has_a_name(self):
        assert GPT4.eot_token == GPT4.special_tokens[END] == 358
        with pytest.raises(ValueError, match=r"there is no special token <\|endoftext\|>"):
            _ = bpe.train(["ab"], 257).eot_token


class TestVocabulary:
    def test_every_id_has_its_bytes(self):
        assert GPT4.n_vocab == 360
        tokens = [GPT4.decode_single_token_bytes(id) for id in range(358)]
        assert sorted(tokens) == GPT4.token_byte_values()
        assert GPT4.decode_single_token_bytes(359) == PAD.encode()

    @pytest.mark.parametrize("id", [360, -1, 10**12])
    def test_an_id_out_of_range_is_refused(self, id):
        message = f"id is {id}; it must be at least 0 and below n_vocab, 360"
        with pytest.raises(ValueError, match=message):
            GPT4.decode([0, id])
        with pytest.raises(ValueError, match=message):
            GPT4.decode_single_token_bytes(id)

    def test_a_tokenizer_can_be_sent_to_another_process(self):
        copy = pickle.loads(pickle.dumps(TOKENIZERS[r"\s+|\S+"]))
        assert copy.encode(SAMPLE, "all") == TOKENIZERS[r"\s+|\S+"].encode(SAMPLE, "all")

    def test_it_says_what_it_is(self):
        assert repr(GPT4) == "<bpe.Tokenizer of 360 symbols>"


def vocabulary_with(changes: dict[int, bytes] | None = None) -> dict[int, bytes]:
    return dict(enumerate([*naive.vocabulary([]), b"ab"])) | (changes or {})


A, B = naive.byte_ids(b"ab")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": vocabulary_with({A: b"b"})}, "no token is byte 0x61; every byte must be one"),
        ({"tokens": vocabulary_with({257: b"b"})}, "ids 65 and 257 are both b'b'; keep one"),
        ({"tokens": vocabulary_with({256: b""})}, "token 256 is empty"),
        ({"tokens": vocabulary_with({258: b"cd"})}, "no token has id 257; ids must go up without"),
        ({"tokens": vocabulary_with({-1: b"cd"})}, "id is -1; it must be a whole number from 0"),
        ({"merges": []}, "no merge makes token 256, b'ab'; one must"),
        ({"merges": [(B, A)]}, "merge 0 makes b'ba'; that must be a token"),
        ({"merges": [(A, B), (256, 300)]}, "merge 1 joins ids 256 and 300; both must be tokens"),
        ({"merges": [(A, B), (A, B)]}, "merges hold a pair twice"),
        ({"special_tokens": {"<e>": 256}}, "special token '<e>' has id 256; another token has it"),
        ({"special_tokens": {"<e>": 257, "<f>": 257}}, "'<e>' has id 257; another token has it"),
        ({"special_tokens": {"<e>": 2**32}}, "'<e>' has id 4294967296; it must be at most 42949"),
        ({"tokens": vocabulary_with({"9" * 5000: b"cd"})}, "id is '9{39}; it must be a whole"),
        ({"special_tokens": {"ab": 257}}, "special token 'ab' is an ordinary token too"),
    ],
)
def test_a_contradictory_vocabulary_is_refused(arguments, message):
    good = {"tokens": vocabulary_with(), "merges": [(A, B)]}
    bpe.Tokenizer(**good)
    with pytest.raises(ValueError, match=message):
        bpe.Tokenizer(**good | arguments)


def test_special_ids_may_leave_a_gap_behind():
    tokenizer = bpe.Tokenizer(vocabulary_with(), [(A, B)], special_tokens={END: 300})
    assert tokenizer.n_vocab == 301
    assert tokenizer.decode([256, 300]) == "ab<|endoftext|>"
    with pytest.raises(ValueError, match="id is 270; this vocabulary leaves that one out"):
        tokenizer.decode([270])


def test_the_cache_forgets_before_it_grows_too_large(monkeypatch):
    monkeypatch.setattr("bpe.plain.CACHE_CHUNKS", 3)
    monkeypatch.setattr("bpe.plain.CACHE_CHUNK_CHARS", 4)
    asked = []
    cache = Cache(lambda chunk: asked.append(chunk) or [len(chunk)])
    assert [cache[chunk] for chunk in ("a", "bb", "a", "ccc", "longer")] == [
        [1],
        [2],
        [1],
        [3],
        [6],
    ]
    assert asked == ["a", "bb", "ccc", "longer"]
    assert cache["dddd"] == [4]
    assert dict(cache) == {"dddd": [4]}


def test_a_small_cache_gives_the_same_ids(monkeypatch):
    ids = GPT4.encode_ordinary(SAMPLE)
    monkeypatch.setattr("bpe.plain.CACHE_CHUNKS", 2)
    assert pickle.loads(pickle.dumps(GPT4)).encode_ordinary(SAMPLE) == ids


def test_long_text_is_encoded_in_blocks(monkeypatch):
    ids = GPT4.encode_ordinary(SAMPLE * 5)
    monkeypatch.setattr("bpe.split.BLOCK_CHARS", 50)
    assert GPT4.encode_ordinary(SAMPLE * 5) == ids


def test_tiktokens_names_for_single_tokens_and_specials():
    tokenizer = bpe.train([SAMPLE], 300, special_tokens=["<|a|>", "<|b|>"])
    for token, id in ((b"a", tokenizer.encode_ordinary("a")[0]), ("<|b|>", 299)):
        assert tokenizer.encode_single_token(token) == id
    for id in range(298):
        assert tokenizer.encode_single_token(tokenizer.decode_single_token_bytes(id)) == id
    with pytest.raises(ValueError, match="'no token' is no single token; encode it with `encode`"):
        tokenizer.encode_single_token("no token")
    with pytest.raises(ValueError, match="is no single token"):
        tokenizer.encode_single_token(b"<|a|>")
    assert tokenizer.max_token_value == 299
    assert tokenizer.special_tokens_set == {"<|a|>", "<|b|>"}
    assert [id for id in range(300) if tokenizer.is_special_token(id)] == [298, 299]


def test_many_texts_are_encoded_as_each_of_them():
    texts = [SAMPLE, "", "<|a|> is text", "x"] * 3
    tokenizer = bpe.train([SAMPLE], 300, special_tokens=["<|a|>"])
    assert tokenizer.encode_ordinary_batch(iter(texts)) == [*map(tokenizer.encode_ordinary, texts)]
