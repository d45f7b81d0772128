import argparse
import dataclasses
import re

import pytest

from minigpt.config import (
    ModelConfig,
    TrainConfig,
    add_flags,
    with_flags,
)
from minigpt.model import param_shapes
from minigpt.presets import get_preset


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("vocab_size", 0, "be at least 1"),
        ("n_positions", 0, "be at least 1"),
        ("n_embd", -8, "be at least 1"),
        ("n_layer", 0, "be at least 1"),
        ("n_layer", 10**9, "be at most 10,000"),
        ("n_head", 0, "be at least 1"),
        ("n_head", 5, "divide n_embd, which is 768"),
        ("dropout", -0.1, "be at least 0 and below 1"),
        ("dropout", 1.0, "be at least 0 and below 1"),
        ("dropout", float("nan"), "be at least 0 and below 1"),
        ("layer_norm_epsilon", 0.0, "be above 0"),
        ("layer_norm_epsilon", float("nan"), "be above 0"),
        ("layer_norm_epsilon", float("inf"), "be finite"),
    ],
)
def test_a_model_that_cannot_be_is_refused_with_value_and_rule(name, value, rule):
    with pytest.raises(ValueError, match=re.escape(f"{name} is {value}; it must {rule}")):
        ModelConfig(**{name: value})


@pytest.mark.parametrize(
    ("names", "value", "rule"),
    [
        ("steps batch_size accumulate eval_every eval_windows", 0, "be at least 1"),
        ("learning_rate min_learning_rate weight_decay grad_clip", -1.0, "be at least 0"),
        ("learning_rate min_learning_rate weight_decay grad_clip", float("nan"), "be at least 0"),
        ("warmup_steps sample_every workers seed", -1, "be at least 0"),
        ("save_every_s epochs", -1.0, "be at least 0"),
        ("patience", -1, "be at least 0"),
        ("epochs learning_rate min_learning_rate weight_decay epsilon", float("inf"), "be finite"),
        ("beta1 beta2", 1.0, "be at least 0 and below 1"),
        ("beta1 beta2", -0.1, "be at least 0 and below 1"),
        ("epsilon", 0.0, "be above 0"),
        ("optimizer", "sgd", "be adamw or muon"),
    ],
)
def test_a_training_that_cannot_be_is_refused_with_value_and_rule(names, value, rule):
    for name in names.split():
        with pytest.raises(ValueError, match=re.escape(f"{name} is {value}; it must {rule}")):
            TrainConfig(**{name: value})


def test_settings_cannot_be_changed_afterwards():
    for config in (ModelConfig(), TrainConfig()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.seed = 1


def test_gpt2_has_124_million_parameters_by_default():
    assert ModelConfig().n_params() == 124_439_808


def test_flops_are_six_a_weight_and_attention_on_top():
    config = ModelConfig(vocab_size=100, n_positions=32, n_embd=16, n_layer=3, n_head=2)
    matrices = [s for n, s in param_shapes(config).items() if len(s) == 2 and n != "wpe.weight"]
    in_products = sum(rows * columns for rows, columns in matrices)  # wte is one: the logits
    assert config.flops_per_token() == 6 * in_products + 12 * 3 * 32 * 16


def parse(*flags):
    parser = argparse.ArgumentParser()
    add_flags(parser, ModelConfig, {"vocab_size"})
    add_flags(parser, TrainConfig)
    return parser.parse_args(flags)


def test_every_setting_is_a_flag_with_help_and_the_right_type():
    for config_class in (ModelConfig, TrainConfig):
        for field in dataclasses.fields(config_class):
            assert field.metadata["help"]
            if field.name != "vocab_size":
                flag = "--" + field.name.replace("_", "-")
                value = (field.metadata["choices"] or ["1"])[-1]
                args = parse(flag) if field.type is bool else parse(flag, value)
                assert type(getattr(args, field.name)) is field.type is type(field.default)


def test_flags_replace_what_was_given_and_nothing_else():
    preset = get_preset("smoke")
    args = parse("--n-embd", "192", "--dropout", "0.0", "--steps", "7")
    assert with_flags(preset.model, args) == dataclasses.replace(
        preset.model, n_embd=192, dropout=0.0
    )
    assert with_flags(preset.train, args) == dataclasses.replace(preset.train, steps=7)


def test_a_flag_can_set_a_value_to_zero():
    model = dataclasses.replace(ModelConfig(), dropout=0.5)
    assert with_flags(model, parse("--dropout", "0")).dropout == 0


def test_a_flag_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"n_head is 7; it must divide n_embd"):
        with_flags(get_preset("smoke").model, parse("--n-head", "7"))


def test_a_switch_can_be_turned_off():
    assert TrainConfig().keep_best
    assert not with_flags(TrainConfig(), parse("--no-keep-best")).keep_best


@pytest.mark.parametrize(
    ("epochs", "steps"), [(1.0, 25), (2.0, 50), (0.5, 13), (1e-9, 1), (0.0, 1000)]
)
def test_epochs_become_steps_rounded_up(epochs, steps):
    config = TrainConfig(epochs=epochs, batch_size=2, accumulate=2).with_steps(100)
    assert (config.steps, config.epochs) == (steps, 0.0)
