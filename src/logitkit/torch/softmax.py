"""Softmax, log-softmax and logsumexp in PyTorch's graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor, dtype
from torch.autograd.function import Function, once_differentiable

from logitkit import ops
from logitkit.torch.autograd import check_tensor, constant

__all__ = ["log_softmax", "logsumexp", "softmax"]


def softmax(input: Tensor, dim: int, dtype: dtype | None = None, *, temperature: Any = 1.0) -> Tensor:
    """Return what `torch.softmax` returns, of the input divided by a temperature.

    Precision, infinite logits and NaN are those of `logitkit.ops.softmax`; a row of -inf is uniform, not NaN.

    Args:
        input: logits of one dimension or more, in CPU memory.
        dim: the axis of the classes.
        dtype: the type that the input is cast to first.
        temperature: divides the logits; greater than 0, and constant: nothing is learned about it here.

    Raises:
        InputError: if the input is no tensor of floating-point numbers, or has no class.
        OptionError: if `dim` or `temperature` is out of its range.

    Example:
        >>> import torch
        >>> from logitkit.torch import softmax
        >>> softmax(torch.tensor([2.0, 1.0, 0.1]), dim=-1).round(decimals=2)
        tensor([0.6600, 0.2400, 0.1000])
    """
    return _apply(_Softmax, "softmax", input, dim, dtype, temperature)


def log_softmax(input: Tensor, dim: int, dtype: dtype | None = None, *, temperature: Any = 1.0) -> Tensor:
    """Return what `torch.log_softmax` returns, of the input divided by a temperature.

    Arguments and errors are those of `softmax`, precision that of `logitkit.ops.log_softmax`.

    Example:
        >>> import torch
        >>> from logitkit.torch import log_softmax
        >>> log_softmax(torch.tensor([0.0, -1000.0]), dim=-1)
        tensor([    0., -1000.])
    """
    return _apply(_LogSoftmax, "log_softmax", input, dim, dtype, temperature)


def logsumexp(input: Tensor, dim: int, keepdim: bool = False, *, temperature: Any = 1.0) -> Tensor:
    """Return what `torch.logsumexp` returns for one axis, of the input divided by a temperature.

    Arguments and errors are those of `softmax`; `keepdim` keeps the axis, of length 1.

    Example:
        >>> import torch
        >>> from logitkit.torch import logsumexp
        >>> round(logsumexp(torch.tensor([1000.0, 1000.0]), dim=-1).item(), 2)
        1000.69
    """
    values = _apply(_Logsumexp, "logsumexp", input, dim, None, temperature)
    return values.unsqueeze(dim) if keepdim else values


def _apply(function: Any, name: str, input: Any, dim: int, dtype: Any, temperature: Any) -> Tensor:
    """Check what PyTorch's graph has to know, cast, and call."""
    logits = check_tensor(input if dtype is None or not isinstance(input, Tensor) else input.to(dtype), "input", name)
    return function.apply(logits, dim, constant(temperature, "temperature", name))


class _Softmax(Function):
    """Needs its probabilities again in backward."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, dim: int, temperature: Any) -> Tensor:
        probs = ops.softmax(logits, axis=dim, temperature=temperature)
        ctx.save_for_backward(probs)
        ctx.options = {"axis": dim, "temperature": temperature}
        return probs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ops.softmax_backward(grad, *ctx.saved_tensors, **ctx.options), None, None


class _LogSoftmax(Function):
    """Needs its log-probabilities again in backward."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, dim: int, temperature: Any) -> Tensor:
        log_probs = ops.log_softmax(logits, axis=dim, temperature=temperature)
        ctx.save_for_backward(log_probs)
        ctx.options = {"axis": dim, "temperature": temperature}
        return log_probs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ops.log_softmax_backward(grad, *ctx.saved_tensors, **ctx.options), None, None


class _Logsumexp(Function):
    """Needs its logits again in backward."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, dim: int, temperature: Any) -> Tensor:
        ctx.save_for_backward(logits)
        ctx.options = {"axis": dim, "temperature": temperature}
        return ops.logsumexp(logits, axis=dim, temperature=temperature)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ops.logsumexp_backward(grad, *ctx.saved_tensors, **ctx.options), None, None
