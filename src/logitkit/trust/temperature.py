"""One number that makes confidence believable: the temperature, which divides the logits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_labels, as_logits, as_weights, input_error
from logitkit.kernels import run_blocks, split

__all__ = ["TEMPERATURE_MAX", "TEMPERATURE_MIN", "fit_temperature"]

TEMPERATURE_MIN = 1e-6
TEMPERATURE_MAX = 1e6

_TOLERANCE = 1e-4  # of the relative step: what is left after it is about its square
_MAX_PASSES = 200
_WARM_START_SIZE = 2**21  # from this many logits on, every k-th row says where to start
_WARM_START_ROWS = 4096


@dataclass(frozen=True, slots=True)
class _Point:
    """The mean cross-entropy at one beta, less its limit if it has one, with derivatives in beta."""

    beta: float
    loss: float
    slope: float
    bend: float
    weight: float
    gap: float


_Objective = Callable[[float], _Point]


def fit_temperature(logits: Any, labels: Any, *, sample_weights: Any = None) -> float:
    """Return the temperature T > 0 that minimises the mean cross-entropy of `logits / T`.

    T > 1 says that the logits were over-confident, T < 1 under-confident. T never changes the arg max. The loss is
    convex in beta = 1 / T; a safeguarded Newton finds its minimum in a few passes over the logits. The result has the
    same bits at any number of threads.

    Where the data cannot say:

    - Every row right (the minimum lies at T = 0): n rows without an error do not show an error rate below 0.5 / (n + 1)
      (Krichevsky and Trofimov 1981), so T stops where the mean loss is that of such a rate, n being the sum of weights.
    - Worse than chance (the minimum lies at T = infinity): `TEMPERATURE_MAX`, at which all classes are equally likely.
    - No rows, one class, or all logits of every row equal: 1.
    - Rows whose loss is the same at every temperature are left out: those with +inf, or -inf at the label.

    On the given data the loss is never above that at T = 1, which is returned where no other is better.

    Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        logits: `[N, C]`, any real numbers and infinities; float16 computes in float32, integers in float64.
        labels: `[N]` integers in [0, C).
        sample_weights: `[N]`, at least 0 and finite; a weight counts as that many rows.

    Returns:
        A float in [`TEMPERATURE_MIN`, `TEMPERATURE_MAX`].

    Raises:
        InputError: if the shapes disagree, a label is not in [0, C), or a logit is NaN; the first such row is named.

    Example:
        >>> from logitkit.trust.temperature import fit_temperature
        >>> logits = [[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]  # each says 98 % for the first class
        >>> round(fit_temperature(logits, [0, 0, 0, 1]), 3)  # right 75 % of the time: 4 / log(3)
        3.641
    """
    z = as_logits(logits, "fit_temperature", ndim=2)
    N, C = z.shape
    y = as_labels(labels, (N,), C, "fit_temperature")
    w = np.empty(0) if sample_weights is None else as_weights(sample_weights, (N,), "sample_weights", "fit_temperature")
    return _fit(np.ascontiguousarray(z, compute_dtype(z.dtype)), y, w)


def _fit(z: NDArray[Any], y: NDArray[np.intp], w: NDArray[np.float64]) -> float:
    objective = _objective(z, y, w)
    at_one = objective(1.0)
    if at_one.weight == 0.0 or at_one.slope == 0.0:
        return 1.0
    if at_one.gap == 0.0:
        return 1.0 / _solve_floor(objective, at_one)
    start = at_one
    if z.size >= _WARM_START_SIZE and len(z) >= 2 * _WARM_START_ROWS:
        some = slice(None, None, len(z) // _WARM_START_ROWS)
        start = objective(1.0 / _fit(*(np.ascontiguousarray(array[some]) for array in (z, y, w))))
    beta, loss = _minimise(objective, start)
    return 1.0 / beta if loss <= at_one.loss else 1.0


def _objective(z: NDArray[Any], y: NDArray[np.intp], w: NDArray[np.float64]) -> _Objective:
    """Return the mean loss as a function of beta. Blocks of rows depend on the shape alone: so do all the bits."""
    from logitkit.kernels.temperature import BEND, GAP, LOSS, N_SUMS, NAN_ROW, SLOPE, WEIGHT, temperature_sums

    N, C = z.shape
    z, y, w = read_only(z), read_only(y), read_only(w)
    blocks = split(N, max(1, 2**16 // C, N // 512))

    def at(beta: float) -> _Point:
        sums = np.zeros((len(blocks), N_SUMS))

        def work(start: int, stop: int) -> None:
            w_block = w[start:stop] if w.size else w
            temperature_sums(z[start:stop], y[start:stop], w_block, beta, sums[start // blocks[0][1]])

        run_blocks(work, blocks)
        for (start, _), nan_row in zip(blocks, sums[:, NAN_ROW], strict=True):
            if nan_row >= 0:
                raise input_error("logits", "fit_temperature", "free of NaN", f"NaN in row {start + int(nan_row)}")
        total = [math.fsum(sums[:, column]) for column in range(NAN_ROW)]
        weight = total[WEIGHT]
        mean = [value / weight if weight > 0.0 else 0.0 for value in total]
        return _Point(beta, mean[LOSS], mean[SLOPE], mean[BEND], weight, mean[GAP])

    return at


def _minimise(objective: _Objective, start: _Point) -> tuple[float, float]:
    """Return the beta of the least loss, and the loss at the last point seen, by Newton's method inside a bracket."""
    low, high = 1.0 / TEMPERATURE_MAX, 1.0 / TEMPERATURE_MIN
    point, seen_low = start, False
    for _ in range(_MAX_PASSES):
        if point.slope < 0.0:
            low, seen_low = max(low, point.beta), True
        else:
            high = min(high, point.beta)
        beta = point.beta - point.slope / point.bend if point.bend > 0.0 else -math.copysign(math.inf, point.slope)
        if beta <= low and not seen_low:
            # Far too confident: go to the left end, from where Newton's steps on a convex loss do not overshoot far.
            beta, seen_low = low, True
        elif not low < beta < high:
            beta = math.sqrt(low * high)
        if abs(beta - point.beta) <= _TOLERANCE * point.beta:
            return beta, point.loss
        point = objective(beta)
    return point.beta, point.loss


def _solve_floor(objective: _Objective, at_one: _Point) -> float:
    """Return the beta at which rows that are all right lose as much as the error rate that they cannot rule out.

    The logarithm of the loss is nearly a straight line in beta, so Newton's method on it takes few steps.
    """
    target = math.log(-math.log1p(-0.5 / (at_one.weight + 1.0)))
    low, high = 1.0, 1.0 / TEMPERATURE_MIN
    point = at_one
    if point.loss <= 0.0 or math.log(point.loss) <= target:
        return 1.0
    for _ in range(_MAX_PASSES):
        excess = math.log(point.loss) - target if point.loss > 0.0 else -math.inf
        low, high = (point.beta, high) if excess > 0.0 else (low, point.beta)
        beta = point.beta - excess * point.loss / point.slope if point.slope < 0.0 else math.inf
        if not low <= beta <= high:
            beta = math.sqrt(low * high)
        if abs(beta - point.beta) <= _TOLERANCE * point.beta:
            return beta
        point = objective(beta)
    return point.beta
