"""Focal losses: cross-entropies that turn away from what is already right, for classes that are rare."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.checks import as_labels, as_logits, as_weights, check_at_least_zero, check_fraction
from logitkit.kernels.binary import binary_focal_block
from logitkit.kernels.focal import focal_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._binary import binary_losses
from logitkit.ops._losses import as_row_weights, row_losses
from logitkit.ops._rows import Array
from logitkit.ops.cross_entropy import cross_entropy

__all__ = ["binary_focal_loss", "focal_loss"]


@returns_callers_kind
def focal_loss(
    logits: Any,
    labels: Any,
    *,
    gamma: float = 2.0,
    class_weights: Any = None,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return the focal loss of labels under the softmax of logits, and its gradient on request.

    .. math:: \ell = -w_y \, (1 - p_y)^\gamma \log p_y, \qquad
              \frac{\partial \ell}{\partial z_c} = w_y \, (1 - p_y)^\gamma
              \left( 1 - \frac{\gamma \, p_y \log p_y}{1 - p_y} \right) (p_c - [c = y])

    A row that is right with probability 0.9 weighs a hundredth at γ = 2. With γ = 0 it is `cross_entropy`.

    Args:
        logits: `[N, C]`, or `[C]`, `[N, T, V]`: the classes are the last axis. Types as for `softmax`.
        labels: class indices in [0, C), of the logits' shape without the classes.
        gamma: γ, at least 0 and finite; below 1 too.
        class_weights: `[C]`, the α of the paper: finite, at least 0.
        sample_weights: one weight a row, finite, at least 0. A row of weight 0 counts for nothing.
        reduction: "mean" divides the sum by the sum of weights (sample weight times class weight, as `cross_entropy`
            does), "sum" adds up, "none" keeps a loss for each row.
        grad: return the gradient too; `grad_out` implies it.
        grad_out: a buffer for the gradient, of the logits' shape and type; may be `logits` itself.

    Returns:
        The loss: a float, or with "none" a float64 array, one for each row. With `grad=True`, a pair of it and the
        gradient of the mean or of the sum ("none" too), of the logits' shape and type. 1 - p keeps its digits however
        confident the model is. A label of probability 0 costs +inf; NaN in a row gives NaN. The mean of no rows, or of
        rows that all weigh 0, is 0.0.

    Raises:
        InputError: if shapes disagree, a label is out of range, or a weight is negative or not finite.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.focal_loss([[2.0, 1.0, 0.1]], [0], grad=True)
        >>> round(loss, 4), grad.round(3).tolist()
        (0.0485, [[-0.104, 0.074, 0.03]])

    References:
        Lin et al., "Focal loss for dense object detection", 2017.
    """
    name = "focal_loss"
    array = as_logits(logits, name)
    gamma = check_at_least_zero(gamma, "gamma", name)
    C, shape = array.shape[-1], array.shape[:-1]
    y = as_labels(labels, shape, C, name).reshape(-1)
    by_class = None if class_weights is None else as_weights(class_weights, (C,), "class_weights", name)
    factors = as_row_weights(sample_weights, shape, name)
    if by_class is not None:
        factors = by_class[y] if factors is None else by_class[y] * factors

    def work(start: int, stop: int, block: Array, scales: Array, losses_out: Array, block_grad: Array) -> None:
        wants_grad = block_grad.shape[0] > 0
        result = cross_entropy(block, y[start:stop], reduction="none", grad_out=block_grad if wants_grad else None)
        losses_out[:] = result[0] if wants_grad else result
        focal_block(losses_out, y[start:stop], gamma, scales, np.empty((3, stop - start)), block_grad)

    return row_losses(array, name, work, factors=factors, reduction=reduction, grad=grad, grad_out=grad_out)


@returns_callers_kind
def binary_focal_loss(
    logits: Any,
    targets: Any,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
    grad_out: Array | None = None,
) -> Any:
    r"""Return the focal loss of targets under the sigmoid of logits, and its gradient on request.

    .. math:: \ell = -\alpha_t \, (1 - p_t)^\gamma \left( y \log \sigma(z) + (1 - y) \log \sigma(-z) \right), \qquad
              p_t = y \, \sigma(z) + (1 - y) \, \sigma(-z), \qquad \alpha_t = \alpha y + (1 - \alpha)(1 - y)

    Args:
        logits: any shape of one dimension or more. Types as for `sigmoid`.
        targets: of the logits' shape, in [0, 1]: booleans, integers or floats.
        gamma: γ, at least 0 and finite; 0 gives `binary_cross_entropy`, times α_t.
        alpha: α in [0, 1]: what a target of 1 weighs, 1 - α being the weight of one of 0. None weighs both 1.
        sample_weights: one weight a row or one an element, as for `binary_cross_entropy`.
        reduction: "mean" divides the sum by the number of elements, or by the sum of sample weights over all elements;
            "sum" adds up, "none" keeps a loss for each element.
        grad: return the gradient too; `grad_out` implies it.
        grad_out: a buffer for the gradient, of the logits' shape and type; may be `logits` itself.

    Returns:
        The loss, and with `grad=True` its gradient, as for `binary_cross_entropy`. It is torchvision's
        `sigmoid_focal_loss`, whose reduction is "none" by default; here it has a value and a gradient at infinite
        logits, and a gradient for γ < 1, too.

    Raises:
        InputError: as `binary_cross_entropy`.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> loss, grad = ops.binary_focal_loss([2.0, -1.0], [1, 1], reduction="sum", grad=True)
        >>> round(loss, 4), grad.round(3).tolist()
        (0.1759, [-0.001, -0.192])

    References:
        Lin et al., "Focal loss for dense object detection", 2017.
    """
    name = "binary_focal_loss"
    array = as_logits(logits, name)
    gamma = check_at_least_zero(gamma, "gamma", name)
    fraction = None if alpha is None else check_fraction(alpha, "alpha", name)
    balance = (1.0, 1.0) if fraction is None else (fraction, 1.0 - fraction)
    return binary_losses(
        binary_focal_block,
        lambda width: (gamma, *balance),  # noqa: ARG005  (the same for every width)
        array,
        targets,
        name,
        repeats=False,
        by_class=None,
        sample_weights=sample_weights,
        reduction=reduction,
        grad=grad,
        grad_out=grad_out,
    )
