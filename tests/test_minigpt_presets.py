"""Presets, and the dial."""

import pytest

from minigpt import preset_table
from minigpt.__main__ import main
from minigpt.amounts import format_bytes, format_seconds
from minigpt.backend import open_device
from minigpt.forecast import forecast
from minigpt.presets import GPT2_VOCAB, N_BYTES, PRESETS, by_depth, get_preset, settings

CPU = open_device("cpu")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_name_and_says_what_it_is_for(name):
    preset = get_preset(name)
    assert preset.about
    assert preset.pages >= 1
    assert preset.train.warmup_steps < preset.train.steps
    assert preset.train.min_learning_rate < preset.train.learning_rate


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"preset is 'huge'; it must be one of smoke, tiny"):
        get_preset("huge")


@pytest.mark.parametrize(
    ("name", "millions", "layers", "heads"),
    [("gpt2", 124.44, 12, 12), ("gpt2-medium", 354.82, 24, 16), ("gpt2-large", 774.03, 36, 20),
     ("gpt2-xl", 1557.61, 48, 25)],
)  # fmt: skip
def test_gpt2_has_the_published_sizes(name, millions, layers, heads):
    preset = get_preset(name)
    assert (preset.model.n_layer, preset.model.n_head) == (layers, heads)
    assert preset.model.n_params() / 1e6 == pytest.approx(millions, abs=0.01)
    assert (preset.model.vocab_size, preset.model.n_positions) == (GPT2_VOCAB, 1024)
    assert preset.train.windows_per_step() * 1024 == 491_520


def test_shakespeare_is_read_byte_by_byte():
    for name in ("shakespeare-cpu", "shakespeare-gpu"):
        assert get_preset(name).model.vocab_size == N_BYTES == 257


def test_depth_12_is_gpt2():
    model, train = by_depth(12, GPT2_VOCAB)
    assert model == get_preset("gpt2").model
    assert train.learning_rate == pytest.approx(6e-4)
    assert 400_000 < train.windows_per_step() * model.n_positions < 500_000


@pytest.mark.parametrize("depth", range(1, 25))
def test_any_depth_gives_a_run_of_twenty_tokens_a_weight(depth):
    model, train = by_depth(depth, 2048)
    tokens = train.steps * train.windows_per_step() * model.n_positions
    weights = 12 * depth * model.n_embd**2
    assert model.n_layer == depth
    assert model.n_embd == 64 * model.n_head
    assert 0 <= tokens / weights - 20 < 0.02
    assert train.warmup_steps < train.steps
    assert train.batch_size <= 16


def test_a_deeper_model_learns_more_slowly_from_more():
    settings = [by_depth(depth, 2048) for depth in range(1, 17)]
    rates = [train.learning_rate for _, train in settings]
    tokens = [train.windows_per_step() * model.n_positions for model, train in settings]
    assert rates == sorted(rates, reverse=True)
    assert tokens == sorted(tokens)


@pytest.mark.parametrize("depth", [0, -3])
def test_a_depth_that_cannot_be_is_refused(depth):
    with pytest.raises(ValueError, match=rf"depth is {depth}; it must be at least 1"):
        by_depth(depth, 300)


def test_settings_take_depth_before_the_preset_and_the_tokenizers_symbols():
    assert settings("tiny", None, 300)[0].n_layer == 4
    assert settings("tiny", None, 300)[0].vocab_size == 300
    assert settings("tiny", 2, 300) == by_depth(2, 300)


def test_the_table_says_what_each_preset_is_for_and_takes():
    lines = preset_table.table(CPU, 1e11)
    for name, preset in PRESETS.items():
        takes, shape = (line for line in lines if line.split(" ")[0] == name)
        assert f"{preset.model.n_params() / 1e6:.2f} M" in takes
        assert takes.endswith(preset.about)
        foreseen = forecast(preset.model, preset.train, CPU)
        assert format_seconds(foreseen.seconds(1e11)) in takes
        assert format_bytes(sum(foreseen.memory.values())) in takes
        assert f"{preset.train.steps:,}" in shape
    for depth in preset_table.DEPTHS:
        assert sum(line.startswith(f"--depth {depth} ") for line in lines) == 2


def test_a_preset_is_told_setting_by_setting_as_a_person_reads_it():
    said = "\n".join(preset_table.one("tiny", CPU, 1e11))
    assert said.startswith("tiny: the default")
    for words in ("2.20 M parameters", "2,000 pages", "960 facts"):
        assert words in said
    for config in (get_preset("tiny").model, get_preset("tiny").train):
        for name in vars(config):
            assert f"  --{name.replace('_', '-')} " in said
    for words in (
        "1,800   updates",
        "0.0025   peak",
        "muon   muon takes",
        "yes   keep the model",
        "1e-08   AdamW",
    ):
        assert words in said
    assert "(" not in said.splitlines()[0] and "Config" not in said


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_program_compares_does_not_depend_on_the_machine(name, capsys):
    assert main(["presets", name, "settings"]) == 0
    assert capsys.readouterr().out == f"{get_preset(name)}\n"
