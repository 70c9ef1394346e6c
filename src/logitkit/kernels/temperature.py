"""Cross-entropy of `beta * logits` and its first two derivatives in `beta`, summed over rows, in one pass.

For a row with largest logit m, d_j = logits_j - m and gap = d_label, all of them at most 0:

    loss    = log(sum_j exp(beta * d_j)) - beta * gap
    slope   = E[d] - gap                E under softmax(beta * logits)
    bend    = E[d^2] - E[d]^2           never negative: the loss is convex in beta

The classes that tie at m keep the loss above log(ties) at every beta. That constant is left out, so what a row that is
right adds is `log1p(rest / ties)`, which keeps its digits when the row is nearly certain.
"""

from __future__ import annotations

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.stand_in import exp32, row_max

__all__ = ["BEND", "GAP", "LOSS", "NAN_ROW", "N_SUMS", "SLOPE", "WEIGHT", "temperature_sums"]

LOSS, SLOPE, BEND, WEIGHT, GAP, NAN_ROW, N_SUMS = 0, 1, 2, 3, 4, 5, 6

# A difference below this has probability 0 at every temperature that is tried; finite, so that 0 * d is 0 and not NaN.
_FAR_BELOW = np.float32(-1e18)
_CHUNK = 1024  # float32 sums no longer than this before they are added in float64


@jit
def temperature_sums(logits, labels, weights, beta, start, stop, sums_out):
    """Add up loss, slope, bend, weight and weight * gap over rows `[start, stop)`; note the first row with a NaN.

    A row whose loss does not depend on beta is left out: an infinite maximum, or a label with logit -inf.
    Empty `weights` mean that every row counts once. NAN_ROW is -1 where there is none.
    """
    C = logits.shape[1]
    beta32 = np.float32(beta)
    loss = slope = bend = weight_sum = gap_sum = 0.0
    nan_row = -1
    for row in range(start, stop):
        z = logits[row]
        top = row_max(z)
        gap = np.float64(z[labels[row]]) - np.float64(top)
        if not (abs(top) < np.inf and gap > -np.inf):
            for j in range(C):
                if z[j] != z[j] and nan_row < 0:
                    nan_row = row
            continue
        rest, first, second, ties = 0.0, 0.0, 0.0, 0.0
        for begin in range(0, C, _CHUNK):
            s0 = s1 = s2 = tied = np.float32(0.0)
            for j in range(begin, min(begin + _CHUNK, C)):
                d = np.float32(z[j] - top)
                d = _FAR_BELOW if d < _FAR_BELOW else d
                e = exp32(beta32 * d)
                tied += np.float32(1.0) if d == np.float32(0.0) else np.float32(0.0)
                s0 += np.float32(0.0) if d == np.float32(0.0) else e
                s1 += e * d
                s2 += e * d * d
            rest += s0
            first += s1
            second += s2
            ties += tied
        if rest != rest:
            if nan_row < 0:
                nan_row = row
            continue
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
