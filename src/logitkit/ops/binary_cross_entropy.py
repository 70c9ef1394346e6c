"""Binary cross-entropy computed directly on logits: independent yes-or-no questions, one logit each."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.arrays import read_only
from logitkit.checks import as_logits, as_weights, check_fraction
from logitkit.kernels.binary import binary_cross_entropy_block, piece_length
from logitkit.kinds import returns_callers_kind
from logitkit.ops._binary import binary_losses
from logitkit.ops._rows import Array

__all__ = ["binary_cross_entropy"]

_NAME = "binary_cross_entropy"


@returns_callers_kind
def binary_cross_entropy(
    logits: Any,
    targets: Any,
    *,
    positive_weights: Any = None,
    class_weights: Any = None,
    sample_weights: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return the cross-entropy between targets and the sigmoid of logits, and its gradient on request.

    .. math:: \ell_c = -w_c \left( p_c y_c \log \sigma(z_c) + (1 - y_c) \log \sigma(-z_c) \right), \qquad
              \frac{\partial \ell_c}{\partial z_c} = w_c \left( (1 - y_c) \sigma(z_c) - p_c y_c \sigma(-z_c) \right)

    w are class weights and p positive weights, 1 by default. Label smoothing ε makes y (1 - ε) y + ε / 2.

    Args:
        logits: `[N, C]` for C labels that exclude nothing, or any shape of one dimension or more, as `[N]` for one
            question. Types as for `sigmoid`.
        targets: of the logits' shape, in [0, 1]: booleans, integers or floats.
        positive_weights: a number, or `[C]`: what a target of 1 weighs against one of 0. At least 0.
        class_weights: `[C]`, C being the last axis; finite, at least 0.
        sample_weights: one weight a row, or one an element where a target is not known: finite, at least 0. A weight of
            0 makes an element count for nothing, whatever its logit is.
        label_smoothing: ε in [0, 1].
        reduction: "mean" divides the sum by the sum of weights over all elements (sample weight times class weight;
            positive weights do not count), "sum" adds up, "none" keeps a loss for each element.
        grad: return the gradient too; `grad_out` implies it.
        grad_out: a buffer for the gradient, of the logits' shape and type; may be `logits` itself.

    Returns:
        The loss: a float, or with "none" a float64 array of the logits' shape. With `grad=True`, a pair of it and the
        gradient of the mean or of the sum ("none" too), of the logits' shape and type. Sums are float64. An infinite
        logit on the right side costs 0, on the wrong side +inf; NaN gives NaN. The mean of no elements, or of elements
        that all weigh 0, is 0.0.

        It is PyTorch's `binary_cross_entropy_with_logits`, but for the mean of weighted losses: PyTorch's `weight`
        multiplies, and the sum is divided by the number of elements. Here, as in `cross_entropy`, an integer sample
        weight is the same as repeating the row.

    Raises:
        InputError: if shapes disagree, a target is not in [0, 1], or a weight is negative or not finite. If `targets`
            are at fault, `grad_out` may already have been written, unless it is `logits`.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.binary_cross_entropy([[2.0, -1.0, 0.1]], [[1, 0, 1]], grad=True)
        >>> round(loss, 3), grad.round(2).tolist()
        (0.362, [[-0.04, 0.09, -0.16]])

    References:
        Bishop, "Pattern recognition and machine learning", 2006, equations 4.90 and 4.91.
    """
    array = as_logits(logits, _NAME)
    smoothing = check_fraction(label_smoothing, "label_smoothing", _NAME)
    C = array.shape[-1]
    by_class = None if class_weights is None else as_weights(class_weights, (C,), "class_weights", _NAME)
    positive = None
    if positive_weights is not None:
        shape = () if np.ndim(positive_weights) == 0 else (C,)
        positive = as_weights(positive_weights, shape, "positive_weights", _NAME)

    def options(width: int) -> tuple[Any, ...]:
        M = piece_length(width)
        negatives = np.ones(M) if by_class is None else np.resize(by_class, M)
        positives = negatives if positive is None else negatives * np.resize(positive, M)
        return smoothing, read_only(positives), read_only(negatives)

    return binary_losses(
        binary_cross_entropy_block,
        options,
        array,
        targets,
        _NAME,
        repeats=by_class is not None or (positive is not None and positive.ndim > 0),
        by_class=by_class,
        sample_weights=sample_weights,
        reduction=reduction,
        grad=grad,
        grad_out=grad_out,
    )
