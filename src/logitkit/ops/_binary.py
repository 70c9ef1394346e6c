"""What binary cross-entropy and binary focal loss share: a target for each logit, weights, blocks, a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import as_weights, check_choice, input_error
from logitkit.kernels.binary import binary_scratch
from logitkit.ops._losses import REDUCTIONS, grad_buffer, map_loss_blocks, mean_divisor, same_type
from logitkit.ops._rows import Array

__all__ = ["binary_losses"]


def binary_losses(
    kernel: Any,
    options: Callable[[int], tuple[Any, ...]],
    array: Array,
    targets: Any,
    function: str,
    *,
    repeats: bool,
    by_class: Array | None,
    sample_weights: Any,
    reduction: str,
    grad: bool,
    grad_out: Any,
) -> Any:
    """Return the reduced losses of all elements, and the gradient on request.

    `kernel` is one of `kernels.binary`; `options(width)` are its arguments between targets and weights for rows of
    `width` logits. That is C where anything repeats from row to row, as `repeats` says of the options, and else 1.
    """
    check_choice(reduction, REDUCTIONS, "reduction", function)
    y = _as_binary_targets(targets, array.shape, function)
    weights, total = _as_element_weights(sample_weights, array, by_class, function)
    by_row = weights is not None and weights.size != array.size
    width = array.shape[-1] if repeats or by_row else 1
    bound = options(width)
    out = grad_buffer(array, grad, grad_out, function)
    if out is not None and np.may_share_memory(array, out):
        _refuse_outside(y, function)
    divisor = mean_divisor(total, reduction)
    losses = np.empty(array.size if reduction == "none" else 0)
    y_rows = y.reshape(-1, width)
    per_row = 0 if weights is None else weights.size * width // max(1, array.size)

    def work(start: int, stop: int, block: Array, block_grad: Array) -> tuple[float, int]:
        target = same_type(y_rows[start:stop], block.dtype)
        own = np.empty(0) if weights is None else weights[start * per_row : stop * per_row]
        own_losses = losses[start * width : stop * width] if losses.size else losses
        result: tuple[float, int] = kernel(
            read_only(block.reshape(-1)),
            target.reshape(-1),
            *bound,
            read_only(own),
            width,
            1.0 / divisor,
            binary_scratch(width),
            own_losses,
            block_grad.reshape(-1),
        )
        return result

    results = map_loss_blocks(array, out, width, work)
    if sum(outside for _, outside in results):
        _refuse_outside(y, function)
    loss: Any = losses.reshape(array.shape) if reduction == "none" else float(np.sum([s for s, _ in results])) / divisor
    return loss if out is None else (loss, out)


def _as_binary_targets(targets: Any, shape: tuple[int, ...], function: str) -> Array:
    """Return targets of the logits' shape, in the type they came in; whether they are in [0, 1] the kernel will see."""
    array = to_numpy(targets, "targets", function)
    if array.dtype.kind not in "iubf" and array.dtype.name != "bfloat16":
        raise input_error("targets", function, "numbers", array.dtype.name)
    if array.shape != shape:
        raise input_error("targets", function, f"of the logits' shape {list(shape)}", f"the shape {list(array.shape)}")
    return array


def _refuse_outside(targets: Array, function: str) -> None:
    """Raise if a target is not in [0, 1]."""
    flat = targets.reshape(-1)
    wrong = ~((flat >= 0) & (flat <= 1))
    if wrong.any():
        at = int(np.argmax(wrong))
        place = ", ".join(str(int(i)) for i in np.unravel_index(at, targets.shape))
        raise input_error("targets", function, "in [0, 1]", f"{flat[at]} at [{place}]")


def _as_element_weights(values: Any, array: Array, by_class: Array | None, function: str) -> tuple[Array | None, float]:
    """Return sample weights, one for each row or one for each element, and the sum of the weights of all elements."""
    C = array.shape[-1]
    classes = float(C) if by_class is None else float(np.sum(by_class))
    if values is None:
        return None, array.size // C * classes
    given = to_numpy(values, "sample_weights", function)
    by_element = given.ndim == array.ndim
    weights = as_weights(given, array.shape if by_element else array.shape[:-1], "sample_weights", function).reshape(-1)
    if not by_element:
        return weights, float(np.sum(weights)) * classes
    if by_class is None:
        return weights, float(np.sum(weights))
    return weights, float(np.sum(weights.reshape(-1, C) @ by_class))
