"""How a base model becomes an assistant, in its simplest form: read this after plain_sample.py.

A base model continues documents. An assistant is the same model, trained further on documents of
one kind: conversations, written down so that the model can tell who speaks,

    <|bos|> <|user_start|> hello <|user_end|> <|assistant_start|> hi <|assistant_end|> ...

where each <|...|> is one id of its own, and no text that anybody types is encoded to it. (bos is
the beginning of a sequence.) The model learns what these ids mean as it does for all ids: from what
comes next. Nothing else is new:

    learning    the step of plain_step.py, but only what the assistant says counts in the loss:
                the model learns to answer and when to stop, not to ask
    answering   write the conversation down up to <|assistant_start|>, and let the model go on
                (plain_sample.py) until it draws <|assistant_end|>

This is for reading, not for use: it takes one conversation at a time, and expects a vocabulary that
has these ids and conversations that fit the window. For use, chat_format.py writes conversations
down and checks them, packing.py puts several into one window, sft.py is the run, and chat.py
answers. Tests take this module as the truth for the first three.

Source: Ouyang et al. 2022, "Training language models to follow instructions with human feedback".
"""

import numpy as np

from minigpt import plain_sample, plain_step


def render(tokenizer, messages):
    """Return a conversation as ids, and a mask of equal length: does the assistant say this id?

    Each message is {"role": "system", "user" or "assistant", "content": text}.
    """
    special = tokenizer.special_tokens
    ids, mask = [special["<|bos|>"]], [False]
    for message in messages:
        role, text = message["role"], tokenizer.encode_ordinary(message["content"])
        ids += [special[f"<|{role}_start|>"], *text, special[f"<|{role}_end|>"]]
        mask += [False] + [role == "assistant"] * (len(text) + 1)  # its end is said, too
    return ids, mask


class Conversations:
    """Conversations as batches for plain_step.train, each of one row."""

    def __init__(self, tokenizer, conversations):
        self.rendered = [render(tokenizer, messages) for messages in conversations]

    def batch(self, index, batch_size=1):
        """Return ids and targets (1, T) of conversation `index`; after the last comes the first.

        As always, the target of a place is the next id; but it is -1 if the assistant does not say
        that id, and model.forward leaves the place out of the loss.

            ids      bos  user_start  hello  user_end  assistant_start  hi
            targets   -1          -1     -1        -1               hi  assistant_end
        """
        assert batch_size == 1, "conversations differ in length: set accumulate instead"
        ids, mask = map(np.array, self.rendered[index % len(self.rendered)])  # (T + 1,) each
        targets = np.where(mask[1:], ids[1:], -1)  # (T,)
        return ids[None, :-1], targets[None]


def fine_tune(model, tokenizer, conversations, config):
    """Make the steps of a TrainConfig; yield each one's loss (nats per token) and gradient norm.

    A step learns from `config.accumulate` conversations, in which every token counts the same. As
    they differ in length, `config.batch_size` must be 1.
    """
    return plain_step.train(model, Conversations(tokenizer, conversations), config)


def reply(model, tokenizer, messages, max_new_tokens, temperature=0, seed=None):
    """Return what the assistant answers to a conversation that ends with the user.

    Two conversations, learned from nothing, with a symbol for each byte:

    >>> from bpe import Tokenizer
    >>> from minigpt.chat_format import CONTROL_TOKENS, conversation
    >>> from minigpt.config import ModelConfig, TrainConfig
    >>> from minigpt.model import GPT
    >>> tokenizer = Tokenizer.from_merges([], special_tokens=CONTROL_TOKENS)
    >>> talks = [conversation("hello", "hi"), conversation("bye", "see you")]
    >>> shape = ModelConfig(tokenizer.n_vocab, n_positions=32, n_embd=16, n_layer=1, n_head=2)
    >>> model = GPT(shape).initialise(seed=1)
    >>> config = TrainConfig(60, batch_size=1, accumulate=2, learning_rate=0.02, warmup_steps=0)
    >>> losses = list(fine_tune(model, tokenizer, talks, config))
    >>> reply(model, tokenizer, conversation("bye"), max_new_tokens=20)
    'see you'
    """
    ids, _ = render(tokenizer, messages)
    start, end = (tokenizer.special_tokens[f"<|assistant_{x}|>"] for x in ("start", "end"))
    written = plain_sample.generate(model, [*ids, start], max_new_tokens, temperature, end, seed)
    return tokenizer.decode(list(written))
