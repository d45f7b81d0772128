"""Operations on arrays that NumPy has no name for."""

import numpy as np


def spans(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """List start, start + 1, ... for each start, as many as its count says."""
    ends = np.cumsum(counts)
    numbers = np.repeat(starts - (ends - counts), counts)
    numbers += np.arange(len(numbers))
    return numbers


def reorder(
    values: np.ndarray, counts: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bring parts of `values` back into order: part i, of counts[i] members, is number order[i]."""
    inverse = np.argsort(order)
    starts = (np.cumsum(counts) - counts)[inverse]
    return values[spans(starts, counts[inverse])], counts[inverse]


def without_overlaps(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Keep the pairs that a merge from left to right takes: in "aaa" the first of two.

    In a run, where each pair begins with the second token of the one before, that is every other.
    """
    begins = np.concatenate(([True], left[1:] != right[:-1]))[: len(left)]
    index = np.arange(len(left))
    since_begin = index - np.maximum.accumulate(np.where(begins, index, 0))
    return left[since_begin % 2 == 0]


def with_room(array: np.ndarray, size: int) -> np.ndarray:
    """Make the last axis at least `size` long, by half as much again so that it is seldom done."""
    if size <= array.shape[-1]:
        return array
    larger = np.zeros((*array.shape[:-1], size * 3 // 2), array.dtype)
    larger[..., : array.shape[-1]] = array
    return larger
