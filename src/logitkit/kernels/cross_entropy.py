"""Cross-entropy of rows of logits: the loss and its gradient from one pass over the exponentials.

    loss = Σ_c q_c · (logsumexp(logits) - logits_c),   ∂loss / ∂logits_c = probs_c · Σ q - q_c

`q` are the targets of the row: one class, smoothed or not, or any weights that are not negative. 0 · ∞ counts as 0: a
class that no target asks for costs nothing. Where the maximum is infinite, a tie lies at distance 0 and all else at -∞.
"""

from __future__ import annotations

from typing import Any

from logitkit.kernels import jit
from logitkit.kernels.exp import largest
from logitkit.kernels.exp_rows import FEW, LANES, Scratch, exp_row, exp_tile, log_sum_of_exps, log_sum_row

__all__ = ["cross_entropy_block", "cross_entropy_row", "soft_cross_entropy_block"]


@jit
def _distance(logit: float, maximum: float) -> float:
    """Return logit - maximum, 0 where they tie."""
    return 0.0 if logit == maximum else logit - maximum


@jit
def _pull(logits: Any, label: int, maximum: float, label_smoothing: float) -> float:
    """Return Σ_c q_c · (logits_c - maximum) for a smoothed label: what is taken from log(total) to give the loss."""
    pull = (1.0 - label_smoothing) * _distance(logits[label], maximum)
    if label_smoothing > 0.0:
        away = 0.0
        for i in range(logits.shape[0]):
            away += _distance(logits[i], maximum)
        pull = away / logits.shape[0] if label_smoothing == 1.0 else pull + label_smoothing / logits.shape[0] * away
    return pull


@jit
def cross_entropy_row(logits: Any, label: int, label_smoothing: float, grad_scale: float, grad_out: Any) -> float:
    """Return the loss of one row, and write grad_scale · (probs - targets) into `grad_out`.

    `logits` [C], C >= 1, is contiguous; `grad_out` [C] has the same type and memory of its own. The targets are
    1 - label_smoothing at `label` plus label_smoothing / C everywhere. The loss is float64 and not scaled.
    """
    C = logits.shape[0]
    maximum = largest(logits)
    pull = _pull(logits, label, maximum, label_smoothing)
    total = exp_row(logits, maximum, 1.0, grad_out)
    shared = label_smoothing / C
    log_sum = log_sum_of_exps(grad_out, total)
    inverse = 1.0 / total
    factor = grad_scale * inverse
    own = grad_scale * (grad_out[label] * inverse - shared - (1.0 - label_smoothing))
    offset = grad_scale * shared
    for i in range(C):
        grad_out[i] = grad_out[i] * factor - offset
    grad_out[label] = own
    return log_sum - pull


@jit
def cross_entropy_block(
    logits: Any, labels: Any, label_smoothing: float, grad_scales: Any, scratch: Scratch, losses_out: Any, grad_out: Any
) -> None:
    """Write each row's loss, and grad_scales times its gradient unless `grad_out` has no rows.

    `grad_scales` holds a number a row, or one for all. `grad_out` has memory of its own.
    """
    N, C = logits.shape
    per_row = 0 if grad_scales.shape[0] == 1 else 1
    wants_grad = grad_out.shape[0] > 0
    shared = label_smoothing / C
    if C >= FEW:
        for row in range(N):
            if wants_grad:
                scale = grad_scales[row * per_row]
                losses_out[row] = cross_entropy_row(logits[row], labels[row], label_smoothing, scale, grad_out[row])
            else:
                maximum = largest(logits[row])
                pull = _pull(logits[row], labels[row], maximum, label_smoothing)
                losses_out[row] = log_sum_row(logits[row], maximum, 1.0) - pull
        return
    tile, sums = scratch
    for start in range(0, N, LANES):
        rows = logits[start : start + LANES]
        exp_tile(rows, 1.0, scratch)
        for lane in range(rows.shape[0]):
            if label_smoothing > 0.0:
                pull = _pull(rows[lane], labels[start + lane], sums[0, lane], label_smoothing)
            else:
                pull = _distance(rows[lane, labels[start + lane]], sums[0, lane])
            losses_out[start + lane] = sums[3, lane] - pull
        grads = grad_out[start : start + LANES]
        for lane in range(grads.shape[0]):
            scale = grad_scales[(start + lane) * per_row]
            inverse = 1.0 / sums[2, lane]
            factor = scale * inverse
            offset = scale * shared
            label = labels[start + lane]
            own = scale * (tile[label, lane] * inverse - shared - (1.0 - label_smoothing))
            for c in range(C):
                grads[lane, c] = tile[c, lane] * factor - offset
            grads[lane, label] = own


@jit
def soft_cross_entropy_block(logits: Any, targets: Any, grad_scales: Any, losses_out: Any, grad_out: Any) -> None:
    """The same with targets [N, C] of the logits' type, which are not negative and need not sum to 1."""
    N, C = logits.shape
    per_row = 0 if grad_scales.shape[0] == 1 else 1
    wants_grad = grad_out.shape[0] > 0
    for row in range(N):
        maximum = largest(logits[row])
        pull = 0.0
        mass = 0.0
        for i in range(C):
            target = float(targets[row, i])
            pull += target * _distance(logits[row, i], maximum) if target != 0.0 else 0.0
            mass += target
        if not wants_grad:
            losses_out[row] = mass * log_sum_row(logits[row], maximum, 1.0) - pull
            continue
        grad = grad_out[row]
        total = exp_row(logits[row], maximum, 1.0, grad)
        losses_out[row] = mass * log_sum_of_exps(grad, total) - pull
        scale = grad_scales[row * per_row]
        factor = scale * mass / total
        for i in range(C):
            grad[i] = grad[i] * factor - scale * targets[row, i]
