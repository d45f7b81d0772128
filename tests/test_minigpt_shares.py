from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt import shares
from minigpt.shares import ID_COST, ROWS, Reading, share_out


def a_reading(*chunks):
    return Reading([SimpleNamespace()], [list(range(n)) for n in chunks], whole=True)


readings = st.lists(st.lists(st.integers(1, 300), min_size=1, max_size=3), max_size=6).map(
    lambda lengths: [a_reading(*chunks) for chunks in lengths]
)


def load(share):
    mine, going = share
    return sum(reading.cost for reading in mine) + len(going)


@given(readings, st.integers(0, 70), st.integers(1, 9))
def test_all_work_is_done_once_by_at_most_n_shares_and_rows_stay_in_order(reading, n_rows, n):
    going = [SimpleNamespace() for _ in range(n_rows)]
    out = share_out(reading, going, n)
    assert len(out) <= n
    assert all(mine or rows for mine, rows in out)
    assert [row for _, rows in out for row in rows] == going
    assert sorted(map(id, reading)) == sorted(id(each) for mine, _ in out for each in mine)


@given(readings, st.integers(1, 70), st.integers(2, 9))
def test_rows_bring_shares_to_one_level_unless_a_share_reads_more(reading, n_rows, n):
    out = share_out(reading, [SimpleNamespace() for _ in range(n_rows)], n)
    mean = sum(map(load, out)) / len(out)
    if len(out) > 1 and all(load((mine, [])) <= mean for mine, _ in out):
        assert all(abs(load(share) - mean) <= 1 for share in out)


def test_a_prompt_takes_the_place_of_rows():
    n_ids = round(20 / ID_COST)  # as long as 20 rows take
    [(first, few), (nothing, many)] = share_out([a_reading(n_ids)], list(range(40)), 2)
    assert (len(first), few, nothing, many) == (1, list(range(10)), [], list(range(10, 40)))


@pytest.mark.parametrize("n_rows", [1, ROWS, 2 * ROWS - 1])
def test_what_is_little_is_not_shared_out(n_rows):
    assert share_out([], list(range(n_rows)), 2) == [([], list(range(n_rows)))]
    assert len(share_out([], list(range(2 * ROWS)), 2)) == 2


def test_a_prompt_alone_is_one_share():
    reading = a_reading(500)
    assert share_out([reading], [], 4) == [([reading], [])]


def test_nothing_to_do_is_no_share():
    assert share_out([], [], 2) == []


def test_a_long_prompt_costs_what_all_its_chunks_do():
    assert a_reading(100, 50).cost == shares.ID_COST * 150
