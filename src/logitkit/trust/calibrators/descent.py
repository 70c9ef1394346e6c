"""The least value of a smooth convex function, by L-BFGS.

SciPy has it too, but its inner products go through a BLAS that wakes threads for each of them from 10,000 numbers on:
on a machine with other work it took 7 ms a step, more than the loss itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["descend"]

Vector = NDArray[np.float64]

_MAX_STEPS = 300
_PAIRS = 10
_ENOUGH = 1e-4  # of the fall that the slope promises (Armijo)
_HALVINGS = 30


def descend(function: Callable[[Vector], tuple[float, Vector]], start: Vector, tolerance: float) -> Vector:
    """Return the point where the function no longer falls by more than `tolerance` of itself in a step.

    Source: Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.5, with backtracking.

    Args:
        function: returns value and slopes at a point; its curvature at the start should be about 1 in every direction.
        start: `[n]`.
        tolerance: greater than 0.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.calibrators.descent import descend
        >>> point = descend(lambda u: (float(((u - 3.0) ** 2).sum()), 2.0 * (u - 3.0)), np.zeros(2), 1e-9)
        >>> point.round(6).tolist()
        [3.0, 3.0]
    """
    point, (value, slopes) = start, function(start)
    pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=_PAIRS)
    for _ in range(_MAX_STEPS):
        direction = _direction(slopes, pairs)
        if not pairs:  # nothing is known of the curvature yet
            direction = direction / max(1.0, math.sqrt(_product(direction, direction)))
        fall = _product(direction, slopes)
        if not fall < 0.0:
            return point
        step = 1.0
        for _ in range(_HALVINGS):
            new_point = point + step * direction
            new_value, new_slopes = function(new_point)
            if new_value <= value + _ENOUGH * step * fall:
                break
            # The lowest point of the parabola through what is known, kept within a tenth and a half of the step.
            above = new_value - value - step * fall
            lowest = -0.5 * step * fall / above if above > 0.0 else 0.5
            step *= min(0.5, max(0.1, lowest))
        else:
            return point
        moved, bent = new_point - point, new_slopes - slopes
        curvature = _product(moved, bent)
        if curvature > 1e-12 * _product(bent, bent):
            pairs.append((moved, bent, curvature))
        small = value - new_value <= tolerance * abs(new_value)
        point, value, slopes = new_point, new_value, new_slopes
        if small:
            return point
    return point


def _product(a: Vector, b: Vector) -> float:
    """Return the inner product without BLAS, in one order of summation."""
    return float((a * b).sum())


def _direction(slopes: Vector, pairs: deque[tuple[Vector, Vector, float]]) -> Vector:
    """Return minus the slopes, times what the last steps say of the inverse curvature (algorithm 7.4)."""
    direction = -slopes
    shares = []
    for moved, bent, curvature in reversed(pairs):
        share = _product(moved, direction) / curvature
        shares.append(share)
        direction = direction - share * bent
    if pairs:
        _, bent, curvature = pairs[-1]
        direction = direction * (curvature / _product(bent, bent))
    for (moved, bent, curvature), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - _product(bent, direction) / curvature) * moved
    return direction
