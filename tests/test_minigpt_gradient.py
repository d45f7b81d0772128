from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from minigpt.crew_members import Place, ring
from minigpt.gradient import Share
from minigpt.params import Params

SHAPES = {"w": (4, 3), "b": (3,)}


def together(places, work):
    """Run work(place) for each, in threads, the last one started first."""
    with ThreadPoolExecutor(len(places)) as pool:
        futures = [pool.submit(work, place) for place in reversed(places)]
        errors = [future.exception(timeout=30) for future in futures][::-1]
    for place in places:
        place.close()
    return errors


def leftovers():
    """Return a gradient that still holds an earlier step's."""
    grads = Params(SHAPES, np)
    grads.flat[...] = 77
    return grads


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_what_the_workers_add_is_summed_in_their_order_whoever_comes_first(n):
    parts = np.random.default_rng(0).standard_normal((2, n, 4, 3)).astype("float32")
    grads, found = leftovers(), []

    def work(place):
        for _ in range(2):  # two steps
            share = Share(grads, place)
            share.add("w", parts[0, place.index])
            share.add("b", parts[0, place.index, 0])
            share.add("w", parts[1, place.index])
            share.finish()
            if place.index == 0:
                found.append(grads.flat.copy())
            go_on.wait(30)  # as when the weights are moved

    go_on = Barrier(n)
    assert together(ring(n), work) == [None] * n
    expected = Params(SHAPES, np)
    w, b = parts[0, 0].copy(), parts[0, 0, 0].copy()
    for worker in range(1, n):
        w += parts[0, worker]
        b += parts[0, worker, 0]
    for worker in range(n):
        w += parts[1, worker]
    expected["w"][...], expected["b"][...] = w, b
    assert all((flat == expected.flat).all() for flat in found)  # to the bit
    assert len(found) == 2


def test_rows_that_nobody_added_to_are_zero():
    grads = leftovers()
    share = Share(grads, Place(0, 1))
    share.add("w", np.ones((2, 3), "float32"), np.array([3, 1]))
    share.add("w", np.ones((1, 3), "float32"), slice(1))
    assert grads["w"][:, 0].tolist() == [1, 1, 0, 1]


def test_those_who_wait_for_a_worker_that_is_gone_learn_of_it():
    grads = leftovers()

    def work(place):
        share = Share(grads, place)
        try:
            if place.index == 0:
                raise ZeroDivisionError("worker 0")
            share.add("b", np.ones(3))
        finally:
            place.close()

    errors = together(ring(3), work)
    assert [type(error) for error in errors] == [ZeroDivisionError, *[ChildProcessError] * 2]
