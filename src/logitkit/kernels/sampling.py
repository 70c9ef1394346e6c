"""Which tokens a row of logits keeps, and which of them a uniform number draws.

With top-k, or for typical sampling, the row becomes a list of keys, indices and masses exp((logit - maximum) / T), in
the order of the indices, which each step narrows. No step sorts: it asks `threshold` for its border.

Otherwise the row stays as it is, with the border that top-p and min-p have found: the masses of what is kept are summed
in pieces, and only the piece that is drawn from is read again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import jit
from logitkit.kernels.candidates import Candidates, find_largest
from logitkit.kernels.exp import exp_shifted, logit_of_key, order_key
from logitkit.kernels.nucleus import FEW, PIECE, border_of_row, mass_of
from logitkit.kernels.pointers import pointer
from logitkit.kernels.threshold import keep_above, threshold

__all__ = ["HAS_NAN", "NO_TOKEN", "Lists", "lists_for", "penalise_block", "process_block", "sample_block"]

NEAR = 2.0**-10  # below this, total - 1 has lost digits that log(total) would need
NO_TOKEN, HAS_NAN = -1, -2

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
def _sum_kept(
    p: Any, base: int, V: int, maximum: float, scale: float, border: Any, last: int, masses: Any, sums: Any
) -> float:
    """Return the mass of what is above the border, and of its equals up to `last`, and write that of each piece."""
    total, e, written = 0.0, pointer(masses), masses.shape[0] > 0
    for piece in range(sums.shape[0]):
        start = piece * PIECE
        part = 0.0
        if not np.isfinite(maximum):
            for i in range(start, min(start + PIECE, V)):
                part += 1.0 if p[base + i] == maximum and i <= last else 0.0
        elif written:
            for i in range(min(PIECE, V - start)):
                logit = p[base + start + i]
                kept = logit > border or (logit == border and start + i <= last)
                part += np.float64(e[start + i]) if kept else 0.0
        else:
            for i in range(min(PIECE, V - start)):
                logit = p[base + start + i]
                kept = logit > border or (logit == border and start + i <= last)
                part += exp_shifted(logit, maximum, scale) if kept else 0.0
        sums[piece] = part
        total += part
    return total


@jit
def _draw_from_row(
    logits: Any, base: int, V: int, scale: float, uniform: float, top_p: float, min_p: float,
    scratch: Candidates, lists: Lists,
) -> Any:  # fmt: skip
    """Return the token that `uniform` draws, or why none, and its log-probability, without a list of the row."""
    p, sums = pointer(logits), lists[4]
    maximum, border, last = border_of_row(logits, base, V, scale, top_p, min_p, scratch, lists)
    if np.isnan(maximum) or maximum == -np.inf:
        return HAS_NAN if np.isnan(maximum) else NO_TOKEN, np.nan
    written = lists[5] if top_p < 1.0 else lists[5][:0]
    total = _sum_kept(p, base, V, maximum, scale, border, last, written, sums)
    target, reached, piece = uniform * total, 0.0, 0
    while piece < sums.shape[0] - 1 and reached + sums[piece] <= target:
        reached += sums[piece]
        piece += 1
    token, start = -1, piece * PIECE
    while token < 0:
        for i in range(start, V):
            logit = p[base + i]
            mass = mass_of(logit, maximum, scale)
            if mass > 0.0 and (logit > border or (logit == border and i <= last)):
                token = i
                reached += mass
                if reached > target:
                    break
        start, reached = 0, 0.0  # rounding went past the last token that has a mass: once more from the start
    distance = (p[base + token] - maximum) * scale if np.isfinite(maximum) else 0.0
    if not (total - 1.0 < NEAR and np.isfinite(maximum)):
        return token, distance - math.log(total)
    rest = 0.0
    for i in range(V):
        logit = p[base + i]
        other = logit != maximum and (logit > border or (logit == border and i <= last))
        rest += exp_shifted(logit, maximum, scale) if other else 0.0
    return token, distance - math.log1p(rest)


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
            token, log_prob = _draw_from_row(logits, row * V, V, scale, uniforms[row], top_p, min_p, scratch, lists)
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
