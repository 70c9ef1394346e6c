"""How a value whose gradients are known in forward joins PyTorch's graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from logitkit.checks import input_error, option_error

__all__ = ["check_tensor", "constant", "loss_of", "refuse_legacy", "result_dtype", "wide", "with_gradients"]

# Given which inputs want a gradient, return the value and a gradient for each of these: of a number, or of the sum of
# an array whose axes are the first axes of the gradient.
Compute = Callable[[tuple[bool, ...]], tuple[Tensor, list[Tensor]]]


class _Known(torch.autograd.Function):
    """A value with the gradients that were computed along with it."""

    @staticmethod
    def forward(ctx: Any, compute: Compute, *inputs: Tensor) -> Tensor:
        value, grads = compute(ctx.needs_input_grad[1:])
        ctx.dtypes = [tensor.dtype for tensor in inputs]
        ctx.save_for_backward(*grads)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        known = iter(ctx.saved_tensors)
        wants = ctx.needs_input_grad[1:]
        pairs = zip(wants, ctx.dtypes, strict=True)
        return None, *(_scaled(next(known), upstream, dtype) if want else None for want, dtype in pairs)


def with_gradients(compute: Compute, *inputs: Tensor) -> Tensor:
    """Return the value of `compute`, as a function of the inputs if one of them requires a gradient."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
        return _Known.apply(compute, *inputs)
    with torch.no_grad():
        return compute((False,) * len(inputs))[0]


def loss_of(function: Callable[..., Any], logits: Tensor, *args: Any, **options: Any) -> Tensor:
    """Return what a loss of `ops` gives for logits, which alone take a gradient."""

    def compute(wants: tuple[bool, ...]) -> tuple[Tensor, list[Tensor]]:
        if not wants[0]:
            return function(logits, *args, **options).to(result_dtype(logits)), []
        z = wide(logits, True)
        # Classes that are not last stay where they are: a gradient laid out as the input needs no copy in backward.
        buffer = None if z.is_contiguous() else torch.empty_like(z)
        loss, grad = function(z, *args, **options, grad=True, grad_out=buffer)
        return loss.to(result_dtype(logits)), [grad]

    return with_gradients(compute, logits)


def _scaled(grad: Tensor, upstream: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a known gradient times the upstream one: in its own memory, unless a kept graph needs it again."""
    if upstream.ndim:
        upstream = upstream.reshape(upstream.shape + (1,) * (grad.ndim - upstream.ndim))
    if _graph_is_kept():
        grad = grad * upstream
    elif upstream.ndim or float(upstream) != 1.0:
        grad = grad.mul_(upstream)
    return grad.to(dtype)


def _graph_is_kept() -> bool:
    """Whether backward may run once more over this graph; True where PyTorch does not tell."""
    ask = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return True if ask is None else bool(ask())


def result_dtype(tensor: Tensor) -> torch.dtype:
    """Return the type of a loss: the logits', or float32 at least under autocast, as PyTorch has it."""
    if tensor.dtype.itemsize < 4 and torch.is_autocast_enabled("cpu"):
        return torch.float32
    return tensor.dtype


def wide(tensor: Tensor, wants_grad: bool) -> Tensor:
    """Return what a gradient is computed from: float16 goes to float32, since a mean's gradient is below its range.

    It comes back into range only when backward multiplies it by the loss scale that training in float16 uses.
    """
    return tensor.float() if wants_grad and tensor.dtype == torch.float16 else tensor


def check_tensor(tensor: Any, name: str, function: str) -> Tensor:
    """Return a tensor of real numbers."""
    if not isinstance(tensor, torch.Tensor):
        raise input_error(name, function, "a tensor", type(tensor).__name__)
    if not tensor.is_floating_point():
        raise input_error(name, function, "a tensor of floating-point numbers", str(tensor.dtype))
    return tensor


def constant(tensor: Any, name: str, function: str) -> Any:
    """Return what takes no gradient here, and says so where one is asked for."""
    if torch.is_grad_enabled() and isinstance(tensor, torch.Tensor) and tensor.requires_grad:
        raise input_error(name, function, "free of gradients, by .detach()", "a tensor that requires one")
    return tensor


def refuse_legacy(function: str, **options: Any) -> None:
    """Refuse the arguments that PyTorch deprecated and keeps only for their places."""
    for name, value in options.items():
        if value is not None:
            raise option_error(name, function, "left at None; 'reduction' says the same", value)
