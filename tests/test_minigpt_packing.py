"""Several conversations in a window: nothing leaks, and the gradient is the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import MODEL, TRAIN, small_model, untimed

from minigpt.backend import to_numpy
from minigpt.gradcheck import TOLERANCE, compare, relative_error
from minigpt.optim import AdamW
from minigpt.packing import Packed, best_fit
from minigpt.parallel import Workers
from minigpt.train import Trainer

pytest_plugins = ["minigpt_fixtures"]

V, T = MODEL.vocab_size, MODEL.n_positions


def rendered(lengths, seed=0):
    """Return conversations of random ids, about half of them to be learned."""
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(0, V, n).tolist(), [False, *(rng.random(n - 1) < 0.5).tolist()])
        for n in lengths
    ]


LENGTHS = (5, 9, 3, 17, 6, 4, 12)


def gradient(model, windows):
    """Return the loss and the flat gradient of all windows as one batch."""
    xp, grads = model.device.xp, model.new_grads()
    ids, targets, *layout = (xp.asarray(x) for x in windows.rows(slice(None)))
    loss, cache = model.forward(ids, targets, windows.n_targets, None, *layout)
    model.backward(cache, grads)
    return float(loss), to_numpy(grads.flat)


def test_packed_and_unpacked_conversations_give_the_same_loss_and_gradient(device):
    model = small_model(device, "float64")
    data = rendered(LENGTHS)
    packed, single = Packed(data, T, 0), Packed(data, T, 0, pack=False)
    assert len(packed) < len(single) == len(LENGTHS)
    loss, g = gradient(model, packed)
    single_loss, single_g = gradient(model, single)
    assert abs(loss - single_loss) < 1e-12
    assert np.abs(g - single_g).max() < 1e-14 + 1e-10 * np.abs(single_g).max()
    # and it is not the gradient of conversations that see one another
    model_grads = model.new_grads()
    ids, targets, _, _ = (device.xp.asarray(x) for x in packed.rows(slice(None)))
    _, cache = model.forward(ids, targets, packed.n_targets)
    model.backward(cache, model_grads)
    assert np.abs(to_numpy(model_grads.flat) - single_g).max() > 1e-3


def test_a_conversation_in_a_row_of_its_own_is_as_without_packing(device):
    model = small_model(device, "float64")
    (ids, mask), *_ = rendered([T + 1])
    windows = Packed([(ids, mask)], T, 0)
    targets = np.where(mask[1:], ids[1:], -1)[None]
    loss, _ = model.forward(device.xp.asarray([ids[:-1]]), device.xp.asarray(targets))
    assert abs(gradient(model, windows)[0] - float(loss)) < 1e-12


def test_the_masked_loss_of_packed_windows_passes_the_gradient_check(device):
    model = small_model(device, "float64")
    windows = Packed(rendered(LENGTHS), T, 0)
    _, g = gradient(model, windows)
    model.params.flat += 0.1 * device.xp.asarray(np.random.default_rng(2).standard_normal(g.shape))
    xp, grads = device.xp, model.new_grads()
    ids, targets, *layout = (xp.asarray(x) for x in windows.rows(slice(None)))

    def loss():
        return model.forward(ids, targets, None, None, *layout)[0]

    _, cache = model.forward(ids, targets, None, None, *layout)
    model.backward(cache, grads)
    rng = np.random.default_rng(3)
    for name, w in model.params.items():
        u = xp.asarray(rng.standard_normal(w.shape))
        assert relative_error(*compare(loss, w, grads[name], u)) < TOLERANCE, name


def test_what_is_not_to_be_learned_has_no_influence_on_the_loss_where_it_is_only_a_target(device):
    model = small_model(device, "float64")
    data = [([1, 2, 3, 4], [False, False, True, False])]
    other = [([1, 2, 3, 9], [False, False, True, False])]
    assert gradient(model, Packed(data, T, 0))[0] == gradient(model, Packed(other, T, 0))[0]


def test_every_target_of_a_step_weighs_the_same_however_the_step_is_split():
    found = []
    for batch_size, accumulate, n_workers in ((4, 1, 1), (4, 1, 2), (2, 2, 1), (1, 4, 1)):
        config = replace(TRAIN, batch_size=batch_size, accumulate=accumulate)
        model = small_model(dtype="float64")
        windows = Packed(rendered([T + 1, 5, 9, T]), T, 0, pack=False)
        with Workers(n_workers) as workers:
            trainer = Trainer(model, AdamW(model.params, config), windows, config, workers)
            found.append(trainer.step(0))  # loss, norm of the gradient
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-12)


@untimed
@given(st.lists(st.integers(1, 20), min_size=1, max_size=60))
def test_best_fit_puts_each_once_and_overfills_none(lengths):
    groups = best_fit(lengths, 20)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in group) <= 20 for group in groups)
    # two groups at most half full would have been one
    assert sum(sum(lengths[i] for i in group) <= 10 for group in groups) <= 1


def test_an_epoch_uses_every_window_once_and_the_next_in_another_order():
    windows = Packed(rendered([T + 1] * 12), T, seed=1)
    epochs = [
        np.concatenate([windows.batch(i, 4)[0] for i in range(3 * e, 3 * e + 3)]) for e in (0, 1)
    ]
    assert sorted(map(tuple, epochs[0])) == sorted(map(tuple, windows.ids))
    assert sorted(map(tuple, epochs[1])) == sorted(map(tuple, windows.ids))
    assert not np.array_equal(*epochs)
    np.testing.assert_array_equal(windows.batch(1, 4)[0], epochs[0][4:8])  # going back works


@pytest.mark.parametrize("lengths", [[], [T + 2]])
def test_conversations_that_do_not_fit_are_refused(lengths):
    with pytest.raises(ValueError, match=f"fit the window of {T}"):
        Packed(rendered(lengths), T, 0)
