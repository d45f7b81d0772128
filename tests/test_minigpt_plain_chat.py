"""The plain form learns to answer, and what fine-tunes in earnest makes the same steps."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from minigpt_examples import TRAIN, small_model, trainers_steps, untimed
from test_minigpt_chat_format import TOKENIZER, conversations

from minigpt import chat_format, plain_chat, sample
from minigpt.chat_format import END, conversation, render_prompt
from minigpt.packing import Packed
from minigpt.plain_chat import fine_tune, reply

TALKS = [
    conversation("the list?", "a value."),
    conversation("key", "is not"),
    conversation("an object", "of range", "when?", "every file"),
    conversation("größer", "index", system="reads and writes"),
    conversation("a", "out"),
]
T = 32  # the window: two of them fit, not all


def new_model(dtype="float64"):
    return small_model(None, dtype, vocab_size=TOKENIZER.n_vocab, n_positions=T)


@untimed
@given(conversations())
def test_a_conversation_is_written_down_alike(messages):
    rendered = plain_chat.render(TOKENIZER, messages)
    assert rendered == chat_format.render(TOKENIZER, messages)
    ids, mask = rendered
    assert len(ids) == len(mask)
    said = TOKENIZER.decode([id for id, learned in zip(ids, mask, strict=True) if learned])
    answers = [m["content"] for m in messages if m["role"] == "assistant"]
    assert said == "".join(answer + END["assistant"] for answer in answers)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("pack", [True, False])
def test_packed_conversations_make_the_same_steps_as_one_by_one(pack, workers):
    packed = Packed([chat_format.render(TOKENIZER, m) for m in TALKS], T, TRAIN.seed, pack)
    assert len(packed) < len(TALKS) or not pack
    config = replace(TRAIN, steps=6, batch_size=1, accumulate=len(TALKS), workers=workers)
    plain, model = new_model(), new_model()
    expected = list(fine_tune(plain, TOKENIZER, TALKS, config))
    config = replace(config, batch_size=len(packed), accumulate=1)  # all of them in each step
    found = trainers_steps(model, packed, config)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(model.params.flat, plain.params.flat, rtol=0, atol=1e-9)


def test_the_gradient_of_packed_conversations_is_that_of_their_mean_one_by_one():
    packed = Packed([chat_format.render(TOKENIZER, m) for m in TALKS], T, 0)
    model, n_targets = new_model(), packed.n_targets
    assert n_targets == sum(sum(plain_chat.render(TOKENIZER, m)[1]) for m in TALKS)
    expected, expected_loss = model.new_grads(), 0.0
    for i in range(len(TALKS)):  # the mean over what is learned, not over conversations
        ids, targets = plain_chat.Conversations(TOKENIZER, TALKS).batch(i)
        loss, cache = model.forward(ids, targets)  # this conversation's own mean
        grads, weight = model.new_grads(), (targets >= 0).sum() / n_targets
        model.backward(cache, grads)
        expected.flat += weight * grads.flat
        expected_loss += weight * float(loss)
    grads = model.new_grads()
    ids, targets, *layout = packed.rows(slice(None))
    loss, cache = model.forward(ids, targets, n_targets, None, *layout)
    model.backward(cache, grads)
    np.testing.assert_allclose(float(loss), expected_loss, rtol=1e-9)
    np.testing.assert_allclose(
        grads.flat, expected.flat, rtol=0, atol=1e-9 * np.abs(expected.flat).max()
    )


def test_it_learns_to_answer_as_it_was_taught_and_to_stop():
    model = new_model("float32")
    config = replace(TRAIN, steps=80, batch_size=1, accumulate=len(TALKS))
    losses = [loss for loss, _ in fine_tune(model, TOKENIZER, TALKS, config)]
    assert losses[-1] < 0.1 * losses[0]
    for *question, answer in TALKS:
        assert reply(model, TOKENIZER, question, 16) == answer["content"]
        ids = render_prompt(TOKENIZER, question)
        stop = (TOKENIZER.special_tokens[END["assistant"]],)
        written = sample.generate(model, ids, 16, temperature=0, stop=stop)
        assert TOKENIZER.decode(list(written)) == answer["content"]
