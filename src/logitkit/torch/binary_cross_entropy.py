"""Binary cross-entropy with PyTorch's arguments."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from logitkit import ops
from logitkit.checks import check_choice, input_error
from logitkit.torch.autograd import check_tensor, constant, refuse_legacy, result_dtype, wide, with_gradients

__all__ = ["binary_cross_entropy_with_logits"]

_NAME = "binary_cross_entropy_with_logits"


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return what `torch.nn.functional.binary_cross_entropy_with_logits` returns, its gradient from the same pass.

    Formula, precision and infinite logits are those of `logitkit.ops.binary_cross_entropy`.

    Args:
        input: logits of any shape, in CPU memory.
        target: of the input's shape, in [0, 1].
        weight: stretches to the input's shape; finite, at least 0. It multiplies losses and leaves the divisor alone.
        size_average: deprecated in PyTorch; None.
        reduce: deprecated in PyTorch; None.
        reduction: "mean" divides by the number of elements, "sum" adds up, "none" keeps a loss for each element.
        pos_weight: what a target of 1 weighs against one of 0: one number, or one for each place along one axis.

    Returns:
        The loss, of the input's type (float32 at least under autocast).

    Raises:
        InputError: if shapes disagree, a target is not in [0, 1], or anything but `input` requires a gradient.
        OptionError: if an option is out of its range.

    Example:
        >>> import torch
        >>> from logitkit.torch import binary_cross_entropy_with_logits
        >>> logits = torch.tensor([2.0, -1.0, 0.1], requires_grad=True)
        >>> binary_cross_entropy_with_logits(logits, torch.tensor([1.0, 0.0, 1.0])).backward()
        >>> logits.grad.round(decimals=2)
        tensor([-0.0400,  0.0900, -0.1600])
    """
    refuse_legacy(_NAME, size_average=size_average, reduce=reduce)
    check_choice(reduction, ("mean", "sum", "none"), "reduction", _NAME)
    logits, target = check_tensor(input, "input", _NAME), constant(target, "target", _NAME)
    given: dict[str, Any] = {"reduction": reduction}
    if constant(weight, "weight", _NAME) is not None:
        given["sample_weights"] = _stretched(weight, logits, "weight")
    axis = -1
    if constant(pos_weight, "pos_weight", _NAME) is not None:
        axis, given["positive_weights"] = _along_one_axis(pos_weight, logits)
    if logits.shape != getattr(target, "shape", None):
        found = f"the shape {list(getattr(target, 'shape', []))}"
        raise input_error("target", _NAME, f"of the input's shape {list(logits.shape)}", found)
    if logits.ndim == 0:
        logits, target = logits[None], target[None]
    elif axis != -1:
        logits, target = logits.movedim(axis, -1), target.movedim(axis, -1)
        given = {name: _moved(value, axis, logits.ndim) for name, value in given.items()}
    share = 1.0
    if weight is not None and reduction == "mean":
        share, given["reduction"] = 1.0 / max(1, logits.numel()), "sum"

    def compute(wants: tuple[bool, ...]) -> tuple[Tensor, list[Tensor]]:
        if not wants[0]:
            return (share * ops.binary_cross_entropy(logits, target, **given)).to(result_dtype(logits)), []
        loss, grad = ops.binary_cross_entropy(wide(logits, True), target, **given, grad=True)
        return (share * loss).to(result_dtype(logits)), [grad if share == 1.0 else grad.mul_(share)]

    value = with_gradients(compute, logits)
    if reduction == "none":
        return value.movedim(-1, axis) if input.ndim else value[0]
    return value


def _stretched(weight: Any, logits: Tensor, name: str) -> Tensor:
    """Return a weight for each element."""
    try:
        return check_tensor(weight, name, _NAME).expand(logits.shape if logits.ndim else (1,))
    except RuntimeError:
        found = f"the shape {list(weight.shape)}"
        raise input_error(name, _NAME, f"of a shape that stretches to {list(logits.shape)}", found) from None


def _along_one_axis(pos_weight: Any, logits: Tensor) -> tuple[int, Any]:
    """Return the axis of the input, from the end, along which positive weights differ, and the weights."""
    _stretched(pos_weight, logits, "pos_weight")
    if pos_weight.numel() == 1:
        return -1, pos_weight.item()
    long = [axis - pos_weight.ndim for axis, length in enumerate(pos_weight.shape) if length > 1]
    if len(long) > 1:
        found = f"the shape {list(pos_weight.shape)}"
        raise input_error("pos_weight", _NAME, "of a shape with one axis of more than 1", found)
    return long[0] if long else -1, pos_weight.reshape(-1)


def _moved(value: Any, axis: int, ndim: int) -> Any:
    """Return an array of the logits' shape with its axis moved last; the rest as it is."""
    return value.movedim(axis, -1) if isinstance(value, Tensor) and value.ndim == ndim > 1 else value
