"""Fine-tuning: what it starts from, what it learns, and that it can be stopped."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
from chat_examples import SHORT, make_conversations, write_conversations
from minigpt_examples import MODEL, TRAIN, example_tokenizer, save_example_model, small_model

from minigpt import checkpoint
from minigpt.chat_format import CONTROL_TOKENS, conversation, render, with_control_tokens
from minigpt.chat_template import TEMPLATE, check_template
from minigpt.config import TrainConfig
from minigpt.sft import MOST_STEPS, grow, inherit, read_windows, sft

N_VOCAB = MODEL.vocab_size + len(CONTROL_TOKENS)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with a base model and conversations, that tests only read."""
    folder = tmp_path_factory.mktemp("start")
    save_example_model(folder / "base")
    make_conversations(folder / "conversations")
    return folder


def run(start, out, say=lambda text: None, **changes):
    config = replace(TRAIN, **{"steps": 40, "eval_every": 20, "sample_every": 20} | changes)
    return sft(start / "base", start / "conversations", out, config, "cpu", "auto", say)


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The folder of an uninterrupted run, what it said, and its report."""
    out = tmp_path_factory.mktemp("whole") / "chat"
    said = []
    return out, said, run(start, out, said.append)


def test_the_assistant_is_a_folder_with_a_template_that_has_learned(whole, start):
    out, _, report = whole
    model, tokenizer = checkpoint.load(out)
    assert model.config.vocab_size == tokenizer.n_vocab == N_VOCAB
    check_template(out, tokenizer)
    assert json.loads((out / "tokenizer_config.json").read_text())["chat_template"] == TEMPLATE
    lines = map(json.loads, (out / "metrics.jsonl").open())
    losses = [line["val_loss"] for line in lines if "val_loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    assert report["stage"] == "sft"
    assert report["learned_tokens"] < report["conversation_tokens"]
    assert report["base"] == str(start / "base")


def test_a_base_without_control_tokens_grows_and_it_is_said(whole):
    _, said, _ = whole
    assert "control tokens" in said[0] and "the loss begins high, for the model" in said[0]
    assert f"grows by {len(CONTROL_TOKENS)} rows to {N_VOCAB}" in said[0]


def test_samples_are_a_question_and_the_answer_that_were_said(whole, start):
    out, said, _ = whole
    samples = [json.loads(line) for line in (out / "samples.jsonl").open()]
    assert [sample["step"] for sample in samples] == [20, 40]
    question = json.loads((start / "conversations/val.jsonl").open().readline())["messages"][-2]
    assert {sample["prompt"] for sample in samples} == {question["content"]}
    pairs = [f"{sample['prompt']} -> {sample['text']}" for sample in samples]
    assert [line for line in said if "writes: " in line] == [f"  writes: {p!r}" for p in pairs]


def test_an_assistant_can_be_fine_tuned_again_without_growing(whole, start, tmp_path):
    said = []
    sft(whole[0], start / "conversations", tmp_path / "b", replace(TRAIN, steps=1), say=said.append)
    assert not any("grows" in line for line in said)
    assert checkpoint.load_model(tmp_path / "b").config.vocab_size == N_VOCAB


def test_growing_changes_nothing_about_the_old_symbols():
    model = small_model()
    grown = grow(model, N_VOCAB, seed=0)
    ids = [1, 2, 3]
    np.testing.assert_allclose(
        grown.logits(ids)[:, : MODEL.vocab_size], model.logits(ids), atol=1e-6
    )
    new = grown.params["wte.weight"][MODEL.vocab_size :]
    mean = model.params["wte.weight"].mean(axis=0)
    assert 0 < np.abs(new - mean).max() < 0.06
    assert len({row.tobytes() for row in new}) == len(CONTROL_TOKENS)
    np.testing.assert_array_equal(new, grow(model, N_VOCAB, 0).params["wte.weight"][300:])


def test_only_what_the_assistant_says_is_learned(start, tmp_path):
    """Conversations that differ only in what the user's last id is followed by train the same."""
    tokenizer = with_control_tokens(example_tokenizer())
    windows = read_windows(start / "conversations/train.jsonl", tokenizer, 16, 0, print)
    learned = sorted(windows.targets[windows.targets >= 0].tolist())
    expected = []
    for messages in SHORT:
        ids, mask = render(tokenizer, messages)
        expected += [i for i, m in zip(ids, mask, strict=True) if m]
    assert learned == sorted(expected)


# ---- stopping and continuing ---------------------------------------------------------------


def same_run(out, other):
    ours, theirs = (safetensors.numpy.load_file(o / checkpoint.STATE) for o in (out, other))
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    samples, expected = ((o / "samples.jsonl").read_text() for o in (out, other))
    assert samples == expected


def test_a_stopped_run_continues_to_the_same_weights(whole, start, tmp_path):
    def say(text):
        if "step    20:" in text:
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "chat"
    assert run(start, out, say) is None
    assert checkpoint.read_progress(out)["step"] == 20
    assert run(start, out) is not None
    same_run(out, whole[0])


def test_a_finished_run_trains_no_more_and_other_conversations_begin_anew(start, tmp_path):
    out, said = tmp_path / "chat", []
    run(start, out, steps=2)
    before = (out / checkpoint.MODEL).read_bytes()
    run(start, out, said.append, steps=2)
    assert any("is complete" in line for line in said)
    assert (out / checkpoint.MODEL).read_bytes() == before
    other = tmp_path / "conversations"
    make_conversations(other)
    write_conversations(other / "train.jsonl", *SHORT, conversation("of?", "of."))
    sft(start / "base", other, out, replace(TRAIN, steps=2), say=said.append)
    assert (tmp_path / "chat.previous" / checkpoint.MODEL).read_bytes() == before


# ---- settings and bad input ----------------------------------------------------------------


def test_settings_are_the_bases_at_a_lower_rate(tmp_path):
    assert inherit(tmp_path).batch_size == TrainConfig().batch_size
    base = {"batch_size": 7, "steps": 100, "learning_rate": 1e-2, "min_learning_rate": 1e-3}
    base["optimizer"] = "muon"
    (tmp_path / "training.json").write_text(json.dumps({"train": base | {"of_old": 1}}))
    config = inherit(tmp_path)
    assert (config.batch_size, config.steps, config.optimizer) == (7, 160, "muon")
    assert 0 < config.min_learning_rate < config.learning_rate < 1e-2
    (tmp_path / "training.json").write_text(json.dumps({"train": {"steps": 600_000}}))
    assert inherit(tmp_path).steps == MOST_STEPS
    for damaged in ("[]", '{"train": []}', '{"train": {"steps": "x"}}', "[" * 99999):
        (tmp_path / "training.json").write_text(damaged)
        with pytest.raises(ValueError, match="not a whole report"):
            inherit(tmp_path)


def test_conversations_that_are_too_long_are_cut_or_left_out_and_it_is_said(tmp_path):
    tokenizer = with_control_tokens(example_tokenizer())
    long = conversation("the?", "the.", "a", "the list of every value " * 4)
    path = write_conversations(
        tmp_path / "c.jsonl", SHORT[0], long, conversation("the list " * 30, "a")
    )
    said = []
    windows = read_windows(path, tokenizer, 16, 0, said.append)
    assert windows.n_tokens == sum(len(render(tokenizer, SHORT[0])[0]) - 1 for _ in range(2))
    assert "c.jsonl: of 3 conversations 2 have more than the window's 16 tokens: 1 end" in said[0]
    assert "at the last answer that fits, 1 are left out, since the first does not" in said[0]
    write_conversations(path, conversation("the list " * 30, "a"))
    with pytest.raises(
        ValueError, match=r"no conversation fits the window of 16 tokens.*-positions 64"
    ):
        read_windows(path, tokenizer, 16, 0, print)


def test_missing_conversations_are_named(start, tmp_path):
    with pytest.raises(OSError, match=r"train\.jsonl"):
        sft(start / "base", tmp_path, tmp_path / "chat", TRAIN)


@pytest.mark.parametrize(("kept", "last", "chosen"), [(1.0, 2.0, "base/best"), (2.0, 2.0, "base")])
def test_fine_tuning_starts_from_the_better_of_last_and_best(start, tmp_path, kept, last, chosen):
    said, base = [], tmp_path / "base"
    save_example_model(base)
    save_example_model(base / "best", n_layer=1)
    report = {"best_is_kept": True, "best_val_loss": kept, "val_loss": last, "train": {}}
    (base / "training.json").write_text(json.dumps(report))
    (tmp_path / "conversations").symlink_to(start / "conversations")
    report = run(tmp_path, tmp_path / "chat", said.append, steps=1)
    assert report["base"] == str(tmp_path / chosen)
    assert any(f"starting from {base / 'best'}" in line for line in said) == (kept < last)
