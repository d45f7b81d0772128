"""The plain loop draws as it should, and what writes in earnest writes the same ids."""

from itertools import pairwise

import numpy as np
import pytest
from minigpt_examples import lively_model

from minigpt import ops, row_ops
from minigpt.backend import Device
from minigpt.plain_sample import draw, generate, probabilities
from minigpt.sample import generate as generate_in_earnest

pytest_plugins = ["minigpt_fixtures"]


PLAIN = Device("cpu", np, ops, row_ops)


def test_a_lower_temperature_makes_the_likely_likelier():
    logits = np.log([0.2, 0.5, 0.3])
    np.testing.assert_allclose(probabilities(logits, 1.0), [0.2, 0.5, 0.3])
    np.testing.assert_allclose(probabilities(logits, 0.5), np.array([4, 25, 9]) / 38)
    np.testing.assert_allclose(probabilities(logits, 0), [0, 1, 0])


def test_the_likeliest_of_a_large_vocabulary_takes_memory_for_one_row_only():
    assert probabilities(np.arange(1e6), 0)[-1] == 1


def test_each_id_is_drawn_for_its_share_of_the_numbers():
    p = [0.25, 0.0, 0.5, 0.25, 0.0]
    drawn = [draw(p, number) for number in (0, 0.24, 0.25, 0.74, 0.75, 0.999)]
    assert drawn == [0, 0, 2, 2, 3, 3]
    assert draw([0.5, 0.4, 0.0], 0.95) == 1


@pytest.mark.parametrize("temperature", [0, 0.8])
@pytest.mark.parametrize("n_positions", [1, 2, 5, 16])
def test_the_cache_and_the_batch_write_the_same_ids(device, n_positions, temperature):
    prompts = [[5, 250, 17], [*range(20)]]
    truth, model = (lively_model(d, n_positions=n_positions) for d in (PLAIN, device))
    plain = [list(generate(truth, ids, 30, temperature, seed=1)) for ids in prompts]
    alone = list(generate_in_earnest(model, prompts[0], 30, temperature, seed=1))
    batch = list(generate_in_earnest(model, prompts, 30, temperature, seed=1))
    assert [alone, plain[1]] == plain == [list(ids) for ids in zip(*batch, strict=True)]
    assert prompts == [[5, 250, 17], [*range(20)]]  # what was given is not changed
    assert len(alone) == 30  # more than any of the windows
    assert n_positions < 5 or len(set(alone)) > 3  # not a text that any window would give


def test_it_ends_before_the_id_to_stop_at():
    model = lively_model()
    whole = list(generate(model, [7], 30, seed=3))
    stop = next(b for a, b in pairwise(whole) if b != whole[0])
    expected = whole[: whole.index(stop)]
    assert list(generate(model, [7], 30, stop=stop, seed=3)) == expected
    assert list(generate_in_earnest(model, [7], 30, stop=stop, seed=3)) == expected
