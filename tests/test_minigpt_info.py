import json

import pytest
from minigpt_examples import save_example_model

from minigpt import info
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


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (99_600, "100 kB"),
     (999_600, "1.0 MB"), (498e6, "498 MB"), (6.23e9, "6.2 GB"), (5e12, "5000 GB")],
)  # fmt: skip
def test_bytes_are_written_as_a_person_reads_them(n, text):
    assert info.format_bytes(n) == text


def test_what_a_run_reported_is_told(tmp_path):
    save_example_model(tmp_path)
    report = {"tokens": 12345, "steps": 67, "epochs": 2.5, "val_loss": 3.25, "bits_per_byte": 1.5,
              "flops": 1e15, "seconds": 100}  # fmt: skip
    (tmp_path / "training.json").write_text(json.dumps(report))
    said = "\n".join(info.describe(tmp_path))
    for words in ("12,345 tokens in 67 steps, 2.5 times", "3.250 nats/token", "1.0e+15 operations"):
        assert words in said
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert said.endswith(info.format_bytes(total))
