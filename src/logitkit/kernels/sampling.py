"""Which tokens a row of logits keeps, and which of them a uniform number draws.

With top-k, or for typical sampling, the row becomes a list of keys, indices and masses exp((logit - maximum) / T), in
the order of the indices, which each step narrows. No step sorts: it asks `threshold` for its border.

Otherwise the row stays as it is, with the border that top-p and min-p have found (see kernels/draws.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.candidates import Candidates, find_largest
from logitkit.kernels.draws import HAS_NAN, NEAR, NO_TOKEN, draw_from_row
from logitkit.kernels.exp import logit_of_key, order_key
from logitkit.kernels.nucleus import FEW, PIECE, border_of_row, mass_of
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import keep_above, threshold

__all__ = ["Lists", "lists_for", "process_block", "sample_block"]

Lists = tuple[NDArray[Any], ...]


def lists_for(V: int, room: int, whole: bool, typical: bool, dtype: np.dtype[Any]) -> Lists:
    """Return what a row is listed in: masses, spare masses, the keys of typical sampling, spare ones.

    Then come the sums of pieces, and the masses of a row that stays as it is.
    """
    room = max(room, FEW)
    order = np.empty((2, room if typical else 0), np.int64)
    row = np.empty(V if whole else 0, dtype)
    return np.empty(room), np.empty(room), order[0], order[1], np.empty(-(-V // PIECE)), row


@jit
def _list_row(
    logits: Any, base: int, V: int, scale: float, top_p: float, min_p: float, scratch: Candidates, lists: Lists
) -> Any:
    """List what top-p and min-p keep of the whole row; return how many."""
    _, border, last = border_of_row(logits, base, V, scale, top_p, min_p, scratch, lists)
    p, keys, indices, n = pointer(logits), pointer(scratch[0]), pointer(scratch[1]), 0
    for i in range(V):
        logit = p[base + i]
        keys[n], indices[n] = order_key(logit), i
        n += not (logit < border or (logit == border and i > last))
    return n


@jit
def _keep_typical(
    keys: Any, indices: Any, n: int, maximum: float, scale: float, typical_p: float, bins: Any, lists: Lists
) -> Any:
    """Keep the tokens whose surprise -log p is nearest to the entropy until their mass reaches `typical_p`."""
    masses, spare_masses, order, spare_order = lists[0], lists[1], lists[2], lists[3]
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
    listed = top_k < V
    if listed:
        n = find_largest(logits, base, V, top_k, top_k, scratch)
    else:
        n = _list_row(logits, base, V, scale, top_p, min_p, scratch, lists)
    best = keys[0]
    for i in range(n):
        best = max(best, keys[i])
    maximum = logit_of_key(best)
    if np.isnan(maximum) or maximum == -np.inf:
        return HAS_NAN if np.isnan(maximum) else NO_TOKEN, maximum
    total = 0.0
    for i in range(n):
        masses[i] = mass_of(logit_of_key(keys[i]), maximum, scale)
        total += masses[i]
    if listed and top_p < 1.0:
        t, above = threshold(keys, masses, n, top_p * total, bins, spare_keys, spare_masses)
        n = keep_above(keys, indices, masses, n, t, above, top_p * total)
    if listed and min_p > 0.0:
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
def sample_block(
    logits: Any, uniforms: Any, scale: float, top_k: int, top_p: float, min_p: float, typical_p: float,
    scratch: Candidates, lists: Lists, tokens_out: Any, log_probs_out: Any,
) -> None:  # fmt: skip
    """Write each row's token, or why it has none, and the token's log-probability among what the row keeps."""
    N, V = logits.shape
    by_list = top_k < V or typical_p < 1.0
    for row in range(N):
        if not by_list:
            token, log_prob = draw_from_row(logits, row * V, V, scale, uniforms[row], top_p, min_p, scratch, lists)
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
    p, out, scale = pointer(logits), pointer(logits_out), 1.0 / temperature
    by_list = top_k < V or typical_p < 1.0
    for row in range(N):
        base = row * V
        if by_list:
            n, maximum = keep_row(logits, base, V, scale, top_k, top_p, min_p, typical_p, scratch, lists)
            filler = np.nan if n == HAS_NAN else -np.inf
            for i in range(V):
                out[base + i] = filler
            for i in range(n):
                token = scratch[1][i]
                out[base + token] = np.float64(p[base + token]) / temperature
            continue
        maximum, border, last = border_of_row(logits, base, V, scale, top_p, min_p, scratch, lists)
        filler = np.nan if np.isnan(maximum) else -np.inf
        for i in range(V):
            logit = p[base + i]
            kept = not np.isnan(maximum) and (logit > border or (logit == border and i <= last))
            out[base + i] = np.float64(logit) / temperature if kept else filler
