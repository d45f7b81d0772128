"""Ours beside llama.cpp, from the file that `export` writes: the same ids, logits, conversation.

Needs the `bench` extra (xllamacpp, llama.cpp as a library); run by `make peers`.
"""

import json
import urllib.request

import numpy as np
import pytest
from chat_examples import make_assistant
from minigpt_examples import MODEL, WORDS, example_texts, example_tokenizer, small_model

import bpe
from minigpt.chat_format import conversation, render_prompt
from minigpt.checkpoint import load, save_model
from minigpt.export import export

xllamacpp = pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.peer


class Llama:
    """llama.cpp's server with a model; it listens as long as this lives."""

    def __init__(self, path):
        params = xllamacpp.CommonParams()
        params.model.path, params.n_parallel, params.warmup = str(path), 1, False
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        self.server = xllamacpp.Server(params)

    def ask(self, path, **content):
        request = urllib.request.Request(
            f"{self.server.listening_address}/{path}",
            json.dumps(content).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def tokenize(self, text, **more):
        return self.ask("tokenize", content=text, **more)["tokens"]


@pytest.fixture(scope="module", params=["f32", "f16", "q8_0"])
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def model(precision):
    """A model away from gains of 1 and biases of 0, whose logits differ much."""
    model = small_model(n_embd=32 if precision == "q8_0" else 16)
    rng = np.random.default_rng(1)
    model.params.flat += 0.1 * rng.standard_normal(len(model.params.flat)).astype(np.float32)
    return model


@pytest.fixture(scope="module")
def theirs(precision, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lively")
    save_model(folder, model, example_tokenizer())
    export(folder, folder / "lively.gguf", precision)
    return Llama(folder / "lively.gguf")


@pytest.mark.parametrize("n", [1, 2, MODEL.n_positions - 2])
def test_the_next_token_is_as_likely(precision, model, theirs, n):
    ids = np.random.default_rng(n).integers(0, MODEL.vocab_size, n).tolist()
    letter = example_tokenizer().encode_single_token("e")  # what it draws: no half character
    answer = theirs.ask(
        "completion", prompt=ids, n_predict=1, n_probs=MODEL.vocab_size,
        logit_bias=[[letter, 1000]],
    )  # fmt: skip
    (place,) = answer["completion_probabilities"]
    found = {entry["id"]: entry["logprob"] for entry in place["top_logprobs"]}
    logits = model.logits(ids)[-1].astype(np.float64)
    expected = logits - np.log(np.exp(logits).sum())
    assert len(found) > 0.9 * MODEL.vocab_size
    error = max(abs(found[id] - expected[id]) for id in found)
    assert error < {"f32": 1e-3, "f16": 3e-2, "q8_0": 1e-1}[precision]


@pytest.mark.parametrize(
    "text",
    [*example_texts(3), "it's  two\n\n  lines, DON'T!\r\n\tx", "1234567 → 数🙂é", *WORDS[:3]],
)
def test_ids_are_the_same(theirs, text):
    assert theirs.tokenize(text) == example_tokenizer().encode_ordinary(text)


def test_a_token_that_no_merge_makes_is_found(tmp_path):
    t = bpe.train(example_texts(), 300, pattern="gpt4", special_tokens=["<|endoftext|>"])
    tokens = t.tokens | {t.n_vocab: b" xyzzy"}
    tokenizer = bpe.Tokenizer(tokens, t.merges, "gpt4", t.special_tokens, ignore_merges=True)
    save_model(tmp_path, small_model(vocab_size=tokenizer.n_vocab), tokenizer)
    export(tmp_path, tmp_path / "m.gguf", "f32")
    ids = Llama(tmp_path / "m.gguf").tokenize("the xyzzy list xyzzyx")
    assert tokenizer.n_vocab - 1 in ids
    assert ids == tokenizer.encode_ordinary("the xyzzy list xyzzyx")


def test_a_document_begins_with_the_separator(theirs):
    tokenizer = example_tokenizer()
    assert theirs.tokenize("the", add_special=True) == [
        tokenizer.eot_token, *tokenizer.encode_ordinary("the"),
    ]  # fmt: skip


def test_a_conversation_is_written_the_same_way(tmp_path):
    folder = make_assistant(tmp_path) / "chat"
    export(folder, tmp_path / "chat.gguf", "f32")
    llama, (_, tokenizer) = Llama(tmp_path / "chat.gguf"), load(folder)
    messages = [*conversation("the?", "a | b."), {"role": "user", "content": "list?"}]
    prompt = llama.ask("apply-template", messages=messages)["prompt"]
    ids = llama.tokenize(prompt, parse_special=True)
    assert ids == list(render_prompt(tokenizer, messages, 1000))
