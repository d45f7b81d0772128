"""Supervised fine-tuning: from a model that continues documents to one that answers.

plain_chat.py has the idea in its simplest form: read that first.

The loop is that of pretraining (pretrain.py), with three differences: it starts from the weights of
a base model, it sees conversations (packing.py) instead of rows of documents, and only what the
assistant says counts. The folder it writes is like a base model's, with a chat template. A stopped
run is continued exactly where it was, as in pretraining.

Source: Ouyang et al. 2022, "Training language models to follow instructions with human feedback",
its first step.
"""

import hashlib
import json
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from bpe.mistakes import reason
from minigpt import checkpoint, run_lock
from minigpt.amounts import count
from minigpt.backend import to_numpy
from minigpt.chat_format import (
    END,
    control_ids,
    cut_at_turn,
    read_conversations,
    render_prompt,
    with_control_tokens,
)
from minigpt.chat_template import check_template, read_template, save_template
from minigpt.cluster import share
from minigpt.config import TrainConfig
from minigpt.dataset import LEAST_CHAT_WINDOW
from minigpt.forecast import check_memory
from minigpt.loop import Loop
from minigpt.model import GPT
from minigpt.packing import Packed
from minigpt.pretrain import run_in_folder
from minigpt.resume import BEST, REPORT, belongs_to, make_way
from minigpt.sample import generate

SHARE_OF_RATE = 0.8  # of the learning rate that a base was pretrained with
# Times the base's steps, but at most so many. `tiny` has to learn 900 facts by heart, and many
# wordings, which takes 1.6 times the steps of its pretraining. A large base was pretrained for more
# steps than the conversations need.
SHARE_OF_STEPS, MOST_STEPS = 1.6, 3_000


def inherit(base):
    """Return the TrainConfig that fine-tuning the folder `base` starts with.

    That is the base's own, or TrainConfig's defaults if it does not say, with more steps, up to
    MOST_STEPS, and a lower learning rate.
    """
    known = {f.name for f in fields(TrainConfig)}
    try:
        settings = json.loads((Path(base) / REPORT).read_text("utf-8"))["train"]
        config = TrainConfig(**{k: v for k, v in settings.items() if k in known})
    except FileNotFoundError:
        config = TrainConfig()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{Path(base) / REPORT} is not a whole report ({reason(error)})") from None
    return replace(
        config,
        epochs=0.0,
        steps=min(round(config.steps * SHARE_OF_STEPS), MOST_STEPS),
        learning_rate=config.learning_rate * SHARE_OF_RATE,
        min_learning_rate=config.min_learning_rate * SHARE_OF_RATE,
    )


def best_of(base, say):
    """Return the folder of the better model of a run: the last, or an earlier one it kept.

    The last, if the folder has no report that says otherwise.
    """
    base = Path(base)
    try:
        report = json.loads((base / REPORT).read_text("utf-8"))
        is_worse = report["best_is_kept"] and report["best_val_loss"] < report["val_loss"]
    except (OSError, ValueError, LookupError, TypeError):
        return base
    if not is_worse or not (base / BEST / checkpoint.MODEL).exists():
        return base
    say(f"starting from {base / BEST}: its validation loss was {report['best_val_loss']:.3f}, the "
        f"last is {report['val_loss']:.3f}")  # fmt: skip
    return base / BEST


def check_out(base, out):
    """Raise ValueError where the run would set its own base aside."""
    if belongs_to(base, out):
        raise ValueError(
            f"the base model is {base}, which belongs to the run in {out}; it must be another "
            f"folder: choose another -o"
        )


def make_none(base, out, why, say, cluster=None):
    """Say `why` no assistant is made from the folder `base`; set an earlier one in `out` aside.

    Of several machines only the first does this.
    """
    if cluster is None or cluster.leads:
        check_out(base, out)
        say(why)
        with run_lock.held(out):
            make_way(Path(out), say)


def grow(model, n_vocab, seed):
    """Return `model` with rows of the token embedding for all ids below `n_vocab`.

    A new row is the mean of the others plus a little noise: at first the model finds a new symbol
    about as likely as the average one, and can tell new ones from each other.
    """
    old = model.config.vocab_size
    grown = GPT(replace(model.config, vocab_size=n_vocab), model.device)
    for name, w in grown.params.items():
        if name == "wte.weight":
            w[:old] = model.params[name]
            noise = np.random.default_rng([seed, old]).normal(0, 0.01, w[old:].shape)
            w[old:] = w[:old].mean(axis=0) + model.device.xp.asarray(noise, w.dtype)
        else:
            w[...] = model.params[name]
    grown.renew_weights()
    return grown


def load_base(folder, device, seed, say):
    """Return (model, tokenizer) of a folder, ready for conversations.

    Raises ValueError for a folder with a chat template that is not ours.
    """
    model, tokenizer = checkpoint.load(folder, device)
    if read_template(folder) is not None:  # fine-tuned before
        check_template(folder, tokenizer)
    tokenizer = with_control_tokens(tokenizer)
    if tokenizer.n_vocab > model.config.vocab_size:
        n_new = tokenizer.n_vocab - model.config.vocab_size
        model = grow(model, tokenizer.n_vocab, seed)
        say(f"{folder} has no control tokens of conversations: they are added, and the token "
            f"embedding grows by {n_new} rows to {tokenizer.n_vocab}; the loss begins high, for "
            f"the model has seen no conversation yet")  # fmt: skip
    return model, tokenizer


def read_windows(path, tokenizer, n_positions, seed, say):
    """Return the Packed windows of a file of conversations, those too long cut at a turn.

    Raises ValueError where none fits.
    """
    rendered, n_cut, n_dropped = [], 0, 0
    end = control_ids(tokenizer)[END["assistant"]]
    for _, messages in read_conversations(path):
        found = cut_at_turn(tokenizer, messages, n_positions + 1)
        if found is None:
            n_dropped += 1
            continue
        rendered.append(found)
        n_cut += found[0].count(end) < sum(m["role"] == "assistant" for m in messages)
    if not rendered:
        wider = f"--n-positions {max(LEAST_CHAT_WINDOW, 2 * n_positions)}"
        raise ValueError(
            f"{path}: no conversation fits the window of {n_positions} tokens; pretrain with more: "
            f'{wider} (with make: TRAIN="{wider}")'
        )
    if n_cut or n_dropped:
        say(f"{path}: of {count(n_dropped + len(rendered), 'conversation')} {n_cut + n_dropped:,} "
            f"have more than the window's {n_positions} tokens: {n_cut:,} end at the last answer "
            f"that fits, {n_dropped:,} are left out, since the first does not")  # fmt: skip
    return Packed(rendered, n_positions, seed)


class ChatLoop(Loop):
    """A run that fine-tunes: the model's folder has a template, and a sample is an answer."""

    stage = "sft"

    def __init__(self, *parts, question):
        super().__init__(*parts)
        self.question = question  # messages, the last of them the user's

    def save_folder(self):
        super().save_folder()
        save_template(self.out, self.tokenizer)

    def sample(self, n_tokens, seed=0):
        """Return a question and what the assistant answers to it: {"prompt", "text"}."""
        ids = render_prompt(self.tokenizer, self.question, self.model.config.n_positions)
        stop = (control_ids(self.tokenizer)[END["assistant"]],)
        reply = generate(self.model, ids, n_tokens, 0, stop=stop, seed=seed)
        return {
            "prompt": self.question[-1]["content"], "text": self.tokenizer.decode(list(reply)),
        }  # fmt: skip


def sft(
    base, conversations, out, config, device="cpu", start="auto", say=print, force=False,
    cluster=None,
):  # fmt: skip
    """Fine-tune the model in `base` on a folder that chat_data.make wrote; write the folder `out`.

    If the base's run kept a better model than its last, that is taken. A stopped run is continued;
    a complete one is not trained further. `start`, `force` and `cluster` are as in pretraining.
    Returns the report, or None if the run was stopped by a signal or is another machine's. Raises
    ValueError for bad input.
    """
    check_out(base, out)
    conversations, start_from = Path(conversations), best_of(base, say)
    model, tokenizer = load_base(start_from, device, config.seed, say)
    T = model.config.n_positions
    train, val = (
        read_windows(conversations / f"{part}.jsonl", tokenizer, T, config.seed, say)
        for part in ("train", "val")
    )
    config = config.with_steps(len(train))
    check_memory(model.config, share(config, model.device, cluster), model.device, force, True)
    _, shown = next(read_conversations(conversations / "val.jsonl"))
    looked_at = val.rows(slice(config.eval_windows))
    learned_from = hashlib.sha256(to_numpy(model.params.flat).tobytes())
    learned_from.update((conversations / "train.jsonl").read_bytes())
    return run_in_folder(
        out, model, tokenizer, train, looked_at, config,
        {"sha256": learned_from.hexdigest(), "tokens": len(train) * T}, start, say,
        partial(ChatLoop, question=shown[:-1]), cluster, force,
        base=str(start_from),
        conversation_tokens=train.n_tokens,
        learned_tokens=train.n_targets,
    )  # fmt: skip
