"""Every operation of the model, each a forward and a backward function. Read this first.

A forward returns its output and a cache: what its backward will need. The last output is a single
number, the loss: how wrong the model is. A backward takes `dout`, the gradient of the loss with
respect to the output, and returns the gradient with respect to each input. `dx` always means
dLoss/dx. It has the shape of x and says how fast the loss rises with each number in x. If out rises
twice as fast as x, and the loss five times as fast as out, the loss rises ten times as fast as x.
x[i] acts on the loss through every out[j], and by the chain rule all these effects add up:

    dx[i] = sum over j of dout[j] (d out[j] / d x[i])

Every backward below is this sum, worked out. Where that is not obvious, its docstring derives it;
there [i = j] means 1 if i equals j, else 0. gradcheck.py compares each with measured slopes.

Functions are pure: they change nothing they are given. There is no automatic differentiation; the
layers and parameters are in model.py. `xp` is the library an array belongs to: NumPy, or on a GPU
CuPy, which has the same functions. cpu_ops.py and cuda_ops.py have faster forms, tested against
these.

Shapes, here and in every other file:

    B batch (texts)   T time (positions)   S keys seen so far   C channels (numbers at a position)
    H heads   D size of a head, C / H   F feed-forward, 4 C   V vocabulary   L layers   N rows, B T

Sources: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2);
Vaswani et al. 2017, "Attention Is All You Need"; Ba et al. 2016, "Layer Normalization";
Hendrycks and Gimpel 2016, "Gaussian Error Linear Units"; Srivastava et al. 2014, "Dropout".
"""

import math

from minigpt.backend import array_module

# ---- embedding: for each id, a mere number, a learned row that says what it is like ---------


def embedding_forward(ids, w):
    """Look up rows: ids (B, T) integers, w (V, C) -> out (B, T, C)."""
    return w[ids], (ids, w)


def embedding_backward(dout, cache):
    """Return rows (n,), the ids that were used, each once, and dw (n, C), the gradient there.

    A row's gradient is the sum over the places that used it. A batch uses few rows of a large
    table.
    """
    ids, w = cache
    xp, C = array_module(w), w.shape[1]
    rows, where = xp.unique(ids.reshape(-1), return_inverse=True)  # (n,), (N,)
    dw = xp.zeros((len(rows), C), w.dtype)  # (n, C)
    xp.add.at(dw, where, dout.reshape(-1, C))  # `dw[where] +=` would count a repeated id once
    return rows, dw


# ---- linear: out = x w + b, each output a weighted sum of all inputs ------------------------


def linear_forward(x, w, b):
    """Multiply and add: x (B, T, C), w (C, F), b (F,) -> out (B, T, F)."""
    B, T, C = x.shape
    out = x.reshape(B * T, C) @ w + b  # (N, F): one large matrix product is the fastest kind
    return out.reshape(B, T, -1), (x, w)


def linear_backward(dout, cache, gelu=None):
    """Return dx (B, T, C), dw (C, F), db (F,).

    As out[n, f] = b[f] + sum over c of x[n, c] w[c, f],

        dx[n, c] = sum over f of dout[n, f] w[c, f]
        dw[c, f] = sum over n of x[n, c] dout[n, f]
        db[f]    = sum over n of dout[n, f]

    The first two are matrix products again, whose shapes fit in this order only. If x came out of
    GELU, and GELU's cache is given as `gelu`, dx is the gradient before GELU.
    """
    x, w = cache
    dout = dout.reshape(-1, w.shape[1])  # (N, F)
    dx = (dout @ w.T).reshape(x.shape)  # (B, T, C)
    dw = x.reshape(-1, w.shape[0]).T @ dout  # (C, F)
    db = dout.sum(axis=0)  # (F,)
    return dx if gelu is None else gelu_backward(dx, gelu), dw, db


def linear_and_gelu(x, w, b):
    """Multiply, add and apply GELU: -> out (B, T, F), and the caches of GELU and of linear."""
    h, linear = linear_forward(x, w, b)
    return *gelu_forward(h), linear


def linear_and_residual(x, w, b, past, rate, rng):
    """Multiply, add, drop, and add `past`: -> out (B, T, F), the caches of dropout and linear."""
    out, linear = linear_forward(x, w, b)
    return *dropout_forward(out, rate, rng, past), linear


# ---- layer normalisation: mean 0 and variance 1 along the channels, then scale and shift ----


def layernorm_forward(x, g, b, eps=1e-5):
    """Normalise each row: x (B, T, C), gain g (C,), bias b (C,) -> out (B, T, C).

    Every block adds to x (model.py), so x grows. Normalised, it gives every block numbers of one
    size, which g and b learn. `eps` is for rows of equal numbers, whose variance is 0.
    """
    centred = x - x.mean(axis=-1, keepdims=True)  # (B, T, C)
    variance = (centred * centred).mean(axis=-1, keepdims=True)  # (B, T, 1)
    rstd = 1 / array_module(x).sqrt(variance + eps)  # (B, T, 1), reciprocal standard deviation
    xhat = centred * rstd  # (B, T, C)
    return xhat * g + b, (xhat, rstd, g)


def layernorm_backward(dout, cache, past=None):
    """Return dx (B, T, C), dg (C,), db (C,).

    In a block x also goes past this operation. The gradient that comes back that way, `past`, is
    added to dx.

    dxhat = dout g. In one row, z = x - mean(x), variance = sum(z^2) / C and xhat = z rstd with
    rstd = (variance + eps)^(-1/2): through mean and variance, x[k] reaches every xhat[c].

        d z[c] / d x[k]     = [c = k] - 1 / C
        d variance / d x[k] = sum over c of 2 z[c] ([c = k] - 1 / C) / C = 2 z[k] / C, as sum(z) = 0
        d rstd / d x[k]     = -rstd^3 / 2 (2 z[k] / C) = -rstd^2 xhat[k] / C
        d xhat[c] / d x[k]  = rstd ([c = k] - 1 / C) - z[c] rstd^2 xhat[k] / C
                            = rstd ([c = k] - 1 / C - xhat[c] xhat[k] / C)

    dx[k] is the sum over c of dxhat[c] times this. With mean(a) = sum(a) / C that is

        dx[k] = rstd (dxhat[k] - mean(dxhat) - xhat[k] mean(dxhat xhat))
    """
    xhat, rstd, g = cache
    db = dout.sum(axis=(0, 1))  # (C,), since b is added in every row
    dg = (dout * xhat).sum(axis=(0, 1))  # (C,)
    dxhat = dout * g  # (B, T, C)
    along_mean = dxhat.mean(axis=-1, keepdims=True)  # (B, T, 1)
    along_xhat = (dxhat * xhat).mean(axis=-1, keepdims=True)  # (B, T, 1)
    dx = rstd * (dxhat - along_mean - xhat * along_xhat)  # (B, T, C)
    return dx if past is None else dx + past, dg, db


# ---- GELU: a smooth gate; GPT-2 uses the tanh approximation ---------------------------------

GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


def gelu_forward(x):
    """Apply x Phi(x), Phi(x) ~ (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, any shape.

    Phi(x) is the chance that a standard normal number is below x: a large x passes, a very negative
    one becomes 0. Without such a bend between them, two linear operations would be no more than
    one: (x w1) w2 = x (w1 w2).
    """
    tanh = array_module(x).tanh(GELU_SCALE * (x + GELU_CUBIC * x * x * x))
    return 0.5 * x * (1 + tanh), (x, tanh)


def gelu_backward(dout, cache):
    """Return dx, any shape.

    out = x (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3). By the product rule, and since
    d tanh(u) / d u = 1 - tanh(u)^2,

        d out / d x = (1 + tanh(u)) / 2 + x (1 - tanh(u)^2) / 2 (d u / d x)
    """
    x, tanh = cache
    slope = GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x)  # d u / d x
    return dout * (0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * slope)


# ---- dropout: zero some activations while training, so that none is relied upon -------------


def dropout_forward(x, rate, rng, past=None):
    """Zero each element with probability `rate`, scale the rest by 1 / (1 - rate), and add `past`.

    The scale keeps the mean as it was. Without an `rng`, or at rate 0, x passes unchanged. `past`,
    of x's shape or None, is what goes past the layer in a residual network.
    """
    keep = None
    if rng is not None and rate:
        keep = (rng.random(x.shape, dtype=x.dtype) >= rate) / x.dtype.type(1 - rate)
        x = x * keep  # 0 or 1 / (1 - rate)
    return x if past is None else past + x, keep


def dropout_backward(dout, cache):
    """Return dx: no gradient goes through the zeros."""
    keep = cache
    return dout if keep is None else dout * keep


# ---- softmax and causal self-attention ------------------------------------------------------


def softmax(x):
    """Return exp(x) / sum(exp(x)) along the last axis: positive numbers that add up to 1.

    exp(x - m) is exp(x) / exp(m), so m cancels out; m = max(x) keeps exp from overflowing.
    """
    e = array_module(x).exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def split_heads(qkv, n_head):
    """View qkv (B, T, 3C) as queries, keys and values, each (B, H, T, D)."""
    B, T, C3 = qkv.shape
    D = C3 // 3 // n_head
    return qkv.reshape(B, T, 3, n_head, D).transpose(2, 0, 3, 1, 4)  # (3, B, H, T, D)


def attention_forward(qkv, n_head, dropout=0.0, rng=None, segments=None):
    """Let every position look at itself and the positions before it.

    qkv (B, T, 3C) holds queries, keys and values side by side -> out (B, T, C). Each head computes
    softmax(q k^T / sqrt(D)) v. A position's query says what it looks for, its key what others find
    it by, its value what they then get. The product of one position's query and another's key is a
    score: how much the other matters to the first. Softmax turns a position's scores into shares
    that add up to 1, and the position gets the mean of the values, weighted by these shares. One
    head gives one such mean; H heads look for H things at once.

    A score is a sum of D products, and grows as sqrt(D) if they are independent. So it is divided
    by sqrt(D). Otherwise, for a large D, softmax would settle on one position, where its gradient
    is nearly 0.

    No position sees a later one, since that is what it is to predict: the score is set to -inf, and
    the share is exp(-inf) = 0. Where texts share a row, `segments` (B, T) numbers them, and a
    position sees its own text only.

    >>> import numpy as np
    >>> qkv = np.array([[[1, 0, 10], [1, np.log(3), 20]]])  # T = 2, C = 1; keys 0 and log 3
    >>> attention_forward(qkv, n_head=1)[0].round(6).tolist()  # the second's shares are 1 to 3
    [[[10.0], [17.5]]]
    """
    xp = array_module(qkv)
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(D)  # (B, H, T, S)
    unseen = xp.triu(xp.ones((T, T), dtype=bool), k=1)  # (T, S), true where the key is later
    if segments is not None:
        unseen = unseen | (segments[:, None, :, None] != segments[:, None, None, :])  # (B, 1, T, S)
    att = softmax(xp.where(unseen, xp.asarray(-xp.inf, qkv.dtype), scores))  # (B, H, T, S)
    dropped, keep = dropout_forward(att, dropout, rng)
    out = dropped @ v  # (B, H, T, D)
    out = out.transpose(0, 2, 1, 3).reshape(B, T, H * D)  # (B, T, C)
    return out, (qkv, n_head, att, dropped, keep)


def attention_backward(dout, cache):
    """Return dqkv (B, T, 3C).

    In one head, without dropout, where q[t], k[s], v[s] and out[t] are rows of D numbers:

        out[t]     = sum over s of att[t, s] v[s]
        dv[s]      = sum over t of att[t, s] dout[t]
        datt[t, s] = dout[t] . v[s]

    Softmax treats each row of scores by itself: att[s] = e[s] / Z, where e[s] = exp(scores[s]) and
    Z = sum(e). d Z / d scores[j] is e[j], so by the quotient rule

        d att[s] / d scores[j] = [s = j] e[s] / Z - e[s] e[j] / Z^2 = att[s] ([s = j] - att[j])
        dscores[j] = sum over s of datt[s] times this = att[j] (datt[j] - sum(datt att))

    Where s is unseen, att is 0, and so is dscores: the mask needs no backward. Finally, from
    scores[t, s] = q[t] . k[s] / sqrt(D),

        dq[t]      = sum over s of dscores[t, s] k[s] / sqrt(D)
        dk[s]      = sum over t of dscores[t, s] q[t] / sqrt(D)
    """
    qkv, n_head, att, dropped, keep = cache
    q, k, v = split_heads(qkv, n_head)  # each (B, H, T, D)
    B, H, T, D = q.shape
    dout = dout.reshape(B, T, H, D).transpose(0, 2, 1, 3)  # (B, H, T, D)
    dv = dropped.transpose(0, 1, 3, 2) @ dout  # (B, H, S, D)
    datt = dropout_backward(dout @ v.transpose(0, 1, 3, 2), keep)  # (B, H, T, S)
    dscores = att * (datt - (datt * att).sum(axis=-1, keepdims=True))  # (B, H, T, S)
    dscores = dscores / math.sqrt(D)
    dq = dscores @ k  # (B, H, T, D)
    dk = dscores.transpose(0, 1, 3, 2) @ q  # (B, H, S, D)
    dqkv = array_module(qkv).stack([dq, dk, dv])  # (3, B, H, T, D)
    return dqkv.transpose(1, 3, 0, 2, 4).reshape(qkv.shape)


# ---- the loss: how surprising was each next token? ------------------------------------------


def next_token_losses(x, w, targets):
    """Return each target's cross-entropy (B, T), in nats: logarithms to base e.

    x (B, T, C), w (V, C) the token embedding again, targets (B, T) ids. The logits, a score for
    every symbol as the next one, are x w^T. The loss of a target is -log softmax(logits)[target] =
    log(sum(exp(logits))) - logits[target]. It is 0 if the model was certain of the target, and
    log V if it found all symbols equally likely. The probability of a text is the product of its
    symbols' probabilities; the logarithm turns that into a sum of losses. A negative target counts
    for nothing: its loss is 0.
    """
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])  # (N, C)
    logits = rows @ w.T  # (N, V)
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_sum = xp.log(xp.exp(logits).sum(axis=-1))  # (N,)
    which = targets.reshape(-1)  # (N,)
    target_logits = logits[xp.arange(len(which)), xp.where(which < 0, 0, which)]  # (N,)
    return xp.where(which < 0, 0, log_sum - target_logits).reshape(targets.shape)


def next_token_loss_forward(x, w, targets, n_targets):
    """Return the sum of the targets' losses divided by `n_targets`, and a cache.

    `n_targets` is the number of targets in the whole batch. x may be a slice of the batch: the
    slices' losses add up to the mean over the batch, and so do their gradients.
    """
    return next_token_losses(x, w, targets).sum() / n_targets, (x, w, targets, n_targets)


def next_token_loss_backward(dloss, cache):
    """Return dx (B, T, C) and dw (V, C).

    For one target y, with the logits z:

        loss            = log(sum(exp(z))) - z[y]
        d loss / d z[k] = exp(z[k]) / sum(exp(z)) - [k = y] = softmax(z)[k] - [k = y]

    A step against this raises the target's logit in proportion to what its probability lacks of 1,
    and lowers each other logit in proportion to its own. The logits, by far the model's largest
    array, are computed again, not kept.
    """
    x, w, targets, n_targets = cache
    xp = array_module(x)
    rows = x.reshape(-1, x.shape[-1])  # (N, C)
    which = targets.reshape(-1)  # (N,)
    dlogits = softmax(rows @ w.T)  # (N, V)
    dlogits[xp.arange(len(which)), xp.where(which < 0, 0, which)] -= 1
    dlogits *= ((which >= 0) * (dloss / n_targets)).astype(x.dtype)[:, None]
    return (dlogits @ w).reshape(x.shape), dlogits.T @ rows


def next_token_loss_backward_in_pieces(dloss, cache):
    """Return dx (B, T, C) and pairs (rows of w, dw (n, C)), one pair here, more in cpu_ops."""
    dx, dw = next_token_loss_backward(dloss, cache)
    return dx, [(slice(len(dw)), dw)]
