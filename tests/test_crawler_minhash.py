"""Signatures estimate similarity, and bands find all that may be similar."""

import itertools

import numpy as np
import pytest

from crawler import minhash
from crawler.minhash import N_VALUES, candidates, n_bands, rows_for, signature
from crawler.shingles import mix


def numbers(start, stop):
    return mix(np.arange(start, stop, dtype=np.uint64))


def all_candidates(signatures, threshold=0.8):
    among = np.arange(len(signatures))
    found = candidates(signatures, among, threshold)
    return [tuple(pair) for _, pairs in found for pair in pairs.tolist()]


def likely_pairs_that_share_a_band(signatures):
    wanted = set()
    for i, j in itertools.combinations(range(len(signatures)), 2):
        equal = signatures[i] == signatures[j]
        if equal.reshape(28, 4).all(axis=1).any() and equal.mean() >= 0.55:
            wanted.add((i, j))
    return wanted


def test_signatures_agree_as_often_as_the_sets_are_similar():
    errors = []
    for repeat in range(5):
        at = 1000 * repeat
        for overlap in range(0, 101, 10):
            a, b = numbers(at, at + 100), numbers(at + 100 - overlap, at + 200 - overlap)
            errors.append(np.mean(signature(a) == signature(b)) - overlap / (200 - overlap))
    # the standard error of 112 draws is at most .047
    assert np.sqrt(np.mean(np.square(errors))) < 0.05
    assert abs(np.mean(errors)) < 0.02


def test_a_signature_holds_the_least_value_of_each_order():
    values = numbers(0, 700)
    wanted = [
        min((int(a) * (int(h) >> 32) + int(b)) % 2**32 for h in values)
        for a, b in zip(minhash._A, minhash._B, strict=True)
    ]
    assert signature(values).tolist() == wanted
    assert all(a % 2 == 1 for a in minhash._A.tolist())


@pytest.mark.parametrize("threshold, rows", [(0.5, 2), (0.7, 3), (0.8, 4), (0.9, 5), (1, 112)])
def test_bands_miss_less_than_one_pair_in_a_million(threshold, rows):
    assert rows_for(threshold) == rows
    assert n_bands(threshold) == N_VALUES // rows
    assert (1 - threshold**rows) ** (N_VALUES // rows) < 1e-6
    longer = rows + 1
    assert rows == N_VALUES or (1 - threshold**longer) ** (N_VALUES // longer) >= 1e-6


def test_every_pair_that_shares_a_band_and_is_likely_is_given_once():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**32, (30, N_VALUES), dtype=np.uint32)
    copies = [base]
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        changed = rng.random(base.shape) < share
        copies.append(np.where(changed, rng.integers(0, 2**32, base.shape, np.uint32), base))
    signatures = np.concatenate(copies)
    wanted = likely_pairs_that_share_a_band(signatures)
    found = all_candidates(signatures)
    assert len(wanted) > 200
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_pairs_come_in_blocks_that_do_not_change_them(monkeypatch):
    rng = np.random.default_rng(1)
    signatures = np.repeat(rng.integers(0, 2**32, (9, N_VALUES), dtype=np.uint32), 7, axis=0)
    whole = all_candidates(signatures)
    monkeypatch.setattr(minhash, "BLOCK", 5)
    monkeypatch.setattr(minhash, "MANY", 20)
    assert sorted(all_candidates(signatures)) == sorted(whole)
    assert len(whole) == 9 * 21
    assert all(len(pairs) <= 20 for _, pairs in candidates(signatures, np.arange(63), 0.8))


def test_a_large_group_is_compared_with_its_leaders(monkeypatch):
    monkeypatch.setattr(minhash, "LARGE", 10)
    rng = np.random.default_rng(2)
    signatures = np.repeat(rng.integers(0, 2**32, (2, N_VALUES), dtype=np.uint32), 500, axis=0)
    signatures[:, :4] = 7  # all share the first band, each half the others
    found = all_candidates(signatures)
    assert len(found) <= 28 * 1000
    assert {(0, i) for i in range(1, 500)} | {(500, i) for i in range(501, 1000)} == set(found)


def of_one_template(count, share, rng):
    """Return signatures of which each has its own values at so large a share of places."""
    signatures = rng.integers(0, 2**32, (count, N_VALUES), dtype=np.uint32)
    template = rng.integers(0, 2**32, N_VALUES, dtype=np.uint32)
    return np.where(rng.random(signatures.shape) < share, signatures, template)


def test_of_a_large_group_what_leaders_do_not_settle_is_compared_each_with_each(monkeypatch):
    monkeypatch.setattr(minhash, "LARGE", 20)
    monkeypatch.setattr(minhash, "HUGE", 100)
    monkeypatch.setattr(minhash, "N_OF_HUGE", 12)
    signatures = of_one_template(110, 0.12, np.random.default_rng(3))
    wanted = likely_pairs_that_share_a_band(signatures)
    assert len(wanted) > 5900  # of 5995: without this, those with the 12 leaders
    assert set(all_candidates(signatures)) == wanted


def test_of_a_huge_group_a_pair_without_a_leader_is_found_where_fewer_share_a_band(monkeypatch):
    monkeypatch.setattr(minhash, "LARGE", 10)
    monkeypatch.setattr(minhash, "HUGE", 20)
    monkeypatch.setattr(minhash, "N_OF_HUGE", 12)
    signatures = np.random.default_rng(4).integers(0, 2**32, (200, N_VALUES), dtype=np.uint32)
    signatures[:, :4] = 7
    signatures[151, :80] = signatures[150, :80]
    assert all_candidates(signatures) == [(150, 151)]


@pytest.mark.parametrize("count", [0, 1])
def test_one_text_and_none_have_no_pairs(count):
    assert all_candidates(np.zeros((count, N_VALUES), np.uint32)) == []
