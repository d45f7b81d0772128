"""Parts of bench_gpu.py that measure one thing at a time: products, kernels, attention, launches.

Answers to what was only estimated: how fast products are with and without epilogues, what a call
costs, whether cublasLt can be captured, the share of the memory's bandwidth that kernels reach,
and attention beside PyTorch's.
"""

import math
import statistics
import time

import numpy as np

from minigpt import gradcheck
from minigpt import ops as plain_ops
from minigpt.backend import Device, open_device, to_numpy
from minigpt.config import ModelConfig, TrainConfig
from minigpt.model import GPT
from minigpt.optim import AdamW

CPU = Device("cpu", np, plain_ops)
PEAK_BYTES_PER_S = {"H200": 4.8e12, "H100": 3.35e12, "A100": 2.0e12}  # NVIDIA's data sheets
B, T, C, H, V = 64, 1024, 768, 12, 50257  # GPT-2 124M


def seconds_of(device, function, n=20, turns=3):
    """Return the median seconds of a call of `function`, which enqueues work on the GPU."""
    wait = device.xp.cuda.Device().synchronize
    function()
    taken = []
    for _ in range(turns):
        wait()
        began = time.perf_counter()
        for _ in range(n):
            function()
        wait()
        taken.append((time.perf_counter() - began) / n)
    return statistics.median(taken)


def guarded(function, *arguments):
    """Return what a function returns, or its error as text: the next line must go on."""
    try:
        return function(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0]


def random(device, *shape, dtype=None, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return device.xp.asarray(x).astype(dtype or device.low or "float32")


# ---- the machine -----------------------------------------------------------------------------


def part_device(arguments, note):
    """Say what is measured: the GPU, its driver, the libraries, the operations in use."""
    device = open_device("gpu")
    cuda = device.xp.cuda
    properties = cuda.runtime.getDeviceProperties(cuda.Device().id)
    free, total = cuda.runtime.memGetInfo()
    note(
        name=properties["name"].decode(), capability=cuda.Device().compute_capability,
        memory_bytes=total, free_bytes=free, driver=cuda.runtime.driverGetVersion(),
        cupy=device.xp.__version__, numpy=np.__version__, operations=device.ops.__name__,
    )  # fmt: skip
    print(f"  {properties['name'].decode()}, {total / 1e9:.0f} GB, CuPy {device.xp.__version__}, "
          f"operations of {device.ops.__name__}")  # fmt: skip
    import torch

    note(torch=torch.__version__, torch_cuda=torch.version.cuda)
    print(f"  PyTorch {torch.__version__} (CUDA {torch.version.cuda})")


# ---- right? ----------------------------------------------------------------------------------


def relative(a, b):
    """Return |a - b| / |b| of two arrays, the second exact; NaN is as far as can be."""
    a, b = (to_numpy(x).astype(np.float64) for x in (a, b))
    error = np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30)
    return math.inf if math.isnan(error) else float(error)


def op_errors(device, dtype):
    """Return {operation: largest relative error of its output and gradients} against float64."""
    found, low = {}, device.low or "float32"
    exact = gradcheck.op_cases(plain_ops, np)
    for name, (forward, backward, inputs) in gradcheck.op_cases(device.ops, device.xp).items():
        if "dropout" in name:
            continue  # other zeros
        rounded = [x.astype(low) for x in inputs]
        f, b, _ = exact[name]
        given = [to_numpy(x).astype(np.float64) for x in rounded]

        def errors(f=f, b=b, given=given, rounded=rounded, forward=forward, backward=backward):
            expected, exact_cache = f(*given)
            got, cache = forward(*rounded)
            dout = np.random.default_rng(1).standard_normal(np.shape(expected))
            dout_there = device.xp.asarray(dout).astype(low)
            if np.ndim(expected) == 0:  # a loss, of which the model asks for the gradient itself
                dout = dout_there = 1.0
            gradients = b(dout, exact_cache)
            pairs = zip(backward(dout_there, cache), gradients, strict=True)
            return max(relative(x, y) for x, y in [(got, np.asarray(expected)), *pairs])

        found[name] = guarded(errors)
    return found


def model_error(device, config):
    """Return the relative error of a whole model's gradient, and its parameters' worst."""
    ours, exact = GPT(config, device).initialise(0), GPT(config, CPU, "float64")
    exact.params.flat[...] = to_numpy(ours.weights.flat).astype(np.float64)
    ids = np.random.default_rng(2).integers(0, config.vocab_size, (2, 2, config.n_positions))
    flat = []
    for model in (ours, exact):
        xp, grads = model.device.xp, model.new_grads()
        _, cache = model.forward(xp.asarray(ids[0]), xp.asarray(ids[1]))
        model.backward(cache, grads)
        flat.append(grads)
    worst = max((relative(flat[0][name], flat[1][name]), name) for name in flat[1])
    return {"whole": relative(flat[0].flat, flat[1].flat), "worst": worst}


def part_exactness(arguments, note):
    """Compare every operation and a whole model's gradient with float64 on the CPU."""
    config = ModelConfig(1000, 256, 128, 2, 2)  # heads of 64: flash attention
    if arguments.toy:
        config = ModelConfig(50, 16, 16, 2, 2)
    for precision, limit in (("fp32", 1e-5), ("bf16", 1e-2)):
        device = open_device("gpu", precision)
        errors = op_errors(device, precision)
        errors["whole model"] = guarded(lambda d=device: model_error(d, config)["whole"])
        note(**{precision: errors})
        for name, error in errors.items():
            is_good = not isinstance(error, str) and error < limit
            shown = error if isinstance(error, str) else f"{error:.1e}"
            print(f"  {precision} {name:28} {shown} {'below' if is_good else 'NOT below'} {limit}")


# ---- products --------------------------------------------------------------------------------


def gpt2_products(N, C, V):
    """Return {name: (M, K, N)} of the products of a step of a GPT-2, of N rows."""
    return {
        "qkv": (N, C, 3 * C), "attention out": (N, C, C), "mlp in": (N, C, 4 * C),
        "mlp out": (N, 4 * C, C), "dw of mlp in": (C, N, 4 * C), "logits": (N // 8, C, V),
    }  # fmt: skip


def product_rate(device, shape):
    """Return TFLOP/s of one product."""
    M, K, N = shape
    a, b, out = (random(device, *s) for s in ((M, K), (K, N), (M, N)))
    seconds = seconds_of(device, lambda: device.matmul(a, b, out))
    return 2 * M * K * N / seconds / 1e12


def epilogue_rates(device, N, C):
    """Return TFLOP/s of the products with epilogues, and of the plain lines that they replace."""
    from minigpt.cuda import gemm

    F = 4 * C
    x, w, b, h = (random(device, *s) for s in ((N, C), (C, F), (F,), (N, F)))
    dout, w_out = random(device, N, C), random(device, F, C)
    calls = {
        "linear_gelu": (x, w, b), "linear_gelu_backward": (dout, w_out, h),
        "weight_gradient": (x, h),
    }  # fmt: skip
    found = {}
    for name, given in calls.items():
        for form in (name, f"plain_{name}"):
            function = getattr(gemm, form)
            seconds = seconds_of(device, lambda f=function, g=given: f(*g))
            found[form] = 2 * N * C * F / seconds / 1e12
    return found


def part_products(arguments, note):
    """Measure cublasLt on GPT-2's six shapes, in three precisions, with epilogues and without."""
    N, c, v = (64, 32, 96) if arguments.toy else (B * T, C, 50304)
    for precision in ("bf16", "tf32", "fp32"):
        device = open_device("gpu", precision)
        for name, shape in gpt2_products(N, c, v).items():
            rate = guarded(product_rate, device, shape)
            note(**{f"{precision} {name}": rate})
            print(f"  {precision} {name:16} {rate if isinstance(rate, str) else f'{rate:7.1f}'}"
                  f" TFLOP/s")  # fmt: skip
        rates = guarded(epilogue_rates, device, N, c)
        note(**{f"{precision} epilogues": rates})
        print(f"  {precision} epilogues: {rates}")


# ---- what a call costs, and whether it can be captured -----------------------------------------


def part_launches(arguments, note):
    """Measure microseconds of Python a call, and whether cublasLt can be captured."""
    device = open_device("gpu")
    xp = device.xp
    a = random(device, 128, 128)
    one, source = xp.zeros(1, "float32"), 'extern "C" __global__ void nothing(float *x) {}'
    kernel = guarded(lambda: xp.RawKernel(source, "nothing"))
    calls = {
        "RawKernel": lambda: kernel((1,), (32,), (one,)),
        "cublasLt": lambda: device.matmul(a, a),
        "a + a": lambda: a + a,
        "GELU": lambda: device.ops.gelu_forward(a),
        "layer norm": lambda: device.ops.layernorm_forward(a[None], a[0], a[1]),
    }
    for name, call in calls.items():
        us = guarded(lambda c=call: 1e6 * seconds_of(device, c, 500))
        note(**{f"us {name}": us})
        print(f"  a call of {name}: {us if isinstance(us, str) else f'{us:.1f}'} us")

    def captured():
        graphs, out = device.graphs.Graphs(xp), xp.zeros((128, 128), a.dtype)
        work = device.graphs.Work(graphs, lambda: device.matmul(a, a, out))
        work(), work()
        out[...] = 0
        work()
        graphs.wait()
        is_right = relative(out, to_numpy(a).astype("float64") @ to_numpy(a).astype("float64"))
        return graphs.failure or ("yes" if is_right < 1e-2 else f"wrong by {is_right}")

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
        "layernorm_forward": (lambda: ops.layernorm_forward(x, g, b), 2 * x_bytes),
        "layernorm_backward": (lambda: ops.layernorm_backward(dout, of_norm), 3 * x_bytes),
        "gelu_forward": (lambda: ops.gelu_forward(h), 8 * x_bytes),
        "gelu_backward": (lambda: ops.gelu_backward(h, of_gelu), 12 * x_bytes),
        "residual add": (lambda: x + dout, 3 * x_bytes),
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
    rows, V = (64, 300) if arguments.toy else (B * T, 50257)
    for precision in ("bf16", "fp32"):
        device = open_device("gpu", precision)
        name = device.xp.cuda.runtime.getDeviceProperties(0)["name"].decode()
        peak = next((p for part, p in PEAK_BYTES_PER_S.items() if part in name), None)
        calls = kernel_calls(device, rows, V)
        config = ModelConfig(V, 64, 64, 2, 2) if arguments.toy else ModelConfig()
        calls["AdamW with norm"] = update_call(device, config)
        for call, (function, n_bytes) in calls.items():
            seconds = guarded(seconds_of, device, function, 10)
            rate = seconds if isinstance(seconds, str) else n_bytes / seconds / 1e9
            note(**{f"{precision} {call}": rate})
            shown = rate if isinstance(rate, str) else f"{rate:8.0f} GB/s"
            of = f", {1e9 * rate / peak:.0%} of the peak" if peak and shown is not rate else ""
            print(f"  {precision} {call:20} {shown}{of}")


# ---- attention ---------------------------------------------------------------------------------


def part_attention(arguments, note):
    """Measure attention forward and backward at GPT-2's sizes beside PyTorch's fused one."""
    shape = (2, 64, 128, 2) if arguments.toy else (B, T, C, H)
    b, t, c, h = shape
    flops = 2 * b * t * t * c  # of the two products forward, the half that is not masked
    device = open_device("gpu")
    qkv, dout = random(device, b, t, 3 * c), random(device, b, t, c)
    _, cache = device.ops.attention_forward(qkv, h)
    ours = {
        "forward": lambda: device.ops.attention_forward(qkv, h),
        "backward": lambda: device.ops.attention_backward(dout, cache),
    }
    for way, call in ours.items():
        rate = guarded(
            lambda f=call, w=way: flops * (1 if w == "forward" else 2.5)
            / seconds_of(device, f, 10) / 1e12
        )  # fmt: skip
        note(**{f"ours {way}": rate})
        print(f"  ours {way}: {rate} TFLOP/s")
    theirs = guarded(torch_attention, shape, flops)
    note(PyTorch=theirs)
    print(f"  PyTorch: {theirs} TFLOP/s")


def torch_attention(shape, flops, where="cuda"):
    """Return TFLOP/s of PyTorch's attention, {"forward", "backward"}."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    b, t, c, h = shape
    wait = torch.cuda.synchronize if where == "cuda" else lambda: None
    q, k, v = (
        torch.randn(b, h, t, c // h, device=where, dtype=torch.bfloat16, requires_grad=True)
        for _ in range(3)
    )

    def forward():
        return scaled_dot_product_attention(q, k, v, is_causal=True)

    out = forward()
    dout = torch.randn_like(out)
    ways = {
        "forward": (forward, 1.0),
        "backward": (lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True), 2.5),
    }
    found = {}
    for way, (call, times) in ways.items():
        call(), wait()
        began = time.perf_counter()
        for _ in range(10):
            call()
        wait()
        found[way] = times * flops / ((time.perf_counter() - began) / 10) / 1e12
    return found
