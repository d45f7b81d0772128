"""Another model's weights as the beginning of a run: `pretrain --init FOLDER`.

The folder is a GPT-2's in Hugging Face's format, as transformers or a run of ours writes it.
"""

from pathlib import Path

from minigpt import checkpoint
from minigpt.dataset import fingerprint
from minigpt.resume import belongs_to


def check_init(init, out, tokenizer):
    """Raise ValueError where a run in `out` cannot start from the folder `init`.

    That may not be the run's own, which it would set aside and continue from what it has become.
    `tokenizer` is the fingerprint of the one that made the tokens.
    """
    init = Path(init)
    if belongs_to(init, out):
        raise ValueError(
            f"--init is {init}, which belongs to the run in {out}; it must be another folder: "
            f"choose another -o"
        )
    config = checkpoint.read_config(init / "config.json")
    has_tokenizer = any((init / name).exists() for name in checkpoint.TOKENIZERS)
    if has_tokenizer and fingerprint(checkpoint.load_tokenizer(init, config)) != tokenizer:
        raise ValueError(
            f"the tokens were written with another tokenizer than that of {init}; it must be the "
            f"same: tokenize with --tokenizer {init}"
        )


def fill_from(folder, model):
    """Fill `model` with the weights of a GPT-2 folder, of which a shorter window may be taken.

    Raises ValueError for a model of another shape, or with weights that are no finite numbers.
    """
    there, here = checkpoint.read_config(Path(folder) / "config.json"), model.config
    for name in ("vocab_size", "n_embd", "n_layer", "n_head"):
        old, new = getattr(there, name), getattr(here, name)
        if old != new:
            raise ValueError(f"{name} is {new}; it must be {old}, as in the model of {folder}")
    if here.n_positions > there.n_positions:
        raise ValueError(
            f"n_positions is {here.n_positions}; it must be at most {there.n_positions}, as many "
            f"as the model of {folder} has"
        )
    other = checkpoint.load_model(folder)
    for name, w in other.params.items():
        mine = model.params[name]
        mine[...] = model.device.xp.asarray(w[: len(mine)])
    model.renew_weights()
