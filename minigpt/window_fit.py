"""Does the window of a model hold conversations, so that it can be taught to answer?

A window of 64 bytes holds a question of a line, but not its answer. Fine-tuning takes what fits
(sft.py), and from so little no model learns to answer: `make train` then ends with the base model.
"""

import math
from itertools import islice
from pathlib import Path

from minigpt.chat_format import read_conversations, render, with_control_tokens
from minigpt.checkpoint import load_tokenizer, read_config
from minigpt.dataset import LEAST_CHAT_WINDOW

LOOKED_AT = 1000  # conversations, the first of the file: they stand in a random order
LEAST_FIT = 0.5  # of them; taught only the shortest 27 %, a model answered under 1 % of questions


def too_narrow(base, conversations):
    """Return why the model of the folder `base` cannot be taught the conversations, or None.

    `conversations` is a folder that chat_data.make wrote. Raises ValueError if it is none.
    """
    path, config = Path(conversations) / "train.jsonl", read_config(Path(base) / "config.json")
    tokenizer = with_control_tokens(load_tokenizer(base, config))
    some = [messages for _, messages in islice(read_conversations(path), LOOKED_AT)]
    # with a system's message, that and the first exchange; the last token is only a target
    sizes = sorted(len(render(tokenizer, m[: 2 + len(m) % 2])[0]) - 1 for m in some)
    n_fit = sum(size <= config.n_positions for size in sizes)
    if n_fit >= LEAST_FIT * len(sizes):
        return None
    needed = sizes[math.ceil(0.9 * len(sizes)) - 1]  # tokens that are enough for nine in ten
    wider = f"--n-positions {max(LEAST_CHAT_WINDOW, 2 ** math.ceil(math.log2(needed)))}"
    return (
        f"no assistant is made: the window is {config.n_positions} tokens, and of {len(sizes):,} "
        f"conversations {n_fit:,} fit; at least half must, question and answer: pretrain with "
        f'{wider} (with make: TRAIN="{wider}")'
    )
