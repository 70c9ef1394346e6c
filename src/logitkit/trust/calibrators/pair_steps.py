"""Venn-Abers predictors of all pairs of classes, each fitted on the rows of its two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.kernels import run_blocks, split
from logitkit.trust.calibrators.base import Array

__all__ = ["pair_steps"]

Vector = NDArray[np.float64]

_PAIRS = 32  # that are fitted at a time


def pair_steps(z: Array, y: NDArray[np.intp]) -> tuple[NDArray[np.int64], Vector, Vector, Vector]:
    """Return indptr, knots, p0 and p1 of all pairs, as `VennAbersCalibrator` describes them.

    Args:
        z: `[N, C]` contiguous float32 or float64, no NaN.
        y: `[N]`.
    """
    C = z.shape[1]
    by_class = np.split(np.argsort(y, kind="stable"), np.cumsum(np.bincount(y, minlength=C))[:-1])
    rows = [read_only(some) for some in by_class]
    pairs = [(zero, one) for zero in range(C) for one in range(zero + 1, C)]

    def work(start: int, stop: int) -> list[tuple[Vector, Vector, Vector]]:
        return [_fit_pair(z, rows[zero], rows[one], zero, one) for zero, one in pairs[start:stop]]

    steps = [step for some in run_blocks(work, split(len(pairs), _PAIRS)) for step in some]
    indptr = np.cumsum([0, *(len(knots) for knots, _, _ in steps)], dtype=np.int64)
    knots, low, high = (np.concatenate([np.empty(0), *(step[part] for step in steps)]) for part in range(3))
    return indptr, knots, low, high


def _fit_pair(z: Array, rows_of_zero: Array, rows_of_one: Array, zero: int, one: int) -> tuple[Vector, Vector, Vector]:
    """Return knots, p0 and p1 of a pair, copied out of what their making needs."""
    from logitkit.kernels.pair_steps import pair_scores
    from logitkit.kernels.venn_abers import venn_abers_steps

    scores = np.empty(len(rows_of_zero)), np.empty(len(rows_of_one))
    for rows, out in zip((rows_of_zero, rows_of_one), scores, strict=True):
        pair_scores(z, rows, zero, one, out)
        out.sort()
    n = len(scores[0]) + len(scores[1])
    knots, low, high = np.empty(n), np.empty(n + 1), np.empty(n + 1)
    k = venn_abers_steps(*scores, np.empty((4, n + 2, 2), np.int64), knots, low, high)
    return knots[:k].copy(), low[: k + 1].copy(), high[: k + 1].copy()
