"""A training step in its simplest form: read this after model.py.

Training shows a model a text and, at each place, asks it for the next token. Then it moves every
parameter a little, so that the model would have been less surprised. In a text a b c d e f, a
window of T = 3 ids and their targets may be

    ids      b c d
    targets  c d e       after b comes c, after b c comes d, after b c d comes e

A batch is B such windows, whose mean gradient depends less on chance than that of one. A step is
five lines:

    loss  = how surprised the model is by a batch, on average            (model.forward)
    g     = d loss / d w for every parameter w, by the chain rule        (model.backward)
    g     = g min(1, clip / |g|)     a rare steep place must not throw the model far
    m, v  = running means of g and of g g, corrected for their start at 0
    w     = w - lr (m / (sqrt(v) + epsilon) + decay w)                   (AdamW)

A run is the same step again and again, each time with other windows of the text. The loss rises
along g, so w goes the other way, and not far, since g is the slope at this w only. The learning
rate lr first rises and then falls (optim.py). The decay pulls a weight towards 0 unless a gradient
holds it up: smaller weights make a smoother function, which fits noise less.

This is for reading, not for use: it has no dropout, no GPU and no optimizer but AdamW, and makes
arrays of the model's size again and again. train.py and optim.py make the same steps on several
cores and in little memory; their tests take this module as the truth. For runs that can be stopped
and continued see pretrain.py.

Source: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2, with the
decay multiplied by lr, as PyTorch does it.
"""

import numpy as np

from minigpt.optim import learning_rate


def train(model, windows, config):
    """Make the steps of a TrainConfig; yield each one's loss (nats per token) and gradient norm.

    `windows` gives the batches: Windows(ids, T, seed) of dataset.py makes them from a row of ids. A
    text 0 1 2 3 0 1 2 3 ... is learned in a few steps:

    >>> from minigpt.config import ModelConfig, TrainConfig
    >>> from minigpt.dataset import Windows
    >>> from minigpt.model import GPT
    >>> ids = np.array([0, 1, 2, 3] * 10)
    >>> shape = ModelConfig(vocab_size=4, n_positions=8, n_embd=16, n_layer=1, n_head=2)
    >>> model = GPT(shape).initialise(seed=1)
    >>> config = TrainConfig(steps=31, learning_rate=0.02, warmup_steps=0)
    >>> losses = [loss for loss, norm in train(model, Windows(ids, 8, seed=1), config)]
    >>> [round(loss, 1) for loss in (losses[0], losses[-1])]  # guessing evenly gives log 4 = 1.4
    [1.7, 0.0]
    >>> model.logits([0, 1, 2]).argmax(axis=-1)  # likeliest after 0, after 0 1, after 0 1 2
    array([1, 2, 3])
    """
    m, v = model.new_grads(), model.new_grads()  # zeros, as many as there are parameters
    for step in range(config.steps):
        yield train_step(model, m, v, windows, config, step)


def train_step(model, m, v, windows, config, step):
    """Make update number `step` (from 0) of model, m and v in place; return (loss, norm)."""
    first = step * config.accumulate
    batches = [windows.batch(first + i, config.batch_size) for i in range(config.accumulate)]
    n_targets = sum(int((targets >= 0).sum()) for _, targets in batches)  # -1 counts for nothing

    loss, grads = 0.0, model.new_grads()
    for ids, targets in batches:  # (B, T) each; several where one would not fit in memory
        for these in (ids, np.maximum(targets, 0)):
            model.check_ids(these)  # ValueError for one that is not a symbol of the model
        part, cache = model.forward(ids, targets, n_targets)
        model.backward(cache, grads)  # adds to grads
        loss += float(part)

    norm = float(np.sqrt(np.sum(grads.flat * grads.flat)))  # of all parameters as one vector
    if 0 < config.grad_clip < norm:
        grads.flat *= config.grad_clip / norm

    lr = learning_rate(step, config)
    for name, w in model.params.items():
        # only matrices decay: pulling biases and gains towards 0 would not simplify anything
        decay = config.weight_decay if w.ndim >= 2 else 0.0
        adamw(w, grads[name], m[name], v[name], step + 1, lr, decay, config)
    return loss, norm


def adamw(w, g, m, v, step, lr, decay, config):
    """Move weights `w` against their gradient `g`; w, m and v, of one shape, change in place.

    A weight moves by about `lr`, whatever the size of its gradient: m / sqrt(v) is near 1 or -1
    where the gradients of several steps agree, and near 0 where they contradict each other. m and v
    begin at 0, so at first they are too small: after `step` steps, counted from 1, by the factors
    1 - beta1^step and 1 - beta2^step (work it out for a g that stays the same).

    >>> from minigpt.config import TrainConfig
    >>> w, g, m, v = np.array([1.0, 1.0]), np.array([100.0, -0.001]), np.zeros(2), np.zeros(2)
    >>> adamw(w, g, m, v, step=1, lr=0.1, decay=0, config=TrainConfig())
    >>> w.round(3)  # both moved by lr
    array([0.9, 1.1])
    """
    m[...] = config.beta1 * m + (1 - config.beta1) * g
    v[...] = config.beta2 * v + (1 - config.beta2) * g * g
    m_hat = m / (1 - config.beta1**step)
    v_hat = v / (1 - config.beta2**step)
    w -= lr * (m_hat / (np.sqrt(v_hat) + config.epsilon) + decay * w)
