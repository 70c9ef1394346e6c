"""Cross-entropy computed directly on logits: the training objective, its value and gradient in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import (
    as_labels,
    as_logits,
    as_weights,
    check_at_least_zero,
    check_choice,
    check_fraction,
    check_integer,
    input_error,
)
from logitkit.errors import OptionError
from logitkit.kernels.cross_entropy import cross_entropy_block, soft_cross_entropy_block
from logitkit.kernels.exp_tiles import scratch_for
from logitkit.kinds import returns_callers_kind
from logitkit.ops._losses import REDUCTIONS, as_row_weights, grad_buffer, map_loss_blocks, mean_divisor, same_type
from logitkit.ops._rows import Array

__all__ = ["cross_entropy"]

_NAME = "cross_entropy"


@returns_callers_kind
def cross_entropy(
    logits: Any,
    labels: Any = None,
    *,
    targets: Any = None,
    class_weights: Any = None,
    sample_weights: Any = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    z_loss: float = 0.0,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return the cross-entropy between targets and the softmax of logits, and its gradient on request.

    .. math:: \ell = -\sum_c w_c \, q_c \log \mathrm{softmax}(z)_c + \zeta L^2, \qquad
              \frac{\partial \ell}{\partial z_c} = p_c \Big(\sum_j w_j q_j + 2 \zeta L\Big) - w_c q_c, \qquad
              L = \log \sum_j \exp z_j

    q is 1 at the label, or the row of `targets`; label smoothing ε makes it (1 - ε) q + ε / C, as PyTorch defines it. ζ
    is `z_loss`, w are the class weights.

    Args:
        logits: `[N, C]`, or `[C]`, `[N, T, V]`: the classes are the last axis, one or more. Types as for `softmax`.
        labels: class indices in [0, C), of the logits' shape without the classes.
        targets: instead of labels, weights of the logits' shape that are not negative; each row usually sums to 1.
        class_weights: `[C]`, finite, at least 0.
        sample_weights: one weight a row, finite, at least 0. An integer weight is the same as repeating the row. A row
            of weight 0 counts for nothing, whatever its logits are.
        label_smoothing: ε in [0, 1].
        ignore_index: a label that marks a row as absent: no loss, no gradient, no part in the mean. PyTorch ignores
            -100 by default; here nothing is ignored unless asked.
        z_loss: at least 0; adds z_loss · logsumexp(z)² to each row's loss, which keeps logits from drifting.
        reduction: "mean" divides the sum by the sum of weights (sample weight times the label's class weight; with
            `targets`, the sample weights alone), "sum" adds up, "none" keeps a loss for each row.
        grad: return the gradient too; `grad_out` implies it.
        grad_out: a buffer for the gradient, of the logits' shape and type; may be `logits` itself.

    Returns:
        The loss: a float, or with "none" a float64 array, one for each row. With `grad=True`, a pair of it and the
        gradient of the mean or of the sum ("none" too), of the logits' shape and type. Sums are float64. A class of
        probability 0 costs +inf where a target asks for it and nothing elsewhere; NaN in a row gives NaN. The mean of
        no rows, or of rows that all weigh 0, is 0.0.

    Raises:
        InputError: if shapes disagree, a label is out of range, or a weight or target is negative or not finite.
        OptionError: if not exactly one of `labels` and `targets` is given, or an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.cross_entropy([[2.0, 1.0, 0.1]], [2], grad=True)
        >>> round(loss, 3), grad.round(2).tolist()
        (2.317, [[0.66, 0.24, -0.9]])

    References:
        Label smoothing: Szegedy et al., "Rethinking the Inception architecture", 2016, section 7. z-loss: Chowdhery et
        al., "PaLM: Scaling language modeling with pathways", 2022, section 5.
    """
    array = as_logits(logits, _NAME)
    smoothing = check_fraction(label_smoothing, "label_smoothing", _NAME)
    z_factor = check_at_least_zero(z_loss, "z_loss", _NAME)
    check_choice(reduction, REDUCTIONS, "reduction", _NAME)
    if (labels is None) == (targets is None):
        both = "neither" if labels is None else "both"
        raise OptionError(f"Exactly one of 'labels' and 'targets' of {_NAME} must be given; got {both}.")
    C, shape = array.shape[-1], array.shape[:-1]
    N = array.size // C
    class_indices, kept = (None, None) if labels is None else _as_kept_labels(labels, shape, C, ignore_index)
    if class_indices is None and ignore_index is not None:
        raise OptionError(f"The 'ignore_index' option of {_NAME} goes with 'labels'; 'targets' have weights instead.")
    soft_targets = None if targets is None else _as_targets(targets, array.shape).reshape(N, C)
    by_class = None if class_weights is None else as_weights(class_weights, (C,), "class_weights", _NAME)
    by_row = as_row_weights(sample_weights, shape, _NAME)
    if kept is not None:
        by_row = kept.astype(np.float64) if by_row is None else by_row * kept
    out = grad_buffer(array, grad, grad_out, _NAME)

    # `row_weights` is what a row counts in the mean; `factors` is what its plain loss is multiplied by.
    row_weights = by_row
    if by_class is not None and class_indices is not None:
        of_label = by_class[class_indices]
        row_weights = of_label if by_row is None else of_label * by_row
    in_targets = soft_targets is not None or (by_class is not None and (smoothing > 0.0 or z_factor > 0.0))
    factors = by_row if in_targets else row_weights
    divisor = mean_divisor(float(N) if row_weights is None else float(np.sum(row_weights)), reduction)
    weights = read_only(np.ones(1) if factors is None else factors)
    losses, scale = np.empty(N if reduction == "none" else 0), 1.0 / divisor

    def work(start: int, stop: int, block: Array, block_grad: Array) -> float:
        w = weights if factors is None else weights[start:stop]
        y = None if class_indices is None else class_indices[start:stop]
        if in_targets:
            q = _weighted_targets(y if soft_targets is None else soft_targets[start:stop], by_class, smoothing, block)
            total = soft_cross_entropy_block(block, q, w, z_factor, scale, losses[start:stop], block_grad)
        else:
            scratch = scratch_for(C, block.dtype)
            options = (smoothing, z_factor, scale, scratch)
            total = cross_entropy_block(block, y, w, *options, losses[start:stop], block_grad)
        return float(total)

    sums = map_loss_blocks(array, out, C, work)
    loss: Any = losses.reshape(shape) if reduction == "none" else float(np.sum(sums)) / divisor
    return loss if out is None else (loss, out)


def _as_kept_labels(
    labels: Any, shape: tuple[int, ...], C: int, ignore_index: int | None
) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None]:
    """Return class indices, and which rows count: those whose label is not `ignore_index`, which becomes class 0."""
    kept = None
    if ignore_index is not None:
        array = to_numpy(labels, "labels", _NAME)
        kept = array != check_integer(ignore_index, "ignore_index", _NAME)
        labels = np.where(kept, array, 0)
    return as_labels(labels, shape, C, _NAME).reshape(-1), None if kept is None else kept.reshape(-1)


def _as_targets(targets: Any, shape: tuple[int, ...]) -> Array:
    """Return soft targets of the logits' shape, finite and not negative, in the type they came in."""
    array = as_logits(targets, _NAME, name="targets")
    if array.shape != shape:
        raise input_error("targets", _NAME, f"of the logits' shape {list(shape)}", f"the shape {list(array.shape)}")
    if array.size and not (array.min() >= 0.0 and array.max() < np.inf):
        flat = array.reshape(-1, shape[-1])
        row = int(np.argmax(~((flat >= 0.0) & (flat < np.inf)).all(axis=1)))
        raise input_error("targets", _NAME, "finite and at least 0", f"{flat[row].tolist()} in row {row}")
    return array


def _weighted_targets(rows: Array | None, class_weights: Array | None, smoothing: float, logits: Array) -> Array:
    """Return w_c · ((1 - ε) q_c + ε / C) for labels [n] or targets [n, C], in the logits' type and read-only."""
    assert rows is not None
    n, C = logits.shape
    if rows.ndim == 2:
        if smoothing == 0.0 and class_weights is None:
            return same_type(rows, logits.dtype)
        q = (1.0 - smoothing) * rows.astype(np.float64) + smoothing / C
    else:
        q = np.full((n, C), smoothing / C)
        q[np.arange(n), rows] += 1.0 - smoothing
    return same_type(q if class_weights is None else q * class_weights, logits.dtype)
