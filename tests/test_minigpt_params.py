import numpy as np
import pytest

from minigpt.backend import to_numpy
from minigpt.params import Params

pytest_plugins = ["minigpt_fixtures"]

SHAPES = {"gain": (3,), "wte": (4, 3), "bias": (2,), "cube": (2, 2, 2)}


def test_all_parameters_are_zeros_in_one_flat_array(xp):
    params = Params(SHAPES, xp)
    assert params.flat.shape == (3 + 12 + 2 + 8,)
    assert not params.flat.any()
    assert params.flat.dtype == np.float32
    assert Params(SHAPES, xp, "float64")["wte"].dtype == np.float64


def test_names_are_views_into_the_flat_array(xp):
    params = Params(SHAPES, xp)
    params.flat[...] = xp.arange(len(params.flat))
    gathered = np.concatenate([to_numpy(view).reshape(-1) for view in params.values()])
    assert gathered.tolist() == list(range(25))
    params["gain"][1] = -5
    assert int((params.flat == -5).sum()) == 1


def test_matrices_stand_first_and_each_kind_in_the_order_given(xp):
    params = Params(SHAPES, xp)
    assert list(params) == ["wte", "cube", "gain", "bias"]
    assert {name: view.shape for name, view in params.items()} == SHAPES
    assert params.n_matrix == 20
    params.flat[: params.n_matrix] = 1
    assert [bool(params[name].all()) for name in params] == [True, True, False, False]
    assert not params["gain"].any()


def test_adding_in_place_changes_the_flat_array(xp):
    params = Params(SHAPES, xp)
    params["bias"] += xp.asarray([1.0, 2.0], dtype="float32")
    params["bias"] *= 3
    params["cube"][...] = 7
    assert float(params.flat.sum()) == 9 + 8 * 7


def test_binding_a_name_to_another_array_is_refused(xp):
    params = Params(SHAPES, xp)
    for value in (xp.zeros(3), params["gain"].copy(), params["bias"], 0, None):
        with pytest.raises(TypeError, match=r"params\['gain'\]\[...\] = value"):
            params["gain"] = value


@pytest.mark.parametrize("value", [np.zeros(3), None])
def test_a_name_that_does_not_exist_is_refused(value):
    params = Params(SHAPES, np)
    with pytest.raises(KeyError):
        params["gian"]
    with pytest.raises(TypeError):
        params["gian"] = value


def test_the_mapping_has_a_length_and_no_deletion():
    params = Params(SHAPES, np)
    assert len(params) == 4
    assert "wte" in params
    with pytest.raises((TypeError, AttributeError)):
        del params["wte"]


def test_a_layout_without_matrices_or_without_vectors():
    assert Params({"b": (2,)}, np).n_matrix == 0
    assert Params({"w": (2, 3)}, np).n_matrix == 6
