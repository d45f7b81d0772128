"""Runs that start from another model's weights."""

from dataclasses import replace

import pytest
from minigpt_examples import MODEL, TRAIN, example_tokenizer, small_model

from minigpt.checkpoint import load_model, save_model
from minigpt.pretrain import pretrain

pytest_plugins = ["minigpt_fixtures"]


def run(example, folder, model=MODEL, say=lambda text: None, **changes):
    """Pretrain from the weights in folder/other."""
    pretrain(
        example.tokens, example.tokenizer, folder / "out", model, replace(TRAIN, **changes),
        say=say, init=folder / "other",
    )  # fmt: skip


@pytest.mark.parametrize("n_positions", [MODEL.n_positions, 5])
def test_a_run_may_start_from_another_models_weights(example, tmp_path, n_positions):
    other = small_model(seed=9)
    save_model(tmp_path / "other", other, example_tokenizer())
    still = {"learning_rate": 0, "min_learning_rate": 0}  # so that they can be seen afterwards
    model = replace(MODEL, n_positions=n_positions)
    run(example, tmp_path, model, **still)
    found = load_model(tmp_path / "out").params
    for name, w in other.params.items():
        assert (found[name] == w[: len(found[name])]).all()


def test_a_run_from_other_weights_is_another_run(example, tmp_path):
    said = []
    for seed in (1, 1, 2):
        save_model(tmp_path / "other", small_model(seed=seed), example_tokenizer())
        run(example, tmp_path, say=said.append)
    assert sum("is complete" in line for line in said) == 1
    assert sum("is now" in line for line in said) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_embd": 8}, "n_embd is 8; it must be 16, as in the model of"),
        ({"n_layer": 3}, "n_layer is 3; it must be 2"),
        ({"n_positions": 17}, "n_positions is 17; it must be at most 16"),
    ],
)
def test_weights_of_another_shape_are_refused(example, tmp_path, changes, message):
    save_model(tmp_path / "other", small_model(), example_tokenizer())
    with pytest.raises(ValueError, match=message):
        run(example, tmp_path, replace(MODEL, **changes))
    assert not (tmp_path / "out").exists()
