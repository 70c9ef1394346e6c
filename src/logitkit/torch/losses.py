"""Losses that PyTorch has no name for, with the arguments that they have in `logitkit.ops`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from logitkit import ops
from logitkit.torch.autograd import check_tensor, constant, loss_of

__all__ = ["binary_focal_loss", "distillation_loss", "focal_loss", "kl_divergence"]


def focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Any = None,
    sample_weights: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.focal_loss` of logits `[N, C]`, the classes last, of their type, in PyTorch's graph.

    Example:
        >>> import torch
        >>> from logitkit.torch import focal_loss
        >>> logits = torch.tensor([[2.0, 1.0, 0.1]], requires_grad=True)
        >>> focal_loss(logits, torch.tensor([0])).backward()
        >>> logits.grad.round(decimals=3)
        tensor([[-0.1040,  0.0740,  0.0300]])
    """
    options = {"gamma": gamma, "class_weights": class_weights, "sample_weights": sample_weights}
    return _loss("focal_loss", logits, {"labels": labels}, options, reduction)


def binary_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    sample_weights: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.binary_focal_loss` of logits of any shape, of their type, in PyTorch's graph.

    Example:
        >>> import torch
        >>> from logitkit.torch import binary_focal_loss
        >>> logits = torch.tensor([2.0, -1.0], requires_grad=True)
        >>> binary_focal_loss(logits, torch.tensor([0.0, 1.0]), reduction="sum").backward()
        >>> logits.grad.sign()
        tensor([ 1., -1.])
    """
    options = {"gamma": gamma, "alpha": alpha, "sample_weights": sample_weights}
    return _loss("binary_focal_loss", logits, {"targets": targets}, options, reduction)


def kl_divergence(
    logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    sample_weights: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.kl_divergence` from a teacher's logits, of the logits' type, in PyTorch's graph.

    Example:
        >>> import torch
        >>> from logitkit.torch import kl_divergence
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> kl_divergence(logits, torch.tensor([[100.0, 0.0]])).backward()
        >>> logits.grad
        tensor([[-0.5000,  0.5000]])
    """
    options = {"temperature": temperature, "sample_weights": sample_weights}
    return _loss("kl_divergence", logits, {"teacher_logits": teacher_logits}, options, reduction)


def distillation_loss(
    logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float = 2.0,
    alpha: float = 0.5,
    sample_weights: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return `logitkit.ops.distillation_loss` from a teacher and labels, of the logits' type, in PyTorch's graph.

    Example:
        >>> import torch
        >>> from logitkit.torch import distillation_loss
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> distillation_loss(logits, torch.tensor([[100.0, 0.0]]), torch.tensor([0])).backward()
        >>> logits.grad
        tensor([[-0.7500,  0.7500]])
    """
    options = {"temperature": temperature, "alpha": alpha, "sample_weights": sample_weights}
    given = {"teacher_logits": teacher_logits, "labels": labels}
    return _loss("distillation_loss", logits, given, options, reduction)


def _loss(name: str, logits: Any, given: dict[str, Any], options: dict[str, Any], reduction: str) -> Tensor:
    """Check that only the logits ask for a gradient, and compute."""
    given = {**given, **options}
    for argument, value in given.items():
        constant(value, argument, name)
    return loss_of(getattr(ops, name), check_tensor(logits, "logits", name), **given, reduction=reduction)
