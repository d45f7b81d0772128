"""Parts of bench_gpu.py that measure one thing at a time: products, kernels, attention, launches.

Answers to what was only estimated: how fast products are, what a call costs, whether cublasLt can
be captured, the share of the memory's bandwidth that kernels reach, and attention beside PyTorch's.
"""

import numpy as np
from bench_gpu_common import PEAK_BYTES_PER_S, guarded, peak, random, relative, seconds_of, waiter

from minigpt.backend import open_device, to_numpy
from minigpt.config import ModelConfig, TrainConfig
from minigpt.cuda import gemm
from minigpt.cuda.sums import column_sum
from minigpt.model import GPT
from minigpt.optim import AdamW

B, T, C, H, V = 64, 1024, 768, 12, 50257  # GPT-2 124M


# ---- products --------------------------------------------------------------------------------


def gpt2_products(N, C, V):
    """Return {name: (M, K, N)} of the products of a step of a GPT-2, of N rows."""
    return {
        "qkv": (N, C, 3 * C), "attention out": (N, C, C), "mlp in": (N, C, 4 * C),
        "mlp out": (N, 4 * C, C), "dw of mlp in": (C, N, 4 * C), "logits": (N // 8, C, V),
    }  # fmt: skip


def product_rate(device, shape, with_bias=False):
    """Return TFLOP/s of one product, which adds a bias where that is wanted."""
    M, K, N = shape
    a, b = random(device, M, K), random(device, K, N, seed=1)
    out = device.xp.empty((M, N), a.dtype)
    bias = random(device, N) if with_bias else None
    seconds = seconds_of(waiter(device), lambda: device.matmul(a, b, out, bias=bias))
    return 2 * M * K * N / seconds / 1e12


def fused_calls(device, shape, way):
    """Return two functions that return the same arrays, by one call of cublasLt and by two."""
    (M, K, N), ops = shape, device.ops
    b, x, w = (random(device, *s, seed=i) for i, s in enumerate(((K, N), (M, N), (N,))))
    # a weight's gradient is x^T dout
    a = random(device, K, M).T if way == "bias's gradient" else random(device, M, K)
    x3 = x[None]  # (1, M, N)

    def one(found):
        if found is None:
            raise ValueError("cublasLt has no way")
        return found if isinstance(found, tuple) else (found,)

    return {
        "GELU": (
            lambda: one(gemm.matmul_gelu(a, b, w)),
            lambda: ops.gelu_forward(gemm.matmul(a, b, bias=w))[::-1],
        ),
        "GELU's slope": (
            lambda: one(gemm.matmul_before_gelu(a, b, x)),
            lambda: one(ops.gelu_backward(gemm.matmul(a, b), x)),
        ),
        "bias's gradient": (
            lambda: one(gemm.matmul_and_sums(a, b, "float32")),
            lambda: (gemm.matmul(a, b, dtype="float32"), column_sum(b)),
        ),
        "residual": (
            lambda: one(gemm.matmul_past(a, b, w, x)),
            lambda: one(ops.dropout_forward(gemm.matmul(a, b, bias=w)[None], 0, None, x3)[0][0]),
        ),
    }[way]  # fmt: skip


def compare_fused(device, shape, way):
    """Return TFLOP/s in one call and in two, and how far the results' first rows are apart."""
    calls, (M, K, N) = fused_calls(device, shape, way), shape
    pairs = zip(*(call() for call in calls), strict=True)
    apart = max(relative(x[:1024], y[:1024]) for x, y in pairs)
    return *(2 * M * K * N / seconds_of(waiter(device), call) / 1e12 for call in calls), apart


def note_fused(device, cases, note):
    """Measure what cublasLt does besides a product: is it faster than a kernel of ours after it?"""
    for name, way in (
        ("mlp in", "GELU"), ("mlp in", "GELU's slope"), ("mlp out", "residual"),
        ("attention out", "residual"), ("dw of mlp in", "bias's gradient"),
        ("dw of attention out", "bias's gradient"),
    ):  # fmt: skip
        found = guarded(compare_fused, device, cases[name], way)
        if isinstance(found, str):
            found = (found,)
        for label, value in zip(("in one call", "in two", "apart"), found, strict=False):
            note(**{f"bf16 {name} and {way}, {label}": value})
        said = (
            found[0] if len(found) == 1 else "{:.1f}, in two {:.1f} (apart {:.1e})".format(*found)
        )
        print(f"  bf16 {name} and {way} in one call: {said} TFLOP/s", flush=True)


def part_products(arguments, note):
    """Measure cublasLt on GPT-2's six shapes, in three precisions.

    And what a bias costs, what more is done in the same call beside a call of its own (GELU, a
    bias's gradient, the addition of what goes past), a vocabulary that fills no whole lines, and
    the most that can be had.
    """
    N, c, v = (64, 32, 96) if arguments.toy else (B * T, C, 50304)
    for precision in ("bf16", "tf32", "fp32"):
        device = open_device("gpu", precision)
        cases = {name: (shape, False) for name, shape in gpt2_products(N, c, v).items()}
        if precision == "bf16":
            cases["mlp in and bias"] = (cases["mlp in"][0], True)
            cases["logits, odd V"] = ((N // 8, c, v - 47), False)  # GPT-2's own 50257
            cases["square"] = ((64 if arguments.toy else 8192,) * 3, False)
        if precision == "fp32":  # without tensor cores: two will do
            cases = {name: cases[name] for name in ("qkv", "dw of mlp in")}
        for name, (shape, with_bias) in cases.items():
            rate = guarded(product_rate, device, shape, with_bias)
            note(**{f"{precision} {name}": rate})
            print(f"  {precision} {name:16} {shown(rate)} TFLOP/s", flush=True)
        if precision == "bf16":
            shapes = {name: shape for name, (shape, _) in cases.items()}
            note_fused(device, shapes | {"dw of attention out": (c, N, c)}, note)


def shown(rate):
    """Return a rate with one decimal, or why there is none."""
    return rate if isinstance(rate, str) else f"{rate:7.1f}"


# ---- what a call costs, and whether it can be captured -----------------------------------------


def part_launches(arguments, note):
    """Measure microseconds of Python a call, and whether cublasLt can be captured."""
    device = open_device("gpu")
    xp = device.xp
    a = random(device, 128, 128)
    one, source = xp.zeros(1, "float32"), 'extern "C" __global__ void nothing(float *x) {}'
    kernel = guarded(lambda: xp.RawKernel(source, "nothing"))
    calls = {
        "RawKernel": kernel if isinstance(kernel, str) else lambda: kernel((1,), (32,), (one,)),
        "cublasLt": lambda: device.matmul(a, a),
        "a + a": lambda: a + a,
        "GELU": lambda: device.ops.gelu_forward(a),
        "layer norm": lambda: device.ops.layernorm_forward(a[None], a[0], a[1]),
    }
    for name, call in calls.items():
        us = call
        if not isinstance(call, str):
            us = guarded(lambda c=call: 1e6 * seconds_of(waiter(device), c, 500))
        note(**{f"us {name}": us})
        print(f"  a call of {name}: {us if isinstance(us, str) else f'{us:.1f}'} us", flush=True)

    def captured():
        graphs, out = device.graphs.Graphs(xp), xp.zeros((128, 128), a.dtype)
        work = device.graphs.Work(graphs, lambda: device.matmul(a, a, out))
        work(), work()
        out[...] = 0
        work()
        graphs.wait()
        error = relative(out, to_numpy(a).astype("float64") @ to_numpy(a).astype("float64"))
        return graphs.failure or ("yes" if error < 1e-2 else f"wrong by {error}")

    answer = guarded(captured)
    note(cublaslt_captured=answer)
    print(f"  cublasLt in a captured graph: {answer}")


# ---- kernels: bytes a second -------------------------------------------------------------------


def kernel_calls(device, rows, V):
    """Return {name: (function, bytes moved)} for `rows` rows of C channels."""
    ops, e = device.ops, 2 if device.low else 4
    x, g, b, dout = (random(device, *s)[None] for s in ((rows, C), (C,), (C,), (rows, C)))
    h, w = random(device, 1, rows, 4 * C), random(device, V, C)
    g, b, x_bytes = g[0], b[0], rows * C * e
    _, of_norm = ops.layernorm_forward(x, g, b)
    _, of_gelu = ops.gelu_forward(h)
    ids = device.xp.asarray(np.random.default_rng(0).integers(0, V, (1, rows)))
    _, of_ids = ops.embedding_forward(ids, w)
    calls = {
        "copy": (x.copy, 2 * x_bytes),  # the most that can be had
        "layernorm_forward": (lambda: ops.layernorm_forward(x, g, b), 2 * x_bytes),
        "layernorm_backward": (lambda: ops.layernorm_backward(dout, of_norm), 3 * x_bytes),
        "gelu_forward": (lambda: ops.gelu_forward(h), 8 * x_bytes),
        "gelu_backward": (lambda: ops.gelu_backward(h, of_gelu), 12 * x_bytes),
        "residual add": (lambda: ops.dropout_forward(x, 0.0, None, past=dout), 3 * x_bytes),
        "embedding_forward": (lambda: ops.embedding_forward(ids, w), 2 * x_bytes),
        "embedding_backward": (
            lambda: ops.embedding_backward(dout, of_ids), x_bytes + 4 * V * C,
        ),
        "next_token_losses": (
            lambda: ops.next_token_losses(x, w, ids), 2 * rows * V * e,
        ),
    }  # fmt: skip
    return calls


def update_call(device, config):
    """Return (a function that updates GPT-2's weights, bytes moved)."""
    from minigpt.cuda.update import step_numbers, update

    model, xp = GPT(config, device), device.xp
    train, grads = TrainConfig(), model.new_grads()
    optimizer = AdamW(model.params, train)
    numbers = xp.asarray(step_numbers(1, 1e-3, 1.0, train))
    loss, said = xp.zeros((), "float32"), xp.zeros(2, "float32")
    n_bytes = config.n_params() * (36 + (2 if device.low else 0))  # and the norm reads g once
    return (
        lambda: update(model, optimizer, grads.flat, numbers, loss, said), n_bytes,
    )  # fmt: skip


def part_kernels(arguments, note):
    """Measure the bytes a second that kernels move, at GPT-2's sizes, in bf16 and fp32."""
    rows, V_ = (64, 300) if arguments.toy else (B * T, V)
    config = ModelConfig(V_, 64, 64, 2, 2) if arguments.toy else ModelConfig()
    for precision in ("bf16", "fp32"):
        device = open_device("gpu", precision)
        most = peak(device, PEAK_BYTES_PER_S)
        calls = guarded(kernel_calls, device, rows, V_)
        calls = calls if isinstance(calls, dict) else {"kernels": calls}
        calls["AdamW with norm"] = guarded(update_call, device, config)
        for name, call in calls.items():
            rate = call
            if not isinstance(call, str):
                seconds = guarded(seconds_of, waiter(device), call[0], 10)
                rate = seconds if isinstance(seconds, str) else call[1] / seconds / 1e9
            note(**{f"{precision} {name}": rate})
            shown = rate if isinstance(rate, str) else f"{rate:8.0f} GB/s"
            of = f", {1e9 * rate / most:.0%} of the peak" if most and shown is not rate else ""
            print(f"  {precision} {name:30} {shown}{of}", flush=True)


# ---- attention ---------------------------------------------------------------------------------


def part_attention(arguments, note):
    """Measure attention forward and backward at GPT-2's sizes beside PyTorch's fused one.

    Both in bf16, causal and without dropout. Queries, keys and values stand side by side in ours,
    as the product before leaves them, and apart in PyTorch's, as it likes them best.
    """
    b, t, c, _ = shape = (2, 64, 128, 2) if arguments.toy else (B, T, C, H)
    flops = {"forward": 2 * b * t * t * c}  # of the two products, the half that is not masked
    flops["backward"] = 2.5 * flops["forward"]
    for who, make in (("ours", our_attention), ("PyTorch", torch_attention)):
        ways = guarded(make, shape)
        for way in flops:
            rate = ways
            if not isinstance(ways, str):
                seconds = guarded(seconds_of, ways["wait"], ways[way], 10)
                rate = seconds if isinstance(seconds, str) else flops[way] / seconds / 1e12
            note(**{f"{who} {way}": rate})
            shown = rate if isinstance(rate, str) else f"{rate:.0f} TFLOP/s"
            print(f"  {who} {way}: {shown}", flush=True)


def our_attention(shape):
    """Return {"forward", "backward", "wait"}: functions of no arguments."""
    b, t, c, h = shape
    device = open_device("gpu", "bf16")
    qkv, dout = random(device, b, t, 3 * c), random(device, b, t, c)
    _, cache = device.ops.attention_forward(qkv, h)
    return {
        "forward": lambda: device.ops.attention_forward(qkv, h),
        "backward": lambda: device.ops.attention_backward(dout, cache),
        "wait": waiter(device),
    }


def torch_attention(shape, where="cuda"):
    """Return what `our_attention` does, of PyTorch's."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    b, t, c, h = shape
    q, k, v = (
        torch.randn(b, h, t, c // h, device=where, dtype=torch.bfloat16, requires_grad=True)
        for _ in range(3)
    )
    out = scaled_dot_product_attention(q, k, v, is_causal=True)
    dout = torch.randn_like(out)
    return {
        "forward": lambda: scaled_dot_product_attention(q, k, v, is_causal=True),
        "backward": lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True),
        "wait": torch.cuda.synchronize if where == "cuda" else lambda: None,
    }
