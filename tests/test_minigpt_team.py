"""Threads that share a piece of work, and BLAS's own switched off meanwhile."""

import threading

import pytest
from threadpoolctl import ThreadpoolController

from minigpt.team import BlasLimit, Team


@pytest.mark.parametrize("n_parts", [1, 2, 3])
def test_every_part_is_done_once(n_parts):
    done = []
    Team(3).run(done.append, list(range(n_parts)))
    assert sorted(done) == list(range(n_parts))


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_what_a_part_raises_is_raised_here_and_the_team_goes_on(bad):
    team, done = Team(3), []

    def work(part):
        if part == bad:
            raise KeyboardInterrupt
        done.append(part)

    with pytest.raises(KeyboardInterrupt):
        team.run(work, [0, 1, 2])
    assert sorted(done) == [part for part in range(3) if part != bad]
    team.run(done.append, [7, 8])
    assert sorted(done)[2:] == [7, 8]
    assert not team._free.locked()


def test_work_inside_of_work_and_of_another_thread_is_done_by_who_brings_it():
    team, done = Team(2), []

    def outer(part):
        me = threading.get_ident()
        team.run(lambda inner: done.append((part, inner, threading.get_ident() == me)), [0, 1])

    team.run(outer, [0, 1])
    assert sorted(done) == [(0, 0, True), (0, 1, True), (1, 0, True), (1, 1, True)]


def blas_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library.get_num_threads() for library in libraries]


def test_blas_has_one_thread_inside_and_those_it_had_again_afterwards():
    limit = BlasLimit()
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    if not controllers:
        pytest.skip("threadpoolctl does not know the BLAS here: Apple's Accelerate")
    before = blas_threads()
    try:
        for library in controllers:
            library.set_num_threads(2)
        with pytest.raises(ZeroDivisionError), limit():
            with limit():
                assert set(blas_threads()) == {1}
            assert set(blas_threads()) == {1}  # the outer one still wants it so
            1 / 0  # noqa: B018
        assert set(blas_threads()) == {2}
    finally:
        for library, n in zip(controllers, before, strict=True):
            library.set_num_threads(n)
