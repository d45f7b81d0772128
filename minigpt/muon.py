"""Muon: an optimizer that moves a matrix along all its directions alike. Read optim.py first.

AdamW looks at every weight by itself. But a matrix of a block maps vectors to vectors, and what
its gradient says is said by directions. With the singular value decomposition G = U S V^T: of what
comes in along a column of U, more or less is to come out along the same column of V, as much as its
number in S says. A few of these s are large, and most are ten to a hundred times smaller: what many
tokens have in common is in the first, and what is rare in the others. So Muon sets every s to 1,
and moves the matrix against U V^T, along all directions as far.

U and V need not be computed. For an odd polynomial p(s) = a s + b s^3 + c s^5,

    a G + b (G G^T) G + c (G G^T)^2 G = U p(S) V^T,

for between the factors U^T U and V^T V are 1. So with a p that draws every s towards 1, applied
again and again, some products of matrices are enough (Newton and Schulz). The p of Jordan et al.
climbs steeply, 3.4 times a step, at most to 1.21, and from then on stays between 0.68 and 1.14:
near enough.

Only the matrices of the blocks are moved so. An embedding is a table, a row for each token, whose
rows have little to do with each other; gains and biases are vectors. Those are AdamW's.

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
# Root of the mean square of a step of AdamW, divided by lr, as measured by Liu et al. That of U V^T
# of m rows and n columns is 1 / sqrt(max(m, n)).
LENGTH = 0.2
TINY = 1e-7  # a gradient of 0 is not divided by its length


def plain_orthogonalize(x):
    """Return about U V^T of a matrix x = U S V^T (m, n): the method as it is printed.

    All s are brought below 1 by the length of x, all its numbers taken as one vector.
    """
    xp = array_module(x)
    x = x / (xp.sqrt((x * x).sum()) + TINY)  # (m, n)
    for _ in range(STEPS):
        g = x @ x.T  # (m, m)
        x = A * x + B * g @ x + C * g @ g @ x
    return x


def orthogonalize(x, matmul=operator.matmul):
    """Return what plain_orthogonalize does (m, n), in a third of its time if n is 4 m.

    Every step multiplies x from the left by P = a + b G + c G^2, G = x x^T. Instead of x itself,
    which is longer than wide or wider than long, this follows G, which then becomes P G P, and the
    product Q of all P: all are symmetric, of the shorter side only, and may change places, for all
    are polynomials of the first G. `matmul` multiplies matrices.
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
        p = matmul(g, g.T)  # g itself: of a product with its own transpose BLAS makes one half only
        p *= C
        p += B * g
        p += A * one
        q = matmul(p, q) if step else p  # (m, m)
        if step < STEPS - 1:  # nobody asks for the last
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
    """Muon's memory: AdamW's, of which v is not used for the matrices of the blocks."""

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

        The mean m of the gradients is followed by one more step towards the last gradient
        (Nesterov): then it looks ahead.
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
