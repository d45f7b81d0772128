"""Ours beside llama.cpp, from the file that `export` writes: the same ids, logits, conversation.

Needs `pip install llama-cpp-python`, which no extra brings: it is compiled for a quarter of an
hour. Skipped without it.
"""

import numpy as np
import pytest
from chat_examples import make_assistant
from minigpt_examples import MODEL, WORDS, example_texts, example_tokenizer, small_model

from minigpt.chat_format import conversation, render_prompt
from minigpt.checkpoint import load, save_model
from minigpt.export import export

llama_cpp = pytest.importorskip("llama_cpp")
pytestmark = pytest.mark.peer

F32 = 0  # GGML_TYPE_F32, of the keys and values that are kept


def opened(path):
    n = MODEL.n_positions
    return llama_cpp.Llama(
        str(path), n_ctx=n, n_batch=n, n_ubatch=n, logits_all=True, type_k=F32, type_v=F32,
        verbose=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A model away from gains of 1 and biases of 0, here and in llama.cpp."""
    folder = tmp_path_factory.mktemp("lively")
    model = small_model()
    rng = np.random.default_rng(1)
    model.params.flat += 0.1 * rng.standard_normal(len(model.params.flat)).astype(np.float32)
    save_model(folder, model, example_tokenizer())
    export(folder, folder / "lively.gguf", "f32")
    return model, opened(folder / "lively.gguf")


def test_logits_are_the_same(both):
    model, theirs = both
    ids = np.random.default_rng(2).integers(0, MODEL.vocab_size, MODEL.n_positions)
    theirs.eval(ids.tolist())
    np.testing.assert_allclose(theirs.scores[: len(ids)], model.logits(ids), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "text", [*example_texts(3), "it's  two\n\n  lines, DON'T!\r\n\tx", "1234567 → 数🙂é", *WORDS[:3]]
)
def test_ids_are_the_same(both, text):
    ours = example_tokenizer().encode_ordinary(text)
    assert both[1].tokenize(text.encode(), add_bos=False, special=False) == ours


def test_a_conversation_is_written_the_same_way(tmp_path):
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    folder = make_assistant(tmp_path) / "chat"
    export(folder, tmp_path / "chat.gguf", "f32")
    theirs, (_, tokenizer) = opened(tmp_path / "chat.gguf"), load(folder)
    messages = [*conversation("the?", "a | b."), {"role": "user", "content": "list?"}]
    template = theirs.metadata["tokenizer.chat_template"]
    write = Jinja2ChatFormatter(template, "<|assistant_end|>", "<|bos|>")
    prompt = write(messages=messages).prompt
    ids = theirs.tokenize(prompt.encode(), add_bos=False, special=True)
    assert ids == list(render_prompt(tokenizer, messages, 1000))
