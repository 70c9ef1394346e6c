"""Which tokens a row of logits keeps, and which of them a uniform number draws.

Temperature, top-k, top-p, min-p, typical: each step narrows one list of keys, indices and masses, which keeps the order
of the indices. The mass of a token is exp((logit - maximum) / T). No step sorts: it asks `threshold` for its border.

Without a step the row itself is the list: its masses are summed in pieces, and only the piece that is drawn is read
again. Without top-k, tokens whose masses together cannot matter to top-p or min-p never enter the list.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.candidates import Candidates, collect, find_largest, group_maxima
from logitkit.kernels.exp import exp_shifted, logit_of_key, order_key
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import keep_above, threshold

__all__ = ["HAS_NAN", "NO_TOKEN", "Lists", "lists_for", "penalise_block", "process_block", "sample_block"]

PIECE = 1024
NEAR = 2.0**-10  # below this, total - 1 has lost digits that log(total) would need
NO_TOKEN, HAS_NAN = -1, -2

Lists = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def lists_for(V: int, room: int, typical: bool) -> Lists:
    """Return masses, spare masses, the keys of typical sampling, spare ones, and the sums of pieces."""
    by_typical = room if typical else 0
    order = np.empty(by_typical, np.int64), np.empty(by_typical, np.int64)
    return np.empty(room), np.empty(room), *order, np.empty(-(-V // PIECE))


@jit
def _mass(logit: Any, maximum: float, scale: float) -> Any:
    """Return exp((logit - maximum) · scale); beside an infinite maximum, 1 where the logit ties and 0 elsewhere.

    It is the float64 exponential, which is 0 for -inf: a masked token must never be drawn.
    """
    if np.isfinite(maximum):
        return exp_shifted(np.float64(logit), maximum, scale)
    return 1.0 if logit == maximum else 0.0


@jit
def _sum_row(logits: Any, base: int, V: int, maximum: float, scale: float, sums: Any) -> float:
    """Return the mass of the V entries from `base` on, and of each piece."""
    p, total = pointer(logits), 0.0
    for piece in range(sums.shape[0]):
        first, length = base + piece * PIECE, min(PIECE, V - piece * PIECE)
        part = 0.0
        if np.isfinite(maximum):
            for i in range(length):
                part += exp_shifted(p[first + i], maximum, scale)
        else:
            for i in range(length):
                part += 1.0 if p[first + i] == maximum else 0.0
        sums[piece] = part
        total += part
    return total


@jit
def _list_row(
    logits: Any, base: int, V: int, scale: float, top_p: float, min_p: float, scratch: Candidates, sums: Any
) -> Any:
    """List all that top-p and min-p may keep; return how many, and the mass of the whole row where top-p needs it."""
    maxima, lanes = scratch[6], scratch[7]
    p = pointer(logits)
    best = order_key(p[base])
    if lanes.shape[0] > 0:
        group_maxima(logits, base, V, lanes.shape[0], maxima, lanes)
        for j in range(lanes.shape[0]):
            best = max(best, lanes[j])
    else:
        for i in range(V):
            best = max(best, order_key(p[base + i]))
    maximum, total = logit_of_key(best), 0.0
    if np.isnan(maximum) or maximum == -np.inf:
        scratch[0][0] = best
        return 1, total
    if top_p < 1.0:
        total = _sum_row(logits, base, V, maximum, scale, sums)
    least = max(min_p, (1.0 - top_p) * total / V)  # V tokens of less mass than this are not the mass that top-p needs
    floor = np.int64(order_key(logits.dtype.type(-np.inf))) - 1
    if maximum == np.inf:
        floor = np.int64(best) - 1
    elif least > 0.0:
        limit = maximum + (math.log(least) - 1e-3) / scale - 1e-6 * abs(maximum)
        floor = np.int64(order_key(logits.dtype.type(limit))) - 1
    return collect(logits, base, V, V, floor, scratch), total


@jit
def _keep_typical(
    keys: Any, indices: Any, n: int, maximum: float, scale: float, typical_p: float, bins: Any, lists: Lists
) -> Any:
    """Keep the tokens whose surprise -log p is nearest to the entropy until their mass reaches `typical_p`."""
    masses, spare_masses, order, spare_order, _ = lists
    total, spread = 0.0, 0.0
    for i in range(n):
        total += masses[i]
        if masses[i] > 0.0 and np.isfinite(maximum):
            spread += masses[i] * ((maximum - logit_of_key(keys[i])) * scale)
    for i in range(n):
        # surprise - entropy, in which log(total) cancels
        distance = np.inf
        if masses[i] > 0.0:
            distance = (maximum - logit_of_key(keys[i])) * scale if np.isfinite(maximum) else 0.0
            distance = abs(distance - spread / total)
        order[i] = order_key(-distance)
    t, above = threshold(order, masses, n, typical_p * total, bins, spare_order, spare_masses)
    return keep_above(order, indices, masses, n, t, above, typical_p * total)


@jit
def keep_row(
    logits: Any, base: int, V: int, scale: float, top_k: int, top_p: float, min_p: float, typical_p: float,
    scratch: Candidates, lists: Lists,
) -> Any:  # fmt: skip
    """List the indices and masses of what a row keeps; return how many, or why none, and the maximum."""
    keys, indices, spare_keys, bins = scratch[0], scratch[1], scratch[2], scratch[4]
    masses, spare_masses = lists[0], lists[1]
    total = 0.0
    if top_k < V:
        n = find_largest(logits, base, V, top_k, top_k, scratch)
    else:
        n, total = _list_row(logits, base, V, scale, top_p, min_p, scratch, lists[4])
    best = keys[0]
    for i in range(n):
        best = max(best, keys[i])
    maximum = logit_of_key(best)
    if np.isnan(maximum) or maximum == -np.inf:
        return HAS_NAN if np.isnan(maximum) else NO_TOKEN, maximum
    for i in range(n):
        masses[i] = _mass(logit_of_key(keys[i]), maximum, scale)
    if top_p < 1.0:
        if total == 0.0:
            for i in range(n):
                total += masses[i]
        t, above = threshold(keys, masses, n, top_p * total, bins, spare_keys, spare_masses)
        n = keep_above(keys, indices, masses, n, t, above, top_p * total)
    if min_p > 0.0:
        kept = 0
        for i in range(n):
            keys[kept], indices[kept], masses[kept] = keys[i], indices[i], masses[i]
            kept += masses[i] >= min_p
        n = kept
    if typical_p < 1.0:
        n = _keep_typical(keys, indices, n, maximum, scale, typical_p, bins, lists)
    return n, maximum


@jit
def _draw(masses: Any, n: int, uniform: float) -> Any:
    """Return the first place at which the sum of the masses exceeds `uniform` of it all, and log Σ masses."""
    total, largest = 0.0, 0
    for i in range(n):
        total += masses[i]
        largest = i if masses[i] > masses[largest] else largest
    target, reached, drawn = uniform * total, 0.0, largest
    for i in range(n):
        reached += masses[i]
        if masses[i] > 0.0:
            drawn = i
            if reached > target:
                break
    if not abs(total - 1.0) < NEAR or masses[largest] != 1.0:
        return drawn, math.log(total)
    rest = 0.0
    for i in range(n):
        rest += masses[i] if i != largest else 0.0
    return drawn, math.log1p(rest)


@jit
def _draw_from_row(logits: Any, base: int, V: int, scale: float, uniform: float, sums: Any) -> Any:
    """Return the token that `uniform` draws from the whole row, or why none, and its log-probability."""
    p = pointer(logits)
    best = order_key(p[base])
    for i in range(V):
        best = max(best, order_key(p[base + i]))
    maximum = logit_of_key(best)
    if np.isnan(maximum) or maximum == -np.inf:
        return HAS_NAN if np.isnan(maximum) else NO_TOKEN, np.nan
    total = _sum_row(logits, base, V, maximum, scale, sums)
    target, reached, piece = uniform * total, 0.0, 0
    while piece < sums.shape[0] - 1 and reached + sums[piece] <= target:
        reached += sums[piece]
        piece += 1
    token, start = -1, piece * PIECE
    while token < 0:
        for i in range(start, V):
            mass = _mass(p[base + i], maximum, scale)
            reached += mass
            if mass > 0.0:
                token = i
                if reached > target:
                    break
        start, reached = 0, 0.0  # rounding went past the last token that has a mass: once more from the start
    distance = (p[base + token] - maximum) * scale if np.isfinite(maximum) else 0.0
    if not (total - 1.0 < NEAR and np.isfinite(maximum)):
        return token, distance - math.log(total)
    rest = 0.0
    for i in range(V):
        rest += exp_shifted(p[base + i], maximum, scale) if p[base + i] != maximum else 0.0
    return token, distance - math.log1p(rest)


@jit
def sample_block(
    logits: Any, uniforms: Any, scale: float, top_k: int, top_p: float, min_p: float, typical_p: float,
    scratch: Candidates, lists: Lists, tokens_out: Any, log_probs_out: Any,
) -> None:  # fmt: skip
    """Write each row's token, or why it has none, and the token's log-probability among what the row keeps."""
    N, V = logits.shape
    whole = top_k >= V and top_p >= 1.0 and min_p <= 0.0 and typical_p >= 1.0
    for row in range(N):
        if whole:
            token, log_prob = _draw_from_row(logits, row * V, V, scale, uniforms[row], lists[4])
            tokens_out[row] = token
            log_probs_out[row] = log_prob
            continue
        n, maximum = keep_row(logits, row * V, V, scale, top_k, top_p, min_p, typical_p, scratch, lists)
        tokens_out[row] = n
        log_probs_out[row] = np.nan
        if n > 0:
            drawn, log_total = _draw(lists[0], n, uniforms[row])
            token = scratch[1][drawn]
            distance = (np.float64(logits[row, token]) - maximum) * scale if np.isfinite(maximum) else 0.0
            tokens_out[row] = token
            log_probs_out[row] = distance - log_total


@jit
def process_block(
    logits: Any, temperature: float, top_k: int, top_p: float, min_p: float, typical_p: float,
    scratch: Candidates, lists: Lists, logits_out: Any,
) -> None:  # fmt: skip
    """Write the logits of what each row keeps, divided by the temperature, and -inf elsewhere; NaN in a row of NaN."""
    N, V = logits.shape
    whole = top_k >= V and top_p >= 1.0 and min_p <= 0.0 and typical_p >= 1.0
    for row in range(N):
        if whole:
            has_nan = False
            for i in range(V):
                logits_out[row, i] = np.float64(logits[row, i]) / temperature
                has_nan |= np.isnan(logits[row, i])
            if has_nan:
                logits_out[row] = np.nan
            continue
        n, _ = keep_row(logits, row * V, V, 1.0 / temperature, top_k, top_p, min_p, typical_p, scratch, lists)
        for i in range(V):
            logits_out[row, i] = np.nan if n == HAS_NAN else -np.inf
        for i in range(n):
            token = scratch[1][i]
            logits_out[row, token] = np.float64(logits[row, token]) / temperature


@jit
def penalise_block(
    logits: Any, indptr: Any, previous: Any, repetition: float, presence: float, frequency: float, counts: Any
) -> None:
    """Lower, in place, the logits of the tokens that went before: row i has previous[indptr[i] : indptr[i + 1]].

    `counts` [V] is zero, and zero again afterwards. A negative token stands for none.
    """
    for row in range(logits.shape[0]):
        tokens = previous[indptr[row] : indptr[row + 1]]
        for token in tokens:
            if token >= 0:
                counts[token] += 1
        for token in tokens:
            if token >= 0 and counts[token] > 0:
                logit = np.float64(logits[row, token])
                logit = logit * repetition if logit < 0.0 else logit / repetition
                if np.isfinite(logit):
                    logit -= presence + frequency * counts[token]
                logits[row, token] = logit
                counts[token] = 0
