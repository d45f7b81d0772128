"""The captured step is the plain step: with a stand-in for CuPy that captures and replays."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from fake_cublaslt import FakeCublasLt
from fake_cupy import fake_gpu, ops_without_waiting
from fused_gpu import fused_gpu, module_of
from minigpt_examples import MODEL, TRAIN, small_model
from test_minigpt_gemm import using
from training_runs import metrics, same_run, stop_at

from minigpt import cuda_ops, muon, ops, row_ops
from minigpt import pretrain as pretrain_module
from minigpt.backend import Device, to_numpy
from minigpt.captured import CapturedTrainer
from minigpt.cuda import gemm, graph
from minigpt.dataset import Windows, load_tokens
from minigpt.muon import make_optimizer
from minigpt.parallel import Workers
from minigpt.pretrain import pretrain
from minigpt.train import Trainer
from minigpt.trainers import make_trainer

pytest_plugins = ["minigpt_fixtures"]

PLAIN = Device("cpu", np, ops, row_ops)


@pytest.fixture(scope="session")
def row(example):
    return load_tokens(example.tokens / "train.npy")


class Packed:
    """Windows with positions and segments, of which ever fewer targets count."""

    def __init__(self, windows):
        self.windows = windows

    def batch(self, index, size):
        ids, targets = self.windows.batch(index, size)
        T = ids.shape[1]
        targets = np.where(np.arange(T) < T - index, targets, -1)
        segments = np.broadcast_to(np.arange(T) // 5, ids.shape)
        return ids, targets, np.broadcast_to(np.arange(T) % 5, ids.shape), segments


def new_trainer(row, device, packed=False, dropout=0.0, **changes):
    config = replace(TRAIN, **changes)
    model = small_model(device, dropout=dropout)
    windows = Windows(row, MODEL.n_positions, config.seed)
    windows = Packed(windows) if packed else windows
    return make_trainer(model, make_optimizer(model, config), windows, config, Workers(1))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulate": 3},
        {"packed": True},
        {"grad_clip": 0.3},
        {"grad_clip": 0.0},
        {"optimizer": "muon"},
    ],
)
def test_replayed_steps_are_the_plain_steps(row, changes, monkeypatch):
    gpu = fake_gpu()
    for module in (gemm, muon):
        monkeypatch.setattr(module, "array_module", module_of(gpu))
    plain, captured = (new_trainer(row, device, **changes) for device in (PLAIN, gpu))
    assert type(plain) is Trainer and type(captured) is CapturedTrainer
    for step in range(6):
        np.testing.assert_allclose(captured.step(step), plain.step(step), rtol=1e-4)
    assert captured.backward.graph.launches == 6 * captured.config.accumulate - 1
    assert captured.update.graph.launches == 5
    of_both = (to_numpy(trainer.model.params.flat) for trainer in (captured, plain))
    np.testing.assert_allclose(*of_both, rtol=0, atol=2e-3)


def test_after_the_second_step_python_computes_nothing(row, monkeypatch):
    trainer, calls = new_trainer(row, fake_gpu()), []
    forward = trainer.model.forward
    trainer.model.forward = lambda *given: calls.append(1) or forward(*given)
    for step in range(5):
        trainer.start(step)
    assert len(calls) == 2
    assert trainer.graphs.failure is None


def test_nothing_is_waited_for_until_somebody_asks(row):
    trainer = new_trainer(row, fake_gpu())
    for step in range(3):
        trainer.start(step)
        assert trainer.finished(wait=False) == []
    losses = [loss for loss, _ in trainer.finished()]
    assert losses == sorted(losses, reverse=True) and len(losses) == 3
    assert trainer.finished() == []


def test_steps_that_nobody_asks_about_are_kept_in_order(row):
    trainer, plain = new_trainer(row, fake_gpu()), new_trainer(row, PLAIN)
    n = 40  # more than there is room for
    for step in range(n):
        trainer.start(step)
    early = trainer.finished(wait=False)
    assert 0 < len(early) < n
    expected = [plain.step(step) for step in range(n)]
    np.testing.assert_allclose(early + trainer.finished(), expected, rtol=2e-2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_step_that_is_not_finite_is_named_when_it_is_read(row, bad):
    trainer = new_trainer(row, fake_gpu())
    for step in range(2):
        trainer.step(step)
    trainer.model.params["ln_f.bias"][3] = bad
    with np.errstate(all="ignore"):
        for step in range(2, 5):
            trainer.start(step)
        with pytest.raises(ValueError, match=r"step 3: the loss is nan.*lower --learning-rate"):
            trainer.finished()


def test_what_cannot_be_captured_runs_as_it_is(row):
    waiting = fake_gpu(operations=ops)  # its embedding_backward has to know how many ids there are
    trainer, plain = new_trainer(row, waiting), new_trainer(row, PLAIN)
    for step in range(4):
        np.testing.assert_allclose(trainer.step(step), plain.step(step), rtol=1e-4)
    assert trainer.backward.graph is None and trainer.update.graph is not None
    assert "the host would have to wait" in trainer.graphs.failure


def test_where_memory_is_too_scarce_to_capture_the_step_runs_as_it_is(row):
    trainer, plain = new_trainer(row, fake_gpu()), new_trainer(row, PLAIN)
    forward, made = trainer.model.forward, []

    def scarce(*given):
        array = trainer.model.device.xp.zeros(9)
        made.append(weakref.ref(array))
        if len(made) == 2:
            raise MemoryError("Out of memory allocating 512 bytes")
        return forward(*given)

    trainer.model.forward = scarce
    gc.disable()
    try:
        for step in range(4):
            np.testing.assert_allclose(trainer.step(step), plain.step(step), rtol=1e-4)
        assert [array() for array in made] == [None] * 5  # they take no memory any more
    finally:
        gc.enable()
    assert trainer.backward.graph is None and trainer.update.graph is not None
    assert trainer.remark == (
        "the step is not captured in a CUDA graph, so it takes longer: "
        "Out of memory allocating 512 bytes"
    )


def test_dropout_draws_anew_in_every_step(row):
    still = {"learning_rate": 0, "min_learning_rate": 0, "dropout": 0.5}
    trainer = new_trainer(row[:17], fake_gpu(), **still)  # one window: always the same batch
    assert len({trainer.step(step)[0] for step in range(4)}) == 4


def test_other_rows_of_a_batch_draw_other_zeros(row):
    """So that several GPUs do not all leave out the same."""
    losses = set()
    config, windows = TRAIN, Windows(row[:17], MODEL.n_positions, TRAIN.seed)
    for rows in (slice(0, 2), slice(2, 4)):  # they hold the same window
        model = small_model(fake_gpu(), dropout=0.5)
        parts = model, make_optimizer(model, config), windows, config, Workers(1)
        losses.add(CapturedTrainer(*parts, rows).step(0)[0])
    assert len(losses) == 2


def test_dropout_that_reads_its_seed_on_the_gpu_is_captured(row):
    operations, drawn = ops_without_waiting(), []

    class Seed:
        def __init__(self, seed):
            self.seed = seed

    def dropout_forward(x, rate, rng, past=0):
        if rng is None:
            return x + past, None
        # stands for zeros that follow from the seed
        keep = np.sin(np.arange(x.shape[-1]) * (rng.seed % 1009))  # (C,)
        return x * keep.astype(x.dtype) + past, keep

    def dropout_backward(dout, keep):
        return dout if keep is None else dout * keep.astype(dout.dtype)

    def attention_forward(qkv, n_head, rate, rng, segments):
        return ops.attention_forward(qkv, n_head, segments=segments)

    def linear_and_residual(x, w, b, past, rate, rng):
        out, linear = ops.linear_forward(x, w, b)
        return *dropout_forward(out, rate, rng, past), linear

    vars(operations).update(
        Seed=Seed, dropout_forward=dropout_forward, dropout_backward=dropout_backward,
        attention_forward=attention_forward, linear_and_residual=linear_and_residual,
    )  # fmt: skip
    still = {"learning_rate": 0, "min_learning_rate": 0, "dropout": 0.5}
    for _ in range(2):
        trainer = new_trainer(row[:17], fake_gpu(operations=operations), **still)
        drawn.append([trainer.step(step)[0] for step in range(5)])
        assert trainer.backward.graph.launches == 4
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 5


def test_a_fused_update_gets_what_the_plain_one_computes_with(row):
    operations = ops_without_waiting()

    def squared_norm(x, out):
        out[...] = (x * x).sum()

    def adamw_step(w, g, m, v, low, n_matrix, numbers, squared, config, clear):
        c, factor = config, numbers[3]
        size, root, lr = numbers[0], numbers[1], numbers[2]
        g = g * factor * np.minimum(1, c.grad_clip / (np.sqrt(squared[0]) * factor))
        m[...] = c.beta1 * m + (1 - c.beta1) * g
        v[...] = c.beta2 * v + (1 - c.beta2) * g * g
        w[:n_matrix] *= 1 - lr * c.weight_decay
        w -= size * m / (np.sqrt(v) + c.epsilon * root)
        assert clear and low is None
        trainer.grads.flat[...] = 0

    vars(operations).update(squared_norm=squared_norm, adamw_step=adamw_step)
    trainer, plain = new_trainer(row, fake_gpu(operations=operations)), new_trainer(row, PLAIN)
    for step in range(5):
        np.testing.assert_allclose(trainer.step(step), plain.step(step), rtol=1e-3)
    assert trainer.update.graph.launches == 4


def test_an_upload_is_not_overwritten_before_it_was_copied():
    device, log = fake_gpu(), []
    graphs = graph.Graphs(device.xp)

    class Event:
        def __init__(self):
            self.number = len(log)

        def synchronize(self):
            log.append(("wait", self))

        def record(self, stream):
            log.append(("copied", self))

    device.xp.cuda.Event = Event
    upload = graph.Upload(graphs, [np.zeros(2), np.zeros((), np.int64)], n=2)
    for i in range(4):
        upload(np.full(2, i), i)
        assert [x.get().tolist() for x in upload.arrays] == [[i, i], i]
    events = [event for _, event in log]
    assert [what for what, _ in log] == ["wait", "copied"] * 4
    assert events[0] is events[1] is events[4] and events[2] is events[6] is not events[0]


def test_memory_of_graphs_goes_with_them_and_not_before(monkeypatch):
    cupy = fake_gpu().xp
    graphs = graph.Graphs(cupy)
    memory = weakref.ref(graphs.pool.malloc(100)[0])
    assert memory() is not None  # though nobody has it: a graph may
    monkeypatch.setattr(cupy.cuda.Memory, "left", 10)
    with pytest.raises(RuntimeError, match="out of memory"):
        graphs.pool.malloc(100)
    assert cupy.get_default_memory_pool().times_freed == 1
    gc.disable()
    try:
        del graphs
        assert memory() is None
    finally:
        gc.enable()


# ---- the GPU's own operations ------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "changes", [{}, {"packed": True}, {"accumulate": 2, "grad_clip": 0.3}, {"optimizer": "muon"}]
)
def test_kernels_captured_and_replayed_make_the_plain_steps(row, precision, changes):
    if precision == "bf16":
        pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    with fused_gpu(precision) as device:
        captured, plain = (new_trainer(row, d, **changes) for d in (device, PLAIN))
        for step in range(5):
            got, expected = captured.step(step), plain.step(step)
            np.testing.assert_allclose(got, expected, rtol=1e-3 if precision == "fp32" else 3e-2)
    assert captured.graphs.failure is None
    assert captured.backward.graph and captured.update.graph


def test_products_that_do_more_in_the_same_call_are_captured_too(row, monkeypatch):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    monkeypatch.setattr(cuda_ops, "SUMS_WITH_PRODUCT", True)
    with fused_gpu("bf16") as device, using(FakeCublasLt()) as lt:
        captured, plain = (new_trainer(row, d) for d in (device, PLAIN))
        for step in range(4):
            got, expected = captured.step(step), plain.step(step)
            np.testing.assert_allclose(got, expected, rtol=3e-2)
        assert captured.graphs.failure is None and captured.backward.graph
        products = [line[1] for line in lt.library.log]
    assert products.count("bias_gelu") == products.count("gelu_backward") >= 4 * MODEL.n_layer
    assert products.count("bias_gradient") == 4 * products.count("gelu_backward")


def test_kernels_draw_other_zeros_in_every_replay_and_the_same_for_the_same_seed(row):
    drawn, still = [], {"learning_rate": 0, "min_learning_rate": 0, "dropout": 0.5}
    for _ in range(2):
        with fused_gpu() as device:
            trainer = new_trainer(row[:17], device, **still)
            drawn.append([trainer.step(step)[0] for step in range(5)])
            assert trainer.backward.graph.launches == 4
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 5


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(row):
    with fused_gpu() as device:
        trainer = new_trainer(row, device)
        trainer.step(0)
        before = to_numpy(trainer.model.params.flat)
        trainer.grads.flat[5] = np.nan
        with pytest.raises(ValueError, match=r"step 2: the loss is .* and the gradient's norm nan"):
            trainer.step(1)
        np.testing.assert_array_equal(to_numpy(trainer.model.params.flat), before)


# ---- bfloat16 --------------------------------------------------------------------------------


def test_in_bf16_a_copy_of_the_weights_is_computed_with_and_renewed(row):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    trainer = new_trainer(row, fake_gpu("bf16"), steps=40)
    model = trainer.model
    assert (model.params.flat.dtype, model.weights.flat.dtype.name) == ("float32", "bfloat16")
    losses = [trainer.step(step)[0] for step in range(40)]
    assert losses[-1] < losses[0] - 0.5
    of_both = to_numpy(model.params.flat), to_numpy(model.weights.flat).astype("float32")
    np.testing.assert_allclose(*of_both, rtol=2**-8)
    assert (of_both[0] != of_both[1]).any()


def test_in_fp32_there_is_no_copy():
    model = small_model(fake_gpu())
    assert model.weights is model.params


def test_gradients_in_bf16_are_near_those_in_float64():
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    exact, low = small_model(PLAIN, "float64"), small_model(fake_gpu("bf16", ops_without_waiting()))
    exact.params.flat[...] = to_numpy(low.params.flat)
    ids = np.random.default_rng(0).integers(0, MODEL.vocab_size, (2, 4, MODEL.n_positions))
    flat = []
    for model in (exact, low):
        xp, grads = model.device.xp, model.new_grads()
        _, cache = model.forward(xp.asarray(ids[0]), xp.asarray(ids[1]))
        model.backward(cache, grads)
        flat.append(to_numpy(grads.flat).astype("float64"))
    assert np.linalg.norm(flat[1] - flat[0]) < 1e-2 * np.linalg.norm(flat[0])


# ---- a whole run -----------------------------------------------------------------------------


@pytest.fixture
def on_gpu(monkeypatch, example):
    """A function that pretrains on the example with the stand-in for a GPU."""
    monkeypatch.setattr(pretrain_module, "open_device", lambda name: fake_gpu())
    monkeypatch.setattr(pretrain_module, "measure_peak", lambda device, workers: 1e15)

    def run(out, say=lambda text: None, **changes):
        config = replace(TRAIN, **changes)
        return pretrain(example.tokens, example.tokenizer, out, MODEL, config, "gpu", say=say)

    return run


def test_a_run_on_a_gpu_notes_all_its_steps_and_continues_to_the_same_bytes(on_gpu, tmp_path):
    report = on_gpu(tmp_path / "whole")
    assert report["val_loss"] < report["best_val_loss"] + 1e-9
    assert on_gpu(tmp_path / "base", stop_at(8)) is None
    on_gpu(tmp_path / "base")
    same_run(tmp_path / "base", tmp_path / "whole")
    assert all(line["train_loss"] > 3 for line in metrics(tmp_path / "base")[1:])


def test_a_run_on_a_gpu_is_the_run_of_a_cpu(on_gpu, tmp_path, monkeypatch):
    on_gpu(tmp_path / "gpu")
    monkeypatch.setattr(pretrain_module, "open_device", lambda name: PLAIN)
    on_gpu(tmp_path / "cpu")
    for gpu, cpu in zip(metrics(tmp_path / "gpu"), metrics(tmp_path / "cpu"), strict=True):
        assert gpu.keys() == cpu.keys()
        for name in {"val_loss", "train_loss", "grad_norm"} & gpu.keys():
            assert gpu["step"] == 0 or gpu[name] == pytest.approx(cpu[name], rel=1e-2), name


def test_a_run_on_a_gpu_waits_for_losses_no_more_often_than_they_are_many(
    on_gpu, tmp_path, monkeypatch
):
    said, waited = [], []
    read = graph.Download.read

    def counted(self):
        waited.append(len(self._taken))
        return read(self)

    monkeypatch.setattr(graph.Download, "read", counted)
    on_gpu(tmp_path / "base", said.append, steps=45, eval_every=100, sample_every=0)
    assert [n for n in waited if n] == [32, 13]  # a full download, and the rest for the last look
    lines = metrics(tmp_path / "base")
    assert [line["step"] for line in lines] == [0, 10, 20, 30, 40, 45]
    assert [line["seconds"] for line in lines] == sorted(line["seconds"] for line in lines)


def test_a_line_of_a_run_on_a_gpu_has_the_losses_up_to_its_step(on_gpu, tmp_path):
    out = tmp_path / "base"
    on_gpu(out, steps=45, eval_every=100, sample_every=0)
    on_gpu(tmp_path / "looked", steps=45, eval_every=10, eval_windows=1, sample_every=0)
    for line, looked in zip(metrics(out), metrics(tmp_path / "looked"), strict=True):
        for name in ("step", "train_loss", "grad_norm", "learning_rate"):
            assert line[name] == looked[name]


def test_a_run_on_a_gpu_that_goes_astray_says_so_and_saves_nothing(on_gpu, tmp_path):
    wild = {"learning_rate": 1e9, "min_learning_rate": 1e9, "grad_clip": 0.0, "warmup_steps": 0}
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"lower --learning-rate.*step 0 "),
    ):
        on_gpu(tmp_path / "base", **wild)
