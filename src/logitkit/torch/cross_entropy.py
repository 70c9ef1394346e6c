"""Cross-entropy with PyTorch's arguments."""

from __future__ import annotations

from typing import Any

from torch import Tensor, is_tensor

from logitkit import ops
from logitkit.checks import option_error
from logitkit.torch.autograd import check_tensor, constant, loss_of, refuse_legacy

__all__ = ["cross_entropy"]

_NAME = "cross_entropy"


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    z_loss: float = 0.0,
) -> Tensor:
    """Return what `torch.nn.functional.cross_entropy` returns, with its gradient computed in the same pass.

    Formula, precision, infinite logits and NaN are those of `logitkit.ops.cross_entropy`.

    Args:
        input: logits `[C]`, `[N, C]` or `[N, C, d1, ...]`, the classes on axis 1; in CPU memory.
        target: class indices of the input's shape without the classes, or probabilities of its shape.
        weight: `[C]`, a weight for each class, finite, at least 0.
        size_average: deprecated in PyTorch; None.
        ignore_index: a label whose rows count for nothing.
        reduce: deprecated in PyTorch; None.
        reduction: "mean", "sum" or "none", as PyTorch defines them.
        label_smoothing: in [0, 1].
        z_loss: at least 0; adds z_loss · logsumexp², which keeps logits from drifting. PyTorch has none.

    Returns:
        The loss, of the input's type (float32 at least under autocast). Unlike in PyTorch the mean of no rows is 0, not
        NaN: a batch whose labels are all ignored does not spoil a model.

    Raises:
        InputError: if shapes disagree, a label is out of range, or `target` or `weight` requires a gradient.
        OptionError: if an option is out of its range.

    Example:
        >>> import torch
        >>> from logitkit.torch import cross_entropy
        >>> logits = torch.tensor([[2.0, 1.0, 0.1]], requires_grad=True)
        >>> cross_entropy(logits, torch.tensor([2])).backward()
        >>> logits.grad.round(decimals=2)
        tensor([[ 0.6600,  0.2400, -0.9000]])
    """
    refuse_legacy(_NAME, size_average=size_average, reduce=reduce)
    logits = check_tensor(input, "input", _NAME)
    target, weight = constant(target, "target", _NAME), constant(weight, "weight", _NAME)
    is_soft = is_tensor(target) and target.is_floating_point()
    if is_soft and ignore_index >= 0:
        raise option_error("ignore_index", _NAME, "negative where targets are probabilities", ignore_index)
    if logits.ndim > 2:
        logits = logits.movedim(1, -1)
        target = target.movedim(1, -1) if is_soft else target
    given: dict[str, Any] = {"targets": target} if is_soft else {"labels": target, "ignore_index": ignore_index}
    given.update(class_weights=weight, label_smoothing=label_smoothing, reduction=reduction, z_loss=z_loss)
    return loss_of(ops.cross_entropy, logits, **given)
