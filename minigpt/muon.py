"""Muon: an optimizer that moves a matrix along all its directions alike. Read optim.py first.

AdamW looks at every weight by itself. But a matrix of a block maps vectors to vectors, and its
gradient speaks of directions. In its singular value decomposition G = U S V^T, a column of U is a
direction of what comes in, the same column of V is a direction of what comes out, and their number
s in S says how strongly the map from one to the other is to change. A few s are large, and most are
ten to a hundred times smaller: the former belong to what many tokens have in common, the latter to
what is rare. So Muon sets every s to 1, and moves the matrix against U V^T, equally far along all
directions.

U and V need not be computed. For an odd polynomial p(s) = a s + b s^3 + c s^5,

    a G + b (G G^T) G + c (G G^T)^2 G = U p(S) V^T,

because between the factors U^T U and V^T V are 1. So if p draws every s towards 1, applying it
again and again takes only matrix products (Newton and Schulz). With the p of Jordan et al. a small
s grows 3.4 times a step, to 1.21 at most, and from then on stays between 0.68 and 1.14: near
enough.

Only the matrices of the blocks are moved like this. An embedding is a table with a row for each
token, and the rows have little to do with each other; gains and biases are vectors. AdamW moves
those.

Sources: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et al.
2025, "Muon is Scalable for LLM Training", section 2.2 (weight decay, and the factor that makes a
step as long as one of AdamW, so that both take the same learning rate).
"""

import math
import operator

from minigpt.backend import array_module
from minigpt.optim import AdamW

MOMENTUM = 0.95  # memory of the gradient's mean
STEPS = 5  # of Newton and Schulz
A, B, C = 3.4445, -4.7750, 2.0315  # of p
# Root mean square of a step of AdamW, divided by lr, as measured by Liu et al. That of U V^T with
# m rows and n columns is 1 / sqrt(max(m, n)).
LENGTH = 0.2
TINY = 1e-7  # so that a gradient of 0 is not divided by 0


def plain_orthogonalize(x):
    """Return about U V^T of a matrix x = U S V^T (m, n): the method as it is printed.

    All s are first brought below 1: x is divided by its length, all its numbers as one vector.
    """
    xp = array_module(x)
    x = x / (xp.sqrt((x * x).sum()) + TINY)  # (m, n)
    for _ in range(STEPS):
        g = x @ x.T  # (m, m)
        x = A * x + B * g @ x + C * g @ g @ x
    return x


def orthogonalize(x, matmul=operator.matmul):
    """Return what plain_orthogonalize does (m, n), in a third of its time if n is 4 m.

    Every step multiplies x from the left by P = a + b G + c G^2, where G = x x^T. Instead of x this
    follows G, which becomes P G P, and Q, the product of all P; x is multiplied by Q at the end. G,
    P and Q are square, with x's shorter side only. All are polynomials in the first G, so they are
    symmetric and commute. `matmul` multiplies matrices.
    """
    if x.shape[0] > x.shape[1]:
        return orthogonalize(x.T, matmul).T
    xp = array_module(x)
    g = matmul(x, x.T)  # (m, m)
    one = xp.eye(len(g), dtype=x.dtype)  # (m, m)
    length = xp.sqrt((g * one).sum()) + TINY  # ()
    g /= length * length
    q = one  # the product of no P yet
    for step in range(STEPS):
        p = matmul(g, g.T)  # g.T is g, but BLAS computes only half of x @ x.T
        p *= C
        p += B * g
        p += A * one
        q = matmul(p, q) if step else p  # (m, m)
        if step < STEPS - 1:  # the last is not needed
            g = matmul(matmul(p, g), p)
    q /= length
    return matmul(q, x)


def block_matrices(shapes):
    """Return the names of the matrices in the blocks, of Params' `shapes`, the largest first."""
    names = [name for name, s in shapes.items() if len(s) == 2 and name.startswith("h.")]
    return sorted(names, key=lambda name: -math.prod(shapes[name]))


def flops(shapes):
    """Return the operations of orthogonalizing all matrices of the blocks once."""
    total = 0
    for name in block_matrices(shapes):
        m, n = sorted(shapes[name])
        total += 2 * (2 * m * m * n) + (4 * STEPS - 3) * (2 * m**3)
    return total


class Muon(AdamW):
    """Muon's memory: AdamW's, where v is not used for the matrices of the blocks."""

    def __init__(self, params, config, matmul=operator.matmul):
        """Multiply matrices with `matmul`."""
        super().__init__(params, config)
        self.matmul = matmul
        self.matrices = block_matrices(params.shapes)
        n_blocks = sum(math.prod(params.shapes[name]) for name in self.matrices)
        start, end = params.n_matrix - n_blocks, params.n_matrix  # they are the last matrices
        self.by_adamw = [(0, start, config.weight_decay), (end, len(params.flat), 0.0)]

    def move_matrix(self, name, grad, lr, scale):
        """Move a matrix against the flat gradient `grad` times `scale`, at the rate `lr`.

        What is orthogonalized is not the mean of the gradients itself, but the mean moved one more
        step towards the last gradient, so that it looks ahead (Nesterov).
        """
        w = self.params[name]  # (m, n)
        g, mean = (self.params.part(name, flat) for flat in (grad, self.m))
        mean *= MOMENTUM
        mean += (scale * (1 - MOMENTUM)) * g
        ahead = MOMENTUM * mean + (scale * (1 - MOMENTUM)) * g
        direction = orthogonalize(ahead, self.matmul)
        w *= 1 - lr * self.config.weight_decay
        w -= (lr * LENGTH * math.sqrt(max(w.shape))) * direction


def make_optimizer(model, config):
    """Return the optimizer that a TrainConfig asks for, of the parameters of `model`."""
    if config.optimizer == "muon":
        return Muon(model.params, config, model.device.matmul)
    return AdamW(model.params, config)
