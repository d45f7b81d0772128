"""AdamW over the flat parameters of a model, no number of which comes from Python.

The plain form is optim.adamw; what the kernel does stands in adamw.cu. For the norm that it clips
by, see sums.squared_norm.
"""

import math

import numpy as np

from minigpt.cuda.kernels import VECTOR_BYTES, launch, width

BLOCK = 256


def adamw_step(w, g, m, v, low, n_matrix, numbers, squared, config, clear=False):
    """Move the weights w against the gradient g, both (n,) float32, in place, and m and v.

    `low` (n,), bfloat16, or None, becomes a copy of w. The first `n_matrix` weights decay.
    What changes from step to step is on the GPU: `numbers` (4,), float32, are the step's size
    lr root / (1 - beta1^t), root = sqrt(1 - beta2^t), lr, and the factor that the gradient is to be
    multiplied with; `squared` (1,) is what `squared_norm` says of it. Then it is clipped as the
    TrainConfig says. With `clear`, g is 0 afterwards. If it is not finite, nothing changes at all.
    """
    c, n = config, len(w)
    rates = c.beta1, c.beta2, c.epsilon, c.weight_decay, c.grad_clip
    W = VECTOR_BYTES // w.itemsize if width(VECTOR_BYTES, w, g, m, v, low) > 1 else 1
    whole = n // W * W
    for start, end, width_ in ((0, whole, W), (whole, n, 1)):  # the last few one by one
        if start == end:
            continue
        part = [None if x is None else x[start:end] for x in (w, g, m, v, low)]
        launch(
            "adamw", w.dtype, math.ceil((end - start) / (width_ * BLOCK)), BLOCK,
            *part, numbers, squared, np.int64(end - start), np.int64(n_matrix - start),
            *map(float, rates), int(clear), W=width_,
        )  # fmt: skip
