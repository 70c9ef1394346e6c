"""How sure a row of logits is: the margin between its two largest, its entropy, its energy. C >= 1.

    d_c = (maximum - logit_c) / T,   S = Σ exp(-d_c)
    entropy = log S + Σ exp(-d_c) d_c / S,   energy = -maximum - T log S

No term is negative, so nothing cancels. The classes that tie at the maximum are counted and the others summed apart:
log S = log ties + log1p(rest / ties) keeps its digits where one class holds nearly all of the row. Where the maximum is
infinite there are only the ties. Rows of few classes become the columns of a tile, as in kernels/exp_rows.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, logit_of_key, order_key
from logitkit.kernels.pointers import pointer

__all__ = ["Tile", "margin_block", "margin_scratch", "spread_block", "tile_for"]

LANES = 64
FEW = 32  # rows with fewer classes than this are computed in tiles

Tile = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def tile_for(C: int, dtype: np.dtype[Any]) -> Tile:
    """Return what `spread_block` works in: a tile, and each lane's maximum, ties, rest and spread."""
    lanes = LANES if C < FEW else 0
    return np.empty(C * lanes, dtype), *np.empty((4, lanes))


def margin_scratch(C: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what `margin_block` works in: the keys of each lane's largest and second largest logit."""
    return np.empty((2, LANES if C >= 2 * LANES else 0), np.int64 if dtype == np.float64 else np.int32)


@jit
def _finish(maximum: float, ties: float, rest: float, spread: float, C: int, temperature: float, energy: bool) -> Any:
    """Return the energy or the entropy of a row, from its sums."""
    if np.isnan(maximum):
        return np.nan
    if energy and np.isinf(maximum):
        return -maximum
    log_total = math.log1p(rest / ties)
    if ties > 1.0:
        log_total += math.log(ties)
    if energy:
        return -(maximum + temperature * log_total)
    return min(log_total + spread / (ties + rest), math.log(C))


@jit
def spread_block(logits: Any, temperature: float, energy: bool, tile: Tile, values_out: Any) -> None:
    """Write the energy or the entropy of every row into `values_out` [N]."""
    N, C = logits.shape
    p, scale = pointer(logits), 1.0 / temperature
    far = 110.0 if logits.itemsize == 4 else 745.0  # what is further below the maximum counts as nothing
    if C < FEW:
        _spread_tiles(logits, temperature, energy, far, tile, values_out)
        return
    for row in range(N):
        base = row * C
        best = order_key(p[base])
        for i in range(C):
            best = max(best, order_key(p[base + i]))
        maximum = logit_of_key(best)
        ties, rest, spread = 0.0, 0.0, 0.0
        if np.isfinite(maximum):
            for i in range(C):
                logit = p[base + i]
                distance = (maximum - logit) * scale
                ties += 1.0 if logit == maximum else 0.0
                near = 0.0 < distance <= far
                part = exp_shifted(logit, maximum, scale) if near else 0.0
                rest += part
                spread += part * (distance if near else 0.0)
        else:
            for i in range(C):
                ties += 1.0 if p[base + i] == maximum else 0.0
        values_out[row] = _finish(maximum, ties, rest, spread, C, temperature, energy)


@jit
def _spread_tiles(logits: Any, temperature: float, energy: bool, far: float, tile: Tile, values_out: Any) -> None:
    N, C = logits.shape
    p, t, scale = pointer(logits), pointer(tile[0]), 1.0 / temperature
    maxima, ties, rests, spreads = pointer(tile[1]), pointer(tile[2]), pointer(tile[3]), pointer(tile[4])
    for first in range(0, N, LANES):
        rows = min(LANES, N - first)
        for lane in range(LANES):
            base = (first + min(lane, rows - 1)) * C  # unused lanes repeat the last row
            for c in range(C):
                t[c * LANES + lane] = p[base + c]
        for lane in range(LANES):
            maxima[lane] = t[lane]
            ties[lane], rests[lane], spreads[lane] = 0.0, 0.0, 0.0
        for c in range(1, C):
            for lane in range(LANES):
                logit = np.float64(t[c * LANES + lane])
                above = logit > maxima[lane] or np.isnan(logit)  # and nothing is above NaN
                maxima[lane] = logit if above else maxima[lane]
        for c in range(C):
            for lane in range(LANES):
                logit = t[c * LANES + lane]
                distance = (maxima[lane] - logit) * scale
                ties[lane] += 1.0 if logit == maxima[lane] else 0.0
                near = 0.0 < distance <= far
                part = exp_shifted(logit, maxima[lane], scale) if near else 0.0
                rests[lane] += part
                spreads[lane] += part * (distance if near else 0.0)
        for lane in range(rows):
            values_out[first + lane] = _finish(
                maxima[lane], ties[lane], rests[lane], spreads[lane], C, temperature, energy
            )


@jit
def margin_block(logits: Any, scratch: Any, margins_out: Any) -> None:
    """Write how far the largest logit of every row is above the second largest; infinitely far above none."""
    N, C = logits.shape
    p, lanes = pointer(logits), scratch.shape[1]
    tops, seconds = pointer(scratch[0]), pointer(scratch[1])
    lowest = order_key(logits.dtype.type(-np.inf))
    for row in range(N):
        base = row * C
        top, second, start = lowest, lowest, 0
        if lanes > 0:
            for j in range(lanes):
                tops[j], seconds[j] = lowest, lowest
            while start + lanes <= C:
                at = base + start
                for j in range(lanes):
                    key = order_key(p[at + j])
                    seconds[j] = max(seconds[j], min(tops[j], key))
                    tops[j] = max(tops[j], key)
                start += lanes
            for j in range(lanes):
                second = max(second, min(top, tops[j]), seconds[j])
                top = max(top, tops[j])
        for c in range(start, C):
            key = order_key(p[base + c])
            second = max(second, min(top, key))
            top = max(top, key)
        largest, next_largest = logit_of_key(top), logit_of_key(second)
        if C == 1 and not np.isnan(largest):
            margins_out[row] = np.inf
        else:
            margins_out[row] = 0.0 if top == second and not np.isnan(largest) else largest - next_largest
