"""Where a command looks for what it was not told: beside the folder that it was told.

What one OUT of make holds belongs together, whatever its name:

    out-novel/base        given to a command; or out-novel/base/best, of the same run
    out-novel/tokens      which it then takes where it needs tokens; so out-novel/tokenizer,
                          out-novel/conversations

Where there is no such thing beside, it is that of `out`.
"""

from pathlib import Path

from minigpt.checkpoint import TOKENIZERS
from minigpt.resume import BEST

HOME = Path("out")
TOKENIZER = "tokenizer/tokenizer.json"


def home(folder, name):
    """Return the folder in which both `folder` and `name` stand, HOME if `name` does not."""
    folder = Path(folder)
    run = folder.parent if folder.name == BEST else folder
    return run.parent if (run.parent / name).exists() else HOME


def beside(folder, name):
    """Return the path of `name` beside `folder`, or in HOME."""
    return home(folder, name) / name


def tokens_and_tokenizer(tokens, tokenizer, init):
    """Return the folder of tokens and the tokenizer of a run; each may be given, or None.

    Those beside the model `init` that it starts from, whose own tokenizer comes first, or beside
    the tokens, if one of these is given.
    """
    if tokens is None:
        tokens = beside(init, "tokens") if init is not None else HOME / "tokens"
    if tokenizer is None:
        own = () if init is None else [Path(init) / name for name in TOKENIZERS]
        tokenizer = next((path for path in own if path.exists()), beside(tokens, TOKENIZER))
    return tokens, tokenizer
