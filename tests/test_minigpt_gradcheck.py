import math
from types import SimpleNamespace

import numpy as np
import pytest

from minigpt import gradcheck, ops, row_ops
from minigpt.backend import Device, open_device
from minigpt.model import param_shapes

pytest_plugins = ["minigpt_fixtures"]


def broken(name, wrong):
    """Return the plain operations with the result of `name` passed through `wrong`."""
    right = getattr(ops, name)
    return SimpleNamespace(**{**vars(ops), name: lambda *a, **k: wrong(right(*a, **k))})


def test_the_check_passes_and_shows_every_operation_and_parameter(device, capsys, monkeypatch):
    monkeypatch.setattr(gradcheck, "open_device", lambda name, precision: device)
    assert gradcheck.run("any") is True
    said = capsys.readouterr().out
    for name in gradcheck.op_cases(device.ops, device.xp):
        assert f"  {name}, input 0" in said
    for name in param_shapes(SimpleNamespace(vocab_size=1, n_positions=1, n_embd=1, n_layer=2)):
        assert f"  {name} " in said
    assert "below 1e-06" in said
    assert "NOT" not in said


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("gelu_backward", lambda dx: dx * 1.001),
        ("layernorm_backward", lambda grads: (grads[0], grads[2], grads[1])),
        ("embedding_backward", lambda grads: (grads[0], grads[1][::-1])),
        ("attention_backward", lambda dqkv: dqkv * np.nan),
        ("next_token_loss_backward", lambda grads: (-grads[0], grads[1])),
    ],
)
def test_a_wrong_backward_is_found(capsys, monkeypatch, name, wrong):
    device = Device("cpu", np, broken(name, wrong), row_ops)
    monkeypatch.setattr(gradcheck, "open_device", lambda name, precision: device)
    assert gradcheck.run("any") is False
    assert "NOT below 1e-06" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["linear_backward", "layernorm_backward", "embedding_backward"])
def test_a_plain_backward_is_checked_where_a_faster_one_is_used(capsys, monkeypatch, name):
    wrong = broken(name, lambda grads: (*grads[:-1], 2 * grads[-1]))
    monkeypatch.setattr(ops, name, getattr(wrong, name))
    assert gradcheck.run("cpu") is False
    of_plain, rest = capsys.readouterr().out.split("every operation of cpu_ops.py")
    marked = [line.split(",")[0].strip() for line in of_plain.splitlines() if "<- wrong" in line]
    assert name.removesuffix("_backward") in marked
    assert "gelu" not in marked
    assert "<- wrong" not in rest


def test_a_backward_whose_shapes_do_not_fit_is_named(monkeypatch):
    def without_transposing(dout, cache, gelu=None):
        return dout @ cache[1], None, None

    monkeypatch.setattr(ops, "linear_backward", without_transposing)
    with pytest.raises(ValueError, match=r"^linear: its backward fails: matmul"):
        gradcheck.run("cpu")


def test_a_gradient_of_another_shape_is_refused(monkeypatch):
    summed_too_little = broken(
        "layernorm_backward", lambda g: (g[0], g[1], g[2] + np.zeros((5, 1)))
    )
    monkeypatch.setattr(ops, "layernorm_backward", summed_too_little.layernorm_backward)
    said = (
        r"layernorm: the gradient of input 2 has shape \(5, 6\); it must have the input's, \(6,\)"
    )
    with pytest.raises(ValueError, match=said):
        gradcheck.run("cpu")


def test_a_wrong_gradient_of_a_parameter_is_found_by_its_name():
    wrong_gain = broken("layernorm_backward", lambda g: (g[0], 2 * g[1], g[2]))
    device = Device("cpu", np, wrong_gain, row_ops)
    errors = {name: gradcheck.relative_error(a, n) for name, a, n in gradcheck.check_model(device)}
    wrong = {name for name, error in errors.items() if not error < gradcheck.TOLERANCE}
    assert wrong == {"ln_f.weight"} | {f"h.{l}.ln_{i}.weight" for l in (0, 1) for i in (1, 2)}


def test_the_slope_of_a_square_is_measured_and_x_put_back():
    x, u = np.array([1.0, -2.0, 3.0]), np.array([1.0, 0.5, -1.0])
    analytic, numeric = gradcheck.compare(lambda: (x**2).sum(), x, 2 * x, u)
    assert analytic == -6
    assert math.isclose(numeric, -6, rel_tol=1e-9)
    assert x.tolist() == [1, -2, 3]


@pytest.mark.parametrize(
    ("a", "b", "error"), [(0, 0, 0), (1, 1, 0), (1, -1, 1), (0, 5, 1), (3, 1, 0.5)]
)
def test_relative_error_is_the_difference_over_the_sum_of_sizes(a, b, error):
    assert gradcheck.relative_error(a, b) == gradcheck.relative_error(b, a) == error


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device is 'tpu'"):
        gradcheck.run("tpu")
    assert open_device("cpu").name == "cpu"
