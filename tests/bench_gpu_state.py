"""Parts of bench_gpu.py that come first: what is measured, does it work, is it right?"""

import importlib.util
import re
import subprocess
import sys
import time

import numpy as np
from bench_gpu_common import ROOT, cause, guarded, name_of, relative

from minigpt import gradcheck, row_ops
from minigpt import ops as plain_ops
from minigpt.backend import Device, open_device, to_numpy
from minigpt.config import ModelConfig, TrainConfig
from minigpt.cuda.checks import version
from minigpt.model import GPT
from minigpt.optim import AdamW
from minigpt.parallel import Workers, count_cores
from minigpt.trainers import make_trainer

CPU = Device("cpu", np, plain_ops, row_ops)
TESTS_S = 62  # for the tests; a part is ended some seconds later
TEST_S = 45  # for each; the first of a process finds the GPU and compiles
MOST_AT_ONCE = 10  # processes with tests: each takes half a gigabyte of the GPU
OUTCOMES = "PASSED", "FAILED", "ERROR", "SKIPPED"
FLASHING = ModelConfig(1000, 256, 128, 2, 2, 0.1)  # heads of 64: flash attention; dropout

# ---- the machine -----------------------------------------------------------------------------


def part_device(arguments, note):
    """Say what is measured: the GPU, its driver, the libraries; and whether a step is captured."""
    device = open_device("gpu")
    cuda = device.xp.cuda
    runtime = cuda.runtime
    free, total = runtime.memGetInfo()
    driver, built = (version(v()) for v in (runtime.driverGetVersion, runtime.runtimeGetVersion))
    note(
        name=name_of(device), capability=cuda.Device().compute_capability, memory_bytes=total,
        free_bytes=free, driver_cuda=driver, cuda=built, driver=guarded(driver_version),
        cupy=device.xp.__version__, numpy=np.__version__, operations=device.ops.__name__,
    )  # fmt: skip
    print(f"  {name_of(device)}, {total / 1e9:.0f} GB of which {free / 1e9:.0f} are free; driver "
          f"{guarded(driver_version)} for CUDA {driver}; CUDA {built}, CuPy "
          f"{device.xp.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}",
          flush=True)  # fmt: skip
    failure = guarded(capture_failure, device, arguments.toy)
    note(not_captured=failure)
    print(f"  a step of a small model: {failure or 'captured in CUDA graphs'}", flush=True)
    try:
        import torch

        found = {"torch": torch.__version__, "torch_cuda": torch.version.cuda}
        said = f"PyTorch {torch.__version__} (CUDA {torch.version.cuda})"
    except Exception as error:  # ours can be measured without it
        said = found = {"torch": cause(error)}
    note(**found)
    print(f"  {said}", flush=True)


def driver_version():
    """Return the version of NVIDIA's driver, as `nvidia-smi` says it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    return said.splitlines()[0].strip()


def capture_failure(device, toy):
    """Make three steps of a small model; return why they are not captured, None if they are."""
    config = ModelConfig(50, 16, 64, 1, 1) if toy else FLASHING
    model, train = GPT(config, device).initialise(1), TrainConfig(batch_size=2, warmup_steps=0)
    ids = np.random.default_rng(0).integers(0, config.vocab_size, (2, config.n_positions + 1))
    windows = type("Windows", (), {"batch": lambda *_: (ids[:, :-1].copy(), ids[:, 1:].copy())})
    trainer = make_trainer(model, AdamW(model.params, train), windows(), train, Workers(1))
    for step in range(3):
        trainer.start(step)
    losses = [loss for loss, _ in trainer.finished()]
    if trainer.graphs.failure:
        return f"not captured: {trainer.graphs.failure}"
    return None if losses[-1] < losses[0] else f"WRONG: the losses are {losses}"


# ---- the tests -------------------------------------------------------------------------------


def part_tests(arguments, note):
    """Run those tests of `make test DEVICE=gpu` that use the GPU; name each that fails."""
    command = [sys.executable, "-m", "pytest", "-v", "--tb=line", "-p", "no:cacheprovider"]
    command += ["-k", "[gpu or -gpu", "--continue-on-collection-errors", *files_with_gpu()]
    if importlib.util.find_spec("xdist"):  # kernels are compiled on several cores
        n = 2 if arguments.toy else max(2, min(MOST_AT_ONCE, count_cores() - 2))
        command += ["-n", str(n)]
        if importlib.util.find_spec("pytest_timeout"):  # one that hangs is named, the others go on
            command += ["--timeout", str(TEST_S), "--timeout-method", "thread"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    began, counts, failed, why = time.monotonic(), dict.fromkeys(OUTCOMES, 0), [], []
    for line in process.stdout:
        outcome, name = outcome_of(line)
        if outcome:
            counts[outcome] += 1
        if outcome in ("FAILED", "ERROR"):
            failed.append(name)
            print(f"  {outcome} {name}", flush=True)
        elif re.match(r"(/|E  ).*(Error|assert|Exception)", line):  # the cause, in a line
            why.append(line.strip()[-200:])
            print(f"    {why[-1]}", flush=True)
        note(counts=counts, failed=failed, why=why)
        if time.monotonic() - began > TESTS_S:
            note(unfinished=True)
            print("  the rest of the tests: no time was left", flush=True)
            break
    process.kill()
    process.wait()
    print("  " + ", ".join(f"{n} {outcome.lower()}" for outcome, n in counts.items()), flush=True)


def files_with_gpu():
    """Return the test files whose tests are run on a GPU too, kernels first."""
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("test_minigpt_*.py")]
    words = '"minigpt_fixtures"', 'open_device("gpu").xp'
    files = [file for file in files if "bench" not in file]
    used = [f for f in files if any(w in (ROOT / f).read_text("utf-8") for w in words)]
    return sorted(used, key=lambda file: ("cuda_ops" not in file, file))


def outcome_of(line):
    """Return (outcome, test) of a line of pytest's, or (None, None); xdist puts the test last."""
    alone = re.match(rf"(tests/\S+?::.+?) ({'|'.join(OUTCOMES)})\b", line)
    if alone:
        return alone[2], alone[1]
    shared = re.match(rf"\[gw\d+\] \[ *\d+%\] ({'|'.join(OUTCOMES)}) (tests/\S+?::.+)", line)
    return (shared[1], shared[2].strip()) if shared else (None, None)


# ---- right? ----------------------------------------------------------------------------------


def op_errors(device):
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
    config = ModelConfig(50, 16, 64, 1, 1) if arguments.toy else FLASHING
    for precision, limit in (("fp32", 1e-5), ("bf16", 1e-2)):
        device = open_device("gpu", precision)
        errors = guarded(op_errors, device)
        errors = errors if isinstance(errors, dict) else {"operations": errors}
        errors["whole model"] = guarded(lambda d=device: model_error(d, config)["whole"])
        note(**{precision: errors})
        for name, error in errors.items():
            is_good = not isinstance(error, str) and error < limit
            shown = error if isinstance(error, str) else f"{error:.1e}"
            print(f"  {precision} {name:28} {shown} {'below' if is_good else 'NOT below'} {limit}",
                  flush=True)  # fmt: skip
