"""Pretraining: a run from the first step to the last, or from where it was stopped.

The steps themselves are in loop.py, with the records they leave. Before the first of them this
writes, beside the model,

    training_config.json   every setting of the model and of the training, resolved; the hashes of
                           the data and of another model's weights, if it starts from those;
                           versions, workers, what was foreseen (forecast.py) and the machine's
                           measured peak

A run is decided by its settings, its tokens and its seed. On a CPU, with the same numbers of
workers and machines, a run that was stopped or killed continues from its last checkpoint to the
same bytes as one that never was.
"""

import contextlib
import hashlib
import platform
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bpe import Tokenizer
from minigpt import checkpoint, run_lock
from minigpt.backend import open_device, to_numpy
from minigpt.cluster import share
from minigpt.cluster_trainer import follow
from minigpt.dataset import Windows, fingerprint, load_tokens, read_report, require_window
from minigpt.forecast import check_memory, check_time, describe, forecast, may_take_long
from minigpt.init_from import check_init, fill_from
from minigpt.loop import Loop
from minigpt.machine import measure_peak
from minigpt.model import GPT
from minigpt.muon import make_optimizer
from minigpt.packing import Packed
from minigpt.parallel import Workers
from minigpt.resume import CONFIG, is_begun, is_done, start_or_continue
from minigpt.stop_request import StopRequest, name_of
from minigpt.trainers import make_trainer

# These may change when a run is continued. Another number of workers, or of machines, rounds
# differently, and with dropout draws other zeros; the others do not touch the weights. Epochs have
# become steps by then.
FREE_SETTINGS = (
    "epochs", "eval_every", "eval_windows", "sample_every", "patience", "keep_best",
    "save_every_s", "workers",
)  # fmt: skip


def pretrain(
    tokens, tokenizer_file, out, model_config, train_config, device="cpu", start="auto", say=print,
    force=False, init=None, cluster=None,
):  # fmt: skip
    """Train a model of `model_config` on the folder `tokens` and write it to the folder `out`.

    It starts from random weights, or from those of the model in the folder `init`, whose
    tokenizer, if it has one, must be that of the tokens.

    A stopped run is continued; a complete one is not trained further. For other settings, or if
    `start` is "fresh", an earlier run is set aside first; with "resume" no run is begun (see
    resume.py). In a `cluster` (cluster.py) all machines do this, and only the first one writes.
    Returns the report, or None if the run was stopped by a signal or is another machine's. Raises
    ValueError for bad input and, unless `force`, for a run that does not fit in memory and for a
    new one that would take longer than a month.
    """
    device = open_device(device)
    tokenizer = Tokenizer.load(tokenizer_file)
    report = read_report(tokens)
    if report["tokenizer"] != fingerprint(tokenizer):
        raise ValueError(
            f"{tokens} was written with another tokenizer than {tokenizer_file}; it must be the "
            f"same: tokenize again with this one, or give another --tokens or --tokenizer"
        )
    if tokenizer.n_vocab != model_config.vocab_size:
        raise ValueError(
            f"vocab_size is {model_config.vocab_size}{f' in {init}' if init else ''}; it must be "
            f"{tokenizer.n_vocab}, the number of symbols of {tokenizer_file}"
        )
    windows, val = read_windows(Path(tokens), model_config, train_config)
    train_config = train_config.with_steps(windows.per_epoch)
    check_memory(model_config, share(train_config, device, cluster), device, force)
    model, data = GPT(model_config, device), {}
    if init is None:
        model.initialise(train_config.seed)
    else:
        check_init(init, out, report["tokenizer"])
        fill_from(init, model)
        weights = hashlib.sha256(to_numpy(model.params.flat)).hexdigest()
        data = {"init": str(init), "init_sha256": weights}
    data |= {"sha256": report["train"]["sha256"], "tokens": report["train"]["tokens"]}
    return run_in_folder(
        out, model, tokenizer, windows, val, train_config, data, start, say, cluster=cluster,
        force=force,
    )  # fmt: skip


def read_windows(tokens, model, train):
    """Return (the windows to train on, the ones to look at) of a folder of tokens.

    Raises ValueError for a text shorter than a window, and for ids that are no symbols.
    """
    T, V = model.n_positions, model.vocab_size
    train_tokens, val_tokens = (load_tokens(tokens / f"{part}.npy", V) for part in ("train", "val"))
    require_window({"training": len(train_tokens), "validation": len(val_tokens)}, T)
    windows = Windows(train_tokens, T, train.seed)
    return windows, Windows(val_tokens, T, 0).spread(train.eval_windows)


def run_in_folder(
    out, model, tokenizer, windows, val, config, data, start="auto", say=print, make_loop=Loop,
    cluster=None, force=False, **more,
):  # fmt: skip
    """Train `model` on `windows` to the end of the run in the folder `out`, new or continued.

    `model` has the weights that a new run starts from; `data` is what it learns from: a hash,
    "sha256", how many "tokens" an epoch has and, if the weights are another model's, their hash,
    "init_sha256". `make_loop` takes what Loop takes. In a `cluster` the first machine does this,
    and the others follow it. Returns the report, with `more` in it, or None if the run was stopped
    by a signal or is another machine's. Raises ValueError if another process trains in `out` and,
    unless `force`, for a new run that would take longer than a month.
    """
    out, n_workers = Path(out), config.workers
    if cluster is not None:
        n_workers = cluster.n_workers(n_workers)
    n_workers = model.device.n_workers(n_workers)
    optimizer = make_optimizer(model, config)
    run = settings_of(model, config, data)
    parts = model, optimizer, windows, config
    if cluster is not None:
        computes = {"device": model.device.name, "precision": model.device.precision}
        cluster.agree(run | {"train": run["train"] | computes})
        if not cluster.leads:
            follow(parts, cluster)
            return None
    n_machines = cluster.n if cluster else 1
    if may_take_long(model.config, config) and not force and not is_begun(out, run, start):
        with Workers(n_workers) as workers:
            peak = measure_peak(model.device, workers) * n_machines
        check_time(model.config, config, model.device, peak)
    with contextlib.ExitStack() as locks:
        if start != "resume":
            out.mkdir(parents=True, exist_ok=True)
        locked = locks.enter_context(run_lock.held(out))
        progress = start_or_continue(out, model, optimizer, run, config, start, say)
        if not run_lock.is_of(locked, out):  # the locked folder has been set aside
            locks.enter_context(run_lock.held(out))
        workers = locks.enter_context(Workers(n_workers))
        stop = locks.enter_context(StopRequest())
        peak = None
        if not is_done(progress, config):
            peak = measure_peak(model.device, workers) * n_machines
            packed = isinstance(windows, Packed)
            save_config(out, model, config, data, workers.n, peak, packed, say, cluster)
        trainer = make_trainer(*parts, workers, cluster)
        loop = make_loop(trainer, tokenizer, out, val, progress, say, peak)
        loop.begin()
        loop.run(stop)
    if stop.signal is not None:
        say(stopped(stop.signal, progress["step"], config.steps, start))
        return None
    return loop.finish(data["tokens"], **more)


def settings_of(model, config, data):
    """Return what must be the same for a run to be continued: see resume.py."""
    train = {name: x for name, x in asdict(config).items() if name not in FREE_SETTINGS}
    run = {"model": asdict(model.config), "train": train, "tokens": data["sha256"]}
    return run | ({"init": data["init_sha256"]} if "init_sha256" in data else {})


def stopped(number, step, steps, start):
    """Return the line that says that signal `number` has stopped a run, and how it goes on."""
    same = "same command" + " without --fresh" * (start == "fresh")
    return (
        f"stopped by {name_of(number)} after step {step} of {steps}; the {same} "
        f"continues from there"
    )


def save_config(out, model, config, data, n_workers, peak, packed, say, cluster):
    """Write training_config.json; say what the run is and what it takes."""
    foreseen = forecast(model.config, config, model.device, packed)
    n_machines = 1
    if cluster is not None:
        n_machines = cluster.n
        mine = share(config, model.device, cluster)
        here = forecast(model.config, mine, model.device, packed)
        foreseen = replace(foreseen, memory=here.memory)
        what = "GPUs" if model.device.name == "gpu" else "machines"
        say(f"{n_machines} {what} make each step together; this one leads, and writes {out}")
    for line in describe(model.config, config, foreseen, peak, data["tokens"], model.device):
        say(line)
    content = {
        "model": asdict(model.config),
        "train": asdict(config),
        "data": data,
        "device": model.device.name,
        "precision": model.device.precision,
        "workers": n_workers,
        "machines": n_machines,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "foreseen": foreseen.as_json(peak),
        "peak_flops_per_s": round(peak),
    }
    checkpoint.write_json(out / CONFIG, content)
