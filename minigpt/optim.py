"""AdamW, gradient clipping and the learning-rate schedule, on one flat array.

plain_step.py has the formulas as they are printed: read that first. Here they are reordered to make
only one new array, and computed for pieces that stay in a core's cache.

Sources: Kingma and Ba 2015, "Adam" (algorithm 1); Loshchilov and Hutter 2019, "Decoupled Weight
Decay Regularization" (algorithm 2); Loshchilov and Hutter 2017, "SGDR" (the cosine).
"""

import math

import numpy as np

from minigpt.backend import array_module
from minigpt.crew import shared_copy

NORM_CHUNK = 1 << 22  # elements; the same for any number of workers, so that the rounding is too


def learning_rate(step, config):
    """Return the learning rate of `step` (from 0): a straight rise, then half a cosine down.

    It rises because Adam's means say little after only a few gradients; it falls so that the
    weights settle.
    """
    warmup, steps = config.warmup_steps, config.steps
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - 1 - warmup))  # 0 .. 1
    cosine = 0.5 * (1 + math.cos(math.pi * progress))  # 1 .. 0
    return config.min_learning_rate + cosine * (config.learning_rate - config.min_learning_rate)


def norm(flat):
    """Return the length of the vector `flat`, a float."""
    return math.sqrt(sum(squares(flat[part]) for part in chunks(0, len(flat), NORM_CHUNK)))


def squares(x):
    """Return the sum of the squares of a vector, a float."""
    return float(array_module(x).vdot(x, x))


def clip_factor(grad_norm, limit):
    """Return the factor, at most 1, that brings a norm down to `limit` (0: no limit)."""
    return limit / grad_norm if 0 < limit < grad_norm else 1.0


def adamw(w, g, m, v, step, lr, beta1, beta2, epsilon, weight_decay, scale=1.0):
    """Move weights `w` one step against the gradient `scale g`; w, m and v change in place.

    All are flat arrays of one size. `step` counts from 1. With c1 = 1 - beta1^step and
    c2 = 1 - beta2^step, the fraction of plain_step.py is multiplied above and below by sqrt(c2):

        lr (m / c1) / (sqrt(v / c2) + epsilon) = (lr sqrt(c2) / c1) m / (sqrt(v) + epsilon sqrt(c2))
    """
    xp = array_module(w)
    m *= beta1
    change = (scale * (1 - beta1)) * g  # the only new array: all that follows is done in it
    m += change
    v *= beta2
    xp.multiply(g, g, out=change)
    change *= scale * scale * (1 - beta2)
    v += change
    root = math.sqrt(1 - beta2**step)  # sqrt(c2)
    xp.sqrt(v, out=change)
    change += epsilon * root
    xp.divide(m, change, out=change)
    change *= lr * root / (1 - beta1**step)
    w *= 1 - lr * weight_decay
    w -= change


class AdamW:
    """The optimizer's memory for the parameters `params`, two arrays of their size.

    Only the matrices decay: pulling biases and gains towards 0 would not simplify anything.
    """

    CHUNK = 1 << 15  # elements updated at a time: five such arrays fit in a core's cache
    matrices = ()  # names of those that are moved as a whole, see muon.py; here none

    def __init__(self, params, config):
        self.params, self.config = params, config
        xp = array_module(params.flat)
        self.m = xp.zeros_like(params.flat)  # (n,), n parameters
        self.v = xp.zeros_like(params.flat)  # (n,)
        n_matrix = params.n_matrix
        # (start, end, decay) of what is moved number by number: here all
        self.by_adamw = [(0, n_matrix, config.weight_decay), (n_matrix, len(params.flat), 0.0)]

    def share(self):
        """Move m and v to memory that processes forked from now on have in common (crew.py)."""
        self.m = shared_copy(self.m)  # one after the other: the old one is free by then
        self.v = shared_copy(self.v)

    def step(self, grad, step, lr, scale=1.0, index=0, n=1):
        """Update the parameters with the flat gradient `grad` times `scale`.

        `step` counts from 1. If `n` workers share the update, this does the part of worker `index`.
        """
        xp, c = array_module(grad), self.config
        size = self.CHUNK if xp is np else len(grad)  # a GPU has no such cache, and calls cost time
        pieces = [
            (chunk, decay)
            for start, end, decay in self.by_adamw
            for chunk in chunks(start, end, size)
        ]
        for chunk, decay in pieces[len(pieces) * index // n : len(pieces) * (index + 1) // n]:
            adamw(
                self.params.flat[chunk], grad[chunk], self.m[chunk], self.v[chunk],
                step, lr, c.beta1, c.beta2, c.epsilon, decay, scale,
            )  # fmt: skip
        for name in self.matrices[index::n]:
            self.move_matrix(name, grad, lr, scale)


def chunks(start, end, size):
    """Return slices of at most `size` elements that cover start .. end."""
    return [slice(a, min(a + size, end)) for a in range(start, end, size)]
