"""Losses that take a gradient by several tensors: embeddings, weights, a bias, a learned temperature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, is_grad_enabled
from torch.autograd.function import Function, once_differentiable

from logitkit.checks import check_choice
from logitkit.torch.autograd import check_tensor, constant, result_dtype, wide, with_gradients

__all__ = ["loss_of_several"]

# Given tensors, weights for each row (None: those that the caller gave), how to reduce, and which gradients are wanted.
Compute = Callable[[tuple[Tensor, ...], Tensor | None, str, tuple[bool, ...]], tuple[Tensor, list[Tensor]]]


def loss_of_several(
    function: Callable[..., Any],
    name: str,
    given: dict[str, Any],
    *,
    reduction: str,
    **options: Any,
) -> Tensor:
    """Return what a loss of `ops` gives for tensors by name, each of which may take a gradient.

    Args:
        function: takes `given`, `options`, `reduction` and `grad`; returns the loss and, on request, a record with a
            gradient for each name, or one gradient alone.
        name: what errors call the function.
        given: its arguments that may take a gradient; numbers and None are passed on.
        reduction: "mean" and "sum" compute gradients in forward. "none" computes them in backward, since they are
            sums over rows, in which each upstream gradient weighs as a sample weight does.
        options: its other arguments.
    """
    check_choice(reduction, ("mean", "sum", "none"), "reduction", name)
    for option, value in options.items():
        constant(value, option, name)
    names = [argument for argument, value in given.items() if isinstance(value, Tensor)]
    tensors = tuple(check_tensor(given[argument], argument, name) for argument in names)
    dtype = result_dtype(tensors[0])

    def compute(
        inputs: tuple[Tensor, ...], weights: Tensor | None, reduction: str, wants: tuple[bool, ...]
    ) -> tuple[Tensor, list[Tensor]]:
        arguments = {**given, **{key: wide(value, any(wants)) for key, value in zip(names, inputs, strict=True)}}
        call = {**options, "reduction": reduction, **({} if weights is None else {"sample_weights": weights})}
        if not any(wants):
            return function(**arguments, **call).to(dtype), []
        loss, grads = function(**arguments, **call, grad=True)
        by_name = {names[0]: grads} if isinstance(grads, Tensor) else grads._asdict()
        wanted = zip(names, inputs, wants, strict=True)
        return loss.to(dtype), [by_name[key].reshape(value.shape) for key, value, want in wanted if want]

    if reduction == "none" and is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return _PerRow.apply(compute, options.get("sample_weights"), *tensors)
    return with_gradients(lambda wants: compute(tensors, None, reduction, wants), *tensors)


class _PerRow(Function):
    """A loss for each row. How much each adds to the gradients is known in backward only."""

    @staticmethod
    def forward(ctx: Any, compute: Compute, weights: Any, *inputs: Tensor) -> Tensor:
        ctx.compute, ctx.weights = compute, weights
        ctx.save_for_backward(*inputs)
        return compute(inputs, None, "none", (False,) * len(inputs))[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        inputs, wants = ctx.saved_tensors, ctx.needs_input_grad[2:]
        totals: list[Tensor] | None = None
        for sign in (1.0, -1.0):  # weights are not negative; upstream gradients may be
            part = (sign * upstream.double()).clamp(min=0.0)
            if totals is None or part.any():
                grads = ctx.compute(inputs, part if ctx.weights is None else part * ctx.weights, "sum", wants)[1]
                totals = grads if totals is None else [a - b for a, b in zip(totals, grads, strict=True)]
        known = iter(totals or [])
        pairs = zip(inputs, wants, strict=True)
        return None, None, *(next(known).to(tensor.dtype) if want else None for tensor, want in pairs)
