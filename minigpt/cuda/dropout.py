"""Dropout whose random numbers are a function of a seed on the GPU, a call's number, and a place.

Nothing is stored between forward and backward but where the seed stands. The plain form is
ops.dropout_forward; the hash, cuda/random.cuh.
"""

from minigpt.cuda import kernels
from minigpt.cuda.kernels import flat_launch

HIGH = 1 << 62  # seeds are below
NO_DRAW = (None, 0, 0.0)  # no seed, no call, no rate: there is no dropout


class Seed:
    """A source of random numbers for the calls of one forward pass, in the order of the calls.

    `seed` (1,), int64, is on the GPU: a captured step is replayed with other numbers once another
    seed has been written there. It must hold the same at the backward as at the forward.
    """

    def __init__(self, seed):
        self.seed, self.calls = seed, 0

    def next(self):
        """Return the array and the number of this call."""
        self.calls += 1
        return self.seed, self.calls


def next_seed(rng):
    """Return (seed (1,), number of the call) from a Seed or from a generator of NumPy or CuPy."""
    if isinstance(rng, Seed):
        return rng.next()
    return rng.integers(0, HIGH, size=1), 0


def dropout_forward(x, rate, rng, past=None):
    """Zero each element with probability `rate`, scale the rest by 1 / (1 - rate), and add `past`.

    Without an `rng`, or at rate 0, x passes unchanged. `past` is of x's shape, or None.
    """
    draw = (*next_seed(rng), float(rate)) if rng is not None and rate else None
    return drop(x, draw, past), draw


def dropout_backward(dout, cache):
    """Return dx: nothing through the zeros."""
    return drop(dout, cache)


def drop(x, draw, past=None):
    if draw is None and past is None:
        return x
    x, past = kernels.contiguous(x), None if past is None else kernels.contiguous(past)
    out = kernels.empty(x, x.shape)
    flat_launch("dropout", [x, out, past], *(draw or NO_DRAW))
    return out
