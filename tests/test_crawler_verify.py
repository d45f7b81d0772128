"""Pairs verified many at once are the same as one by one."""

import itertools

import numpy as np
import pytest

from crawler import dedup, verify
from crawler.shingles import jaccard, mix


def sets_of_templates(n_templates, n_sets, seed=1):
    """Return sets that share much of one of the templates with each other; also two odd ones."""
    rng = np.random.default_rng(seed)
    sets = [np.empty(0, np.uint64), np.arange(9, dtype=np.uint64)]
    for template in range(n_templates):
        common = np.arange(1000 * template, 1000 * template + 40)
        for _ in range(n_sets):
            own = rng.integers(10**6, 10**6 + 30, rng.integers(0, 16))
            sets.append(np.unique(mix(np.concatenate((common, own)).astype(np.uint64))))
    return sets


def one_by_one(pairs, sets, threshold):
    return [(i, j) for i, j in pairs if jaccard(sets[i], sets[j]) >= threshold]


def some_pairs(kind, n_sets):
    every = list(itertools.combinations(range(n_sets), 2))
    return {
        "all": every,
        "few": every[:: len(every) // 40],
        "leaders": [pair for pair in every if pair[0] in (2, 3, 50)],
        "sparse": [pair for pair in every if sum(pair) % 7 == 0],
        "none": [],
    }[kind]


@pytest.mark.parametrize("kind", ["all", "few", "leaders", "sparse", "none"])
@pytest.mark.parametrize("small", [False, True])
def test_many_at_once_are_as_one_by_one(kind, small, monkeypatch):
    if small:
        for name, value in {"N_PAIRS": 500, "N_SETS": 7, "N_COLUMNS": 5, "MANY": 2}.items():
            monkeypatch.setattr(verify, name, value)
    sets = sets_of_templates(3, 33)
    pairs = some_pairs(kind, len(sets))
    array = np.array(pairs, np.int64).reshape(-1, 2)
    found = list(verify.similar_pairs(array, sets.__getitem__, 0.8, lambda i, j: False))
    assert found == one_by_one(pairs, sets, 0.8)
    assert bool(found) == (kind != "none")


@pytest.mark.parametrize("size", [verify.MANY // 2, 2000])
def test_pairs_that_become_known_are_passed_over(size):
    groups = dedup.Groups(100)
    sets = [np.arange(50, dtype=np.uint64)] * 100
    pairs = np.array(list(itertools.combinations(range(100), 2))[:size])
    found = []
    for i, j in verify.similar_pairs(pairs, sets.__getitem__, 0.8, groups.are_joined):
        groups.join(i, j)
        found.append((i, j))
    assert found == [(0, j) for j in range(1, 100)]


def test_pages_of_one_template_are_not_compared_one_by_one(monkeypatch):
    compared, asked = [], []
    monkeypatch.setattr(verify, "jaccard", lambda a, b: compared.append(1) or jaccard(a, b))
    sets = sets_of_templates(1, 300)
    pairs = list(itertools.combinations(range(len(sets)), 2))
    found = verify.similar_pairs(
        np.array(pairs), lambda i: asked.append(i) or sets[i], 0.9, lambda i, j: False
    )
    assert list(found) == one_by_one(pairs, sets, 0.9)
    assert compared == []
    assert len(asked) == len(sets)


def test_a_set_is_not_made_for_each_part_anew(monkeypatch):
    monkeypatch.setattr(verify, "N_SETS", 100)
    sets, asked = sets_of_templates(1, 298), []
    pairs = np.array(list(itertools.combinations(range(300), 2)))
    found = verify.similar_pairs(
        pairs, lambda i: asked.append(i) or sets[i], 0.9, lambda i, j: False
    )
    assert list(found) == one_by_one(pairs.tolist(), sets, 0.9)
    assert len(asked) <= 600  # 1,500 for each of nine parts anew, three of which are without pairs
