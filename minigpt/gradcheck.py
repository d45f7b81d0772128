"""Is the backward pass right? Compare it with slopes measured on the forward pass.

For a function f and a random direction u, the slope (f(x + h u) - f(x - h u)) / 2h must equal
the analytic gradient's product with u. A wrong number anywhere in the gradient changes the product,
so one direction tests all of them. This is done for each input of each operation, plain (ops.py)
and as a model uses it (cpu_ops.py, cuda_ops.py), and for each parameter of a whole model. In
float64 the two agree to seven digits or more. Break a line of a backward, and this says which.

With a smaller h the measured slope comes nearer to the true one (its error falls as h^2), but the
difference has fewer correct digits; near 1e-5 both errors are small.
"""

import numpy as np

from minigpt import ops as plain_ops
from minigpt.backend import open_device
from minigpt.config import ModelConfig
from minigpt.model import GPT

STEP = 1e-5  # h
TOLERANCE = 1e-6


def relative_error(a, b):
    """Return |a - b| / (|a| + |b|), 0 where both are 0."""
    size = abs(a) + abs(b)
    return abs(a - b) / size if size else 0.0


def compare(f, x, gradient, u, h=STEP):
    """Return the (analytic, numeric) slope of `f()` where the array `x` moves along `u`.

    `gradient` is the claimed gradient of f with respect to x. x is changed, and put back as it was.
    """
    before = x.copy()
    x[...] = before + h * u
    up = float(f())
    x[...] = before - h * u
    down = float(f())
    x[...] = before
    return float((gradient * u).sum()), (up - down) / (2 * h)


def op_cases(ops, xp):
    """Return {name: (forward, backward, inputs)} for every pair of `ops`.

    `forward(*inputs)` gives (out, cache); `backward(dout, cache)` the inputs' gradients, a tuple.
    """
    rng = np.random.default_rng(0)

    def normal(*shape):
        return xp.asarray(rng.standard_normal(shape))

    def ids(high, *shape):
        return xp.asarray(rng.integers(0, high, shape))

    def embedding_backward(dout, cache):  # of all rows, used or not
        dw = xp.zeros_like(cache[1])
        rows, used = ops.embedding_backward(dout, cache)
        dw[rows] = used
        return (dw,)

    B, T, C, V = 2, 5, 6, 7
    places, targets = ids(V, B, T), ids(V, B, T)
    targets[0, 1] = -1  # one that counts for nothing
    return {
        "embedding": (
            lambda w: ops.embedding_forward(places, w),
            embedding_backward, [normal(V, C)],
        ),
        "linear": (
            ops.linear_forward, ops.linear_backward, [normal(B, T, C), normal(C, 4), normal(4)],
        ),
        "layernorm": (
            ops.layernorm_forward, ops.layernorm_backward, [normal(B, T, C), normal(C), normal(C)],
        ),
        "gelu": (ops.gelu_forward, single(ops.gelu_backward), [normal(B, T, C)]),
        **cases_of_attention(ops, xp, normal),
        **cases_in_a_block(ops, xp, normal),
        "next_token_loss": (
            lambda x, w: ops.next_token_loss_forward(x, w, targets, B * T),
            ops.next_token_loss_backward, [normal(B, T, C), normal(V, C)],
        ),
    }  # fmt: skip


def single(backward):
    """Return `backward`, of one input, as a function that gives a tuple of one gradient."""
    return lambda dout, cache: (backward(dout, cache),)


def cases_of_attention(ops, xp, normal):
    """Return the cases of attention: plain, with dropout, and with several texts in one row."""
    B, T, C, H = 2, 5, 6, 3
    segments = xp.asarray([[0, 0, 1, 1, 1], [0, 1, 1, 2, 2]])

    def dropout_forward(qkv):  # the same generator each time, so the same zeros
        return ops.attention_forward(qkv, H, 0.3, xp.random.default_rng(1))

    forwards = {
        "attention": lambda qkv: ops.attention_forward(qkv, H),
        "attention with dropout": dropout_forward,
        "attention within segments": lambda qkv: ops.attention_forward(qkv, H, segments=segments),
    }
    backward = single(ops.attention_backward)
    return {name: (f, backward, [normal(B, T, 3 * C)]) for name, f in forwards.items()}


def cases_in_a_block(ops, xp, normal):
    """Return the cases of operations as a block has them: with what goes past, or in sequence."""
    B, T, C = 2, 5, 6

    def residual_forward(x, g, b):
        out, cache = ops.layernorm_forward(x, g, b)
        return x + out, cache

    def residual_backward(dout, cache):
        return ops.layernorm_backward(dout, cache, past=dout)

    def dropout_forward(x, past=None):  # the same generator each time, so the same zeros
        return ops.dropout_forward(x, 0.3, xp.random.default_rng(1), past)

    def dropped_backward(dout, cache):
        return ops.dropout_backward(dout, cache), dout

    def mlp_forward(x, w, b, w_out, b_out):
        h, gelu, inner = ops.linear_and_gelu(x, w, b)
        out, outer = ops.linear_forward(h, w_out, b_out)
        return out, (gelu, inner, outer)

    def mlp_backward(dout, cache):
        gelu, inner, outer = cache
        dh, *of_outer = ops.linear_backward(dout, outer, gelu)
        return *ops.linear_backward(dh, inner), *of_outer

    def added_forward(x, w, b, past, rng=None):
        out, *caches = ops.linear_and_residual(x, w, b, past, 0.3, rng)
        return out, caches

    def dropped_and_added_forward(*inputs):
        return added_forward(*inputs, rng=xp.random.default_rng(1))

    def added_backward(dout, cache):
        drop, linear = cache
        return *ops.linear_backward(ops.dropout_backward(dout, drop), linear), dout

    return {
        **{
            name: (f, added_backward, [normal(B, T, C), normal(C, 4), normal(4), normal(B, T, 4)])
            for name, f in (
                ("linear in a block", added_forward),
                ("linear with dropout in a block", dropped_and_added_forward),
            )
        },
        "layernorm in a block": (
            residual_forward, residual_backward, [normal(B, T, C), normal(C), normal(C)],
        ),
        "linear, gelu, linear": (
            mlp_forward, mlp_backward,
            [normal(B, T, C), normal(C, 8), normal(8), normal(8, C), normal(C)],
        ),
        "dropout": (dropout_forward, single(ops.dropout_backward), [normal(B, T, C)]),
        "dropout in a block": (
            dropout_forward, dropped_backward, [normal(B, T, C), normal(B, T, C)],
        ),
    }  # fmt: skip


def check_ops(ops, xp):
    """Yield (operation, number of the input, analytic, numeric) for every pair of `ops`.

    An output of many numbers is made into one by adding them up with random weights r; then dout is
    r. Raises ValueError, naming the operation, if shapes do not fit, or if a gradient does not have
    the shape of its input: multiplied by u it would be broadcast, and might give the right number.
    """
    rng = np.random.default_rng(1)
    for name, (forward, backward, inputs) in op_cases(ops, xp).items():
        out, cache = forward(*inputs)
        r = xp.asarray(rng.standard_normal(out.shape))

        def f(forward=forward, inputs=inputs, r=r):
            return (forward(*inputs)[0] * r).sum()

        try:
            gradients = backward(r, cache)
        except ValueError as error:  # shapes that do not fit
            raise ValueError(f"{name}: its backward fails: {error}") from error
        for i, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
            if gradient.shape != x.shape:
                raise ValueError(
                    f"{name}: the gradient of input {i} has shape {gradient.shape}; it must have "
                    f"the input's, {x.shape}"
                )
            u = xp.asarray(rng.standard_normal(x.shape))
            yield name, i, *compare(f, x, gradient, u)


def check_model(device):
    """Yield (parameter, analytic, numeric) for every parameter of a small model."""
    xp, rng = device.xp, np.random.default_rng(2)
    config = ModelConfig(vocab_size=17, n_positions=6, n_embd=12, n_layer=2, n_head=3)
    model = GPT(config, device, dtype="float64").initialise(0)
    # away from gains of 1 and biases of 0, where mistakes can hide
    model.params.flat += 0.1 * xp.asarray(rng.standard_normal(len(model.params.flat)))
    ids = xp.asarray(rng.integers(0, 17, (3, 6)))
    targets = xp.asarray(rng.integers(0, 17, (3, 6)))
    grads = model.new_grads()
    _, cache = model.forward(ids, targets)
    model.backward(cache, grads)
    for name, w in model.params.items():
        u = xp.asarray(rng.standard_normal(w.shape))
        yield name, *compare(lambda: model.forward(ids, targets)[0], w, grads[name], u)


def run(device="cpu"):
    """Print every comparison; return whether all relative errors are below TOLERANCE."""
    device = open_device(device, "fp32")
    print(f"{'':42} {'analytic':>20} {'numeric':>20} {'relative error':>16}")
    pairs = []
    forms = [(plain_ops, np), (device.ops, device.xp)]
    for ops, xp in forms[:1] if device.ops is plain_ops else forms:
        print(f"every operation of {ops.__name__.rpartition('.')[2]}.py, by each of its inputs")
        pairs += print_rows((f"{name}, input {i}", a, n) for name, i, a, n in check_ops(ops, xp))
    print("every parameter of a model of 2 layers")
    pairs += print_rows(check_model(device))
    # np.max, unlike max, does not overlook an error that is not a number
    worst = float(np.max([relative_error(a, n) for a, n in pairs]))
    verdict = "below" if worst < TOLERANCE else "NOT below"
    print(f"largest relative error {worst:.1e}, {verdict} {TOLERANCE:.0e}")
    return worst < TOLERANCE


def print_rows(rows):
    """Print (name, analytic, numeric) with the relative error; return the pairs of slopes."""
    pairs = []
    for name, analytic, numeric in rows:
        error = relative_error(analytic, numeric)
        mark = "" if error < TOLERANCE else "  <- wrong"
        print(f"  {name:40} {analytic:20.12f} {numeric:20.12f} {error:16.1e}{mark}")
        pairs.append((analytic, numeric))
    return pairs
