"""Cross-entropy of `beta * logits` and its first two derivatives in `beta`, summed over rows, in one pass.

For a row with largest logit m, d_j = logits_j - m and gap = d_label, all of them at most 0:

    loss    = log(sum_j exp(beta * d_j)) - beta * gap
    slope   = E[d] - gap                E under softmax(beta * logits)
    bend    = E[d^2] - E[d]^2           never negative: the loss is convex in beta

The classes that tie at m keep the loss above log(ties) at every beta. That constant is left out, so what a row that is
right adds is `log1p(rest / ties)`, which keeps its digits when the row is nearly certain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest

__all__ = ["BEND", "GAP", "LOSS", "NAN_ROW", "N_SUMS", "SLOPE", "WEIGHT", "temperature_sums"]

LOSS, SLOPE, BEND, WEIGHT, GAP, NAN_ROW, N_SUMS = 0, 1, 2, 3, 4, 5, 6

# A difference below this has probability 0 at every temperature that is tried; finite, so that 0 * d is 0 and not NaN.
_FAR_BELOW = -1e12


@jit
def _row_sums(z: Any, top: float, beta: float) -> tuple[float, float, float, float]:
    """Return the sums of e, e * d and e * d^2 where e = exp(beta * d), and how many classes tie at the top.

    The first sum leaves these out: each is 1, and beside it the digits of the others would be lost.
    """
    rest = 0.0
    first = 0.0
    second = 0.0
    ties = 0.0
    for j in range(z.shape[0]):
        d = float(z[j]) - top
        d = _FAR_BELOW if d < _FAR_BELOW else d
        e = exp_shifted(z[j], top, beta)
        ties += np.float64(d == 0.0)  # a second conditional expression makes a branch: 7 times as slow
        rest += 0.0 if d == 0.0 else e
        first += e * d
        second += e * d * d
    return rest, first, second, ties


@jit
def temperature_sums(logits: Any, labels: Any, weights: Any, beta: float, sums_out: Any) -> None:
    """Add up loss, slope, bend, weight and weight * gap over the rows; note the first row with a NaN.

    A row whose loss does not depend on beta is left out: an infinite maximum, or a label with logit -inf.
    Empty `weights` mean that every row counts once. NAN_ROW is -1 where there is none.
    """
    loss = slope = bend = weight_sum = gap_sum = 0.0
    nan_row = -1
    for row in range(logits.shape[0]):
        z = logits[row]
        top = largest(z)
        gap = np.float64(z[labels[row]]) - top
        if not (abs(top) < np.inf and gap > -np.inf):
            nan_row = row if np.isnan(top) and nan_row < 0 else nan_row  # `largest` takes a NaN for the largest
            continue
        rest, first, second, ties = _row_sums(z, top, beta)
        total = rest + ties
        mean = first / total
        weight = weights[row] if weights.size else 1.0
        loss += weight * (np.log1p(rest / ties) - beta * gap)
        slope += weight * (mean - gap)
        bend += weight * max(second / total - mean * mean, 0.0)
        weight_sum += weight
        gap_sum += weight * gap
    sums_out[LOSS] = loss
    sums_out[SLOPE] = slope
    sums_out[BEND] = bend
    sums_out[WEIGHT] = weight_sum
    sums_out[GAP] = gap_sum
    sums_out[NAN_ROW] = nan_row
