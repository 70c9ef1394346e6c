"""The cross-entropy of a linear layer with PyTorch's arguments, without the logits."""

from __future__ import annotations

from torch import Tensor

from logitkit import ops
from logitkit.checks import option_error
from logitkit.torch.autograd import check_tensor, constant
from logitkit.torch.several import loss_of_several

__all__ = ["linear_cross_entropy"]

_NAME = "linear_cross_entropy"


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
) -> Tensor:
    """Return ``cross_entropy(linear(input, linear_weight, linear_bias), target)`` without ever holding the logits.

    Arguments are those of `torch.nn.functional.linear_cross_entropy` (PyTorch 2.13), without `options`: the chunks are
    chosen by themselves. Formula, memory and precision are those of `logitkit.ops.linear_cross_entropy`.

    Args:
        input: hidden states `[N, D]`, or any shape whose last axis is the width; in CPU memory.
        linear_weight: `[V, D]`.
        target: class indices of the input's shape without its last axis.
        linear_bias: `[V]`.
        weight: `[V]`, a weight for each class, finite, at least 0; not together with label smoothing.
        reduction: "mean", "sum" or "none". With "none" the gradients are computed in backward, as they need the
            upstream gradient of each token.
        ignore_index: a label whose tokens count for nothing; None is -100.
        label_smoothing: in [0, 1].
        z_loss: finite, at least 0: holds the logsumexp near 0.
        soft_cap: c, which makes logits c tanh(z / c); None is no cap.

    Returns:
        The loss, of the input's type; the mean of no tokens is 0.

    Raises:
        InputError: if shapes disagree, a label is out of range, or `weight` requires a gradient.
        OptionError: if an option is out of its range.

    Example:
        >>> import torch
        >>> from logitkit.torch import linear_cross_entropy
        >>> hidden, embedding = torch.eye(2, requires_grad=True), torch.eye(3, 2)
        >>> linear_cross_entropy(hidden, 2 * embedding, torch.tensor([0, 1])).backward()
        >>> hidden.grad.round(decimals=2)
        tensor([[-0.2100,  0.1100],
                [ 0.1100, -0.2100]])
    """
    ignored = -100 if ignore_index is None else ignore_index
    sample_weights = None
    if weight is not None:
        if label_smoothing:
            raise option_error("label_smoothing", _NAME, "0 where 'weight' is given", label_smoothing)
        kept = target != ignored
        sample_weights = constant(weight, "weight", _NAME)[target.where(kept, 0)].where(kept, 0.0)
    return loss_of_several(
        ops.linear_cross_entropy,
        _NAME,
        {
            "hidden": check_tensor(input, "input", _NAME),
            "weights": check_tensor(linear_weight, "linear_weight", _NAME),
            "bias": None if linear_bias is None else check_tensor(linear_bias, "linear_bias", _NAME),
        },
        labels=target,
        sample_weights=sample_weights,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        ignore_index=ignored,
        soft_cap=soft_cap,
        reduction=reduction,
    )
