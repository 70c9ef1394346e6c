"""Maps from the logit of a class against the rest to a probability: rows are sorted, run together, and made knots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import run_blocks, split
from logitkit.trust.calibrators.base import Array

__all__ = ["Map", "maps_of", "rising_map", "step_map"]

Vector = NDArray[np.float64]
Map = tuple[Vector, Vector]
"""Knots and values."""
Fitter = Callable[[NDArray[np.int64], int, Vector, Array], Map]

_BLOCK = 2**16  # logits whose sums are taken at a time
_KEYS = 2**22  # rows and classes whose keys are held at a time, unless one class has more rows
_CLASSES = 16  # of float32, that lie in one line of the cache
_CERTAIN = 1e-300  # how near to 0 a probability may come; to 1, as near as float64 can


def maps_of(z: Array, weights: Vector, fitter: Fitter) -> tuple[NDArray[np.int64], Vector, Vector]:
    """Return indptr, knots and values: what `fitter` makes of the rows when they are sorted by s, class by class.

    Args:
        z: `[N, C]` contiguous float32 or float64, no NaN, N >= 1.
        weights: `[N]`, or empty where every row counts once.
        fitter: makes a map of sorted keys, a class, weights, and float64 scratch `[4, N]`.
    """
    from logitkit.kernels.one_vs_rest import N_RESTS, class_keys, row_rests

    N, C = z.shape
    at, rests = np.empty(N, np.intp), np.empty((N, N_RESTS))
    run_blocks(lambda start, stop: row_rests(z[start:stop], at[start:stop], rests[start:stop]), split(N, _BLOCK // C))
    first = 1 if C == 2 else 0

    def work(start: int, stop: int) -> list[Map]:
        keys, scratch = np.empty((stop - start, N), np.int64), np.empty((4, N))
        class_keys(z, first + start, at, rests, keys)
        maps = []
        for offset, row in enumerate(keys):
            row.sort()
            maps.append(fitter(row, first + start + offset, weights, scratch))
        return maps

    F = C - first
    blocks = split(F, max(1, min(_CLASSES, F // _CLASSES, _KEYS // N)))
    maps = [one for some in run_blocks(work, blocks) for one in some]
    indptr = np.cumsum([0, *(len(knots) for knots, _ in maps)], dtype=np.int64)
    knots, values = (np.concatenate([one[part] for one in maps]) for part in (0, 1))
    return indptr, knots, np.clip(values, _CERTAIN, 1.0 - np.finfo(np.float64).epsneg)


def rising_map(runs: Array) -> Map:
    """Return a map that is level along each run, and straight from one to the next."""
    low, high, hits, misses = runs
    n = hits + misses
    shares = hits / n
    if hits[0] == 0.0:
        shares[0] = min([0.5 / (n[0] + 1.0), *shares[1:2]])
    if misses[-1] == 0.0:
        shares[-1] = max([1.0 - 0.5 / (n[-1] + 1.0), *shares[-2:-1]])
    knots, values = np.stack([low, high], axis=1).ravel(), np.repeat(shares, 2)
    keep = np.concatenate([[True], np.diff(knots) > 0.0])  # a run of one s is one knot
    return knots[keep], values[keep]


def step_map(runs: Array) -> Map:
    """Return a map that steps halfway between a run and the next."""
    low, high, hits, misses = runs
    shares = (hits + 0.5) / (hits + misses + 1.0)
    if len(low) == 1:
        return low.copy(), shares
    edges = 0.5 * high[:-1] + 0.5 * low[1:]  # exact enough: s is float32
    return np.repeat(edges, 2), np.repeat(shares, 2)[1:-1]
