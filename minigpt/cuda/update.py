"""An update of the weights whose every number is on the GPU, for a captured step.

What changes from step to step stands in `numbers`, a float32 array of which `step_numbers` says
what it holds; what does not, in the TrainConfig. Loss and norm of the gradient are written where
they can be fetched later. The plain twins are optim.py and muon.py, whose formulas these are.
"""

import math

import numpy as np

N_NUMBERS = 4


def step_numbers(step, lr, factor, config):
    """Return what an update needs to know (N_NUMBERS,): `step` counts from 1.

    The step's size lr root / (1 - beta1^t), root = sqrt(1 - beta2^t), lr itself, and `factor`,
    what gradient and loss are to be multiplied with.
    """
    root = math.sqrt(1 - config.beta2**step)
    return np.array([lr * root / (1 - config.beta1**step), root, lr, factor], np.float32)


def update(model, optimizer, grad, numbers, loss, said):
    """Move the weights by one step; write loss and the gradient's norm to `said` (2,).

    `grad` (P,) and `loss` () are sums that are 0 again afterwards. Where the operations of the
    device have AdamW as one kernel, and it moves everything, a gradient that is not finite changes
    nothing.
    """
    fused = hasattr(model.device.ops, "adamw_step") and not optimizer.matrices
    (fused_update if fused else plain_update)(model, optimizer, grad, numbers, loss, said)
    loss[...] = 0


def plain_update(model, optimizer, grad, numbers, loss, said):
    """Do what `update` does, in plain lines."""
    xp, c, p = model.device.xp, optimizer.config, model.params
    size, root, lr, factor = (numbers[i] for i in range(N_NUMBERS))
    norm = xp.sqrt(squared_norm(model, grad)[0]) * factor  # ()
    said[0], said[1] = loss * factor, norm
    scale = factor * xp.minimum(1, c.grad_clip / norm) if c.grad_clip else factor
    grad *= scale
    for start, end, decay in optimizer.by_adamw:
        w, g, m, v = (x[start:end] for x in (p.flat, grad, optimizer.m, optimizer.v))
        m += (1 - c.beta1) * (g - m)
        v += (1 - c.beta2) * (g * g - v)
        w *= 1 - lr * decay
        w -= size * m / (xp.sqrt(v) + c.epsilon * root)
    for name in optimizer.matrices:
        optimizer.move_matrix(name, grad, lr, 1)
    model.renew_weights()
    grad[...] = 0


def fused_update(model, optimizer, grad, numbers, loss, said):
    """Do what `update` does, in a pass over the gradient and one over everything."""
    ops, xp, p = model.device.ops, model.device.xp, model.params
    squared = squared_norm(model, grad)
    factor = numbers[N_NUMBERS - 1]
    said[0], said[1] = loss * factor, xp.sqrt(squared[0]) * factor
    low = None if model.weights is p else model.weights.flat
    ops.adamw_step(
        p.flat, grad, optimizer.m, optimizer.v, low, p.n_matrix, numbers, squared,
        optimizer.config, clear=True,
    )  # fmt: skip


def squared_norm(model, grad):
    """Return the sum of the gradient's squares (1,).

    Where there are several GPUs, of any kinds, each must find the same, or they would clip the
    same gradient differently. So the sum is the device's own, whose order is always the same.
    """
    ops, xp = model.device.ops, model.device.xp
    if not hasattr(ops, "squared_norm"):
        return xp.square(grad).sum().reshape(1)
    squared = xp.empty(1, np.float32)
    ops.squared_norm(grad, squared)
    return squared
