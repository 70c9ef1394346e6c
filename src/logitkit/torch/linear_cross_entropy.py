"""The cross-entropy of a linear layer with PyTorch's arguments, without the logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, float16
from torch.autograd.function import Function, once_differentiable

from logitkit import ops
from logitkit.checks import check_choice, option_error
from logitkit.torch.autograd import check_tensor, constant, with_gradients

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
    check_choice(reduction, ("mean", "sum", "none"), "reduction", _NAME)
    layers = [check_tensor(input, "input", _NAME), check_tensor(linear_weight, "linear_weight", _NAME)]
    if linear_bias is not None:
        layers.append(check_tensor(linear_bias, "linear_bias", _NAME))
    ignored = -100 if ignore_index is None else ignore_index
    given: dict[str, Any] = {"label_smoothing": label_smoothing, "z_loss": z_loss, "soft_cap": soft_cap}
    given.update(labels=target, ignore_index=ignored)
    if weight is not None:
        if label_smoothing:
            raise option_error("label_smoothing", _NAME, "0 where 'weight' is given", label_smoothing)
        kept = target != ignored
        given["sample_weights"] = constant(weight, "weight", _NAME)[target.where(kept, 0)].where(kept, 0.0)

    def compute(wants: tuple[bool, ...]) -> tuple[Tensor, list[Tensor]]:
        loss, grads = _loss_and_grads(layers, given, reduction, wants)
        return loss.to(input.dtype), grads

    if reduction == "none":
        return _PerToken.apply(given, *layers)
    return with_gradients(compute, *layers)


def _loss_and_grads(
    layers: list[Tensor], given: dict[str, Any], reduction: str, wants: tuple[bool, ...]
) -> tuple[Tensor, list[Tensor]]:
    """Return the loss and the gradients that are wanted."""
    hidden, table, *rest = [tensor.float() if tensor.dtype == float16 and any(wants) else tensor for tensor in layers]
    options = {**given, "bias": rest[0] if rest else None, "reduction": reduction}
    if not any(wants):
        return ops.linear_cross_entropy(hidden, table, **options), []
    loss, grads = ops.linear_cross_entropy(hidden, table, **options, grad=True)
    return loss, [grad for grad, want in zip(grads, wants, strict=False) if want]


class _PerToken(Function):
    """A loss for each token. How much each adds to the gradient of the weights is known in backward only."""

    @staticmethod
    def forward(ctx: Any, given: dict[str, Any], *layers: Tensor) -> Tensor:
        ctx.given = given
        ctx.save_for_backward(*layers)
        return _loss_and_grads(list(layers), given, "none", ())[0].to(layers[0].dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        layers, wants = list(ctx.saved_tensors), ctx.needs_input_grad[1:]
        weights = ctx.given.get("sample_weights", 1.0)
        totals: list[Tensor] | None = None
        for sign in (1.0, -1.0):  # weights are not negative; upstream gradients may be
            part = (sign * upstream.double()).clamp(min=0.0)
            if totals is None or part.any():
                given = {**ctx.given, "sample_weights": part * weights}
                grads = _loss_and_grads(layers, given, "sum", wants)[1]
                totals = grads if totals is None else [a - b for a, b in zip(totals, grads, strict=True)]
        known = iter(totals or [])
        pairs = zip(layers, wants, strict=True)
        return None, *(next(known).to(tensor.dtype) if want else None for tensor, want in pairs)
