import json

import pytest
from minigpt_examples import save_example_model

from minigpt import info, run_lock
from minigpt.amounts import format_bytes
from minigpt.config import ModelConfig


@pytest.mark.parametrize("config", [ModelConfig(), ModelConfig(300, 16, 16, 2, 2)])
def test_the_parts_add_up_to_all_parameters(config):
    assert sum(n for _, n, _ in info.parts(config)) == config.n_params()


def test_gpt2_takes_the_room_and_the_operations_that_are_known_of_it():
    config = ModelConfig()
    assert info.cache_bytes(config) == 2 * 12 * 768 * 4
    assert info.generation_flops(config, 0) == pytest.approx(2 * 123.5e6, rel=0.01)
    # a third of a training step is the forward pass, but for attention, half of which is masked
    assert 3 * info.generation_flops(config, 1024) == config.flops_per_token()


def test_what_a_run_reported_is_told(tmp_path):
    save_example_model(tmp_path)
    report = {"tokens": 12345, "steps": 67, "epochs": 2.5, "val_loss": 3.25, "bits_per_byte": 1.5,
              "flops": 1e15, "seconds": 100}  # fmt: skip
    (tmp_path / "training.json").write_text(json.dumps(report))
    said = "\n".join(info.describe(tmp_path))
    for words in ("12,345 tokens in 67 steps, 2.5 times", "3.250 nats/token", "1.0e+15 operations"):
        assert words in said
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert said.endswith(format_bytes(total))


def test_a_folder_without_a_model_says_what_it_is(tmp_path):
    save_example_model(tmp_path / "out/base")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("out", rf"out holds models, and must be one of them: {tmp_path}/out/base"),
        ("empty", "empty holds no config.json; it must be a model's folder"),
        ("nothing", "nothing does not exist; it must be"),
    ):
        with pytest.raises(ValueError, match=said):
            info.describe(tmp_path / name)
    with run_lock.held(tmp_path / "empty"), pytest.raises(ValueError, match="a run begins there"):
        info.describe(tmp_path / "empty")
