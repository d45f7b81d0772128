"""The oracle is the singular value decomposition; in test_peers.py PyTorch's Muon."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import MODEL, TRAIN, small_model, untimed

from minigpt.backend import to_numpy
from minigpt.dataset import Windows, load_tokens
from minigpt.forecast import forecast, step_flops
from minigpt.model import param_shapes
from minigpt.muon import (
    LENGTH,
    MOMENTUM,
    Muon,
    block_matrices,
    flops,
    make_optimizer,
    orthogonalize,
    plain_orthogonalize,
)
from minigpt.optim import AdamW
from minigpt.parallel import Workers
from minigpt.train import Trainer

pytest_plugins = ["minigpt_fixtures"]

CONFIG = replace(TRAIN, optimizer="muon", weight_decay=0.2)


def matrix(seed, m, n, values=None):
    """Return a random matrix (m, n), with these singular values if they are given."""
    x = np.random.default_rng(seed).standard_normal((m, n))
    if values is None:
        return x
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return u * values @ vt


# ---- one matrix ------------------------------------------------------------------------------


@untimed
@given(m=st.integers(1, 12), n=st.integers(1, 12), seed=st.integers(0, 99))
def test_the_fast_form_is_the_plain_one(m, n, seed):
    x = matrix(seed, m, n)
    np.testing.assert_allclose(orthogonalize(x), plain_orthogonalize(x), atol=1e-9)


def test_directions_stay_and_their_strengths_become_alike():
    strengths = np.array([1.0, 0.3, 0.1, 0.03, 0.01, 0.003])
    x = matrix(0, 6, 20, strengths)
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    become = u.T @ orthogonalize(x) @ vt.T  # (6, 6)
    assert abs(become - np.diag(np.diag(become))).max() < 1e-9
    assert (np.diag(become) > 0.68).all() and (np.diag(become) < 1.21).all()


def test_how_long_the_gradient_is_makes_no_difference():
    x = matrix(1, 5, 8)
    np.testing.assert_allclose(orthogonalize(1e4 * x), orthogonalize(x), rtol=1e-4)


def test_a_gradient_of_zero_gives_no_direction(xp):
    assert to_numpy(orthogonalize(xp.zeros((3, 4), "float32"))).tolist() == [[0] * 4] * 3


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (24, 24)])
def test_float32_is_exact_enough_and_kept(device, shape):
    x = matrix(2, *shape)
    got = orthogonalize(device.xp.asarray(x, "float32"), device.matmul)
    assert got.dtype == np.float32
    np.testing.assert_allclose(to_numpy(got), plain_orthogonalize(x), atol=1e-4)


# ---- the optimizer ---------------------------------------------------------------------------


def test_matrices_of_blocks_are_muons_and_everything_else_is_adamws(device):
    ours, theirs = small_model(device), small_model(device)
    muon, adamw = make_optimizer(ours, CONFIG), AdamW(theirs.params, CONFIG)
    before = {name: to_numpy(w).copy() for name, w in ours.params.items()}
    rng = np.random.default_rng(3)
    means = dict.fromkeys(before, 0.0)
    for step in (1, 2):
        grads = ours.new_grads()
        grads.flat[...] = device.xp.asarray(rng.standard_normal(len(grads.flat)), "float32")
        for optimizer in (muon, adamw):
            optimizer.step(grads.flat, step, 0.1, scale=0.5)
        for name, w in ours.params.items():
            if name in muon.matrices:
                g = 0.5 * to_numpy(grads[name])
                means[name] = MOMENTUM * means[name] + (1 - MOMENTUM) * g
                ahead = MOMENTUM * means[name] + (1 - MOMENTUM) * g
                change = 0.1 * LENGTH * max(g.shape) ** 0.5 * plain_orthogonalize(ahead)
                before[name] = before[name] * (1 - 0.1 * 0.2) - change
                np.testing.assert_allclose(to_numpy(w), before[name], atol=1e-4)
            else:
                assert (to_numpy(w) == to_numpy(theirs.params[name])).all()
    assert len(muon.matrices) == 4 * MODEL.n_layer
    assert not {"wte.weight", "wpe.weight"} & set(muon.matrices)


def test_workers_who_share_a_step_make_the_same_one():
    alone, shared = small_model(), small_model()
    g = np.random.default_rng(4).standard_normal(len(alone.params.flat)).astype("float32")
    Muon(alone.params, CONFIG).step(g, 1, 0.1)
    optimizer = Muon(shared.params, CONFIG)
    for index in range(3):
        optimizer.step(g, 1, 0.1, index=index, n=3)
    assert (alone.params.flat == shared.params.flat).all()


def test_the_loss_falls(device, example):
    windows = Windows(load_tokens(example.tokens / "train.npy"), MODEL.n_positions, 0)
    config, model = replace(CONFIG, steps=40), small_model(device)
    with Workers(1) as workers:
        optimizer = make_optimizer(model, config)
        trainer = Trainer(model, optimizer, windows, config, workers)
        losses = [trainer.step(step)[0] for step in range(40)]
    assert losses[-1] < losses[0] - 0.5


# ---- what it takes ---------------------------------------------------------------------------


def test_its_products_are_counted():
    done = []

    def matmul(a, b):
        done.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return a @ b

    shapes = param_shapes(MODEL)
    for name in block_matrices(shapes):
        orthogonalize(np.ones(shapes[name]), matmul)
    assert flops(shapes) == sum(done)
    more = step_flops(MODEL, CONFIG) - step_flops(MODEL, replace(CONFIG, optimizer="adamw"))
    assert more == flops(shapes)
    assert forecast(MODEL, CONFIG, small_model().device).flops_per_step == step_flops(MODEL, CONFIG)
