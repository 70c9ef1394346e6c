"""The cross-entropy of a linear layer over a large vocabulary, without ever holding its logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, to_numpy
from logitkit.checks import (
    as_labels,
    as_logits,
    as_out,
    as_weights,
    check_at_least_zero,
    check_choice,
    check_count,
    check_fraction,
    check_temperature,
    input_error,
    option_error,
)
from logitkit.kinds import returns_callers_kind
from logitkit.ops._token_chunks import Gradients, Loss, losses_in_chunks

__all__ = ["LinearGrads", "linear_cross_entropy"]

Array = NDArray[Any]
_NAME = "linear_cross_entropy"


class LinearGrads(NamedTuple):
    """The gradients of a loss of a linear layer, each of the shape and type of its array; `bias` is None without one.

    Example:
        >>> from logitkit import ops
        >>> _, grads = ops.linear_cross_entropy([[1.0, 0.0]], [[2.0, 0.0], [0.0, 2.0]], [0], grad=True)
        >>> grads.weights.round(3).tolist(), grads.bias
        ([[-0.119, 0.0], [0.119, 0.0]], None)
    """

    hidden: Any
    weights: Any
    bias: Any


@returns_callers_kind
def linear_cross_entropy(
    hidden: Any,
    weights: Any,
    labels: Any,
    *,
    bias: Any = None,
    sample_weights: Any = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    ignore_index: int | None = None,
    soft_cap: float | None = None,
    reduction: str = "mean",
    grad: bool = False,
    hidden_grad_out: Array | None = None,
    weights_grad_out: Array | None = None,
    bias_grad_out: Array | None = None,
) -> Any:
    r"""Return the cross-entropy of `hidden @ weights.T + bias`, and its gradients on request, in chunks of tokens.

    .. math:: z = W h + b, \quad z \leftarrow c \tanh(z / c), \quad
              \ell = \mathrm{logsumexp}(z) - \sum_v q_v z_v + \zeta \, \mathrm{logsumexp}(z)^2

    q is 1 - ε at the label and ε / V everywhere more. The logits of all tokens, `[N, V]`, are never held: beside inputs
    and gradients float32 takes at most 64 MB for a vocabulary up to 900,000, and little more time than three products.

    Args:
        hidden: `[N, D]`, or `[B, T, D]`: any shape whose last axis is the width, one or more.
        weights: `[V, D]`, the output embedding, one class or more.
        labels: class indices in [0, V), of hidden's shape without its last axis.
        bias: `[V]`; -inf takes a class out.
        sample_weights: one weight a token, finite, at least 0. A token of weight 0 counts for nothing.
        label_smoothing: ε in [0, 1].
        z_loss: ζ, finite, at least 0: holds the logsumexp near 0.
        ignore_index: a label, in the vocabulary or not, whose tokens count for nothing, whatever their hidden state is.
        soft_cap: c, greater than 0 and finite; None is no cap.
        reduction: "mean" divides the sum by the sum of weights of the tokens that count, "sum" adds up, "none" keeps a
            loss for each token.
        grad: return the gradients too; a buffer for one implies it.
        hidden_grad_out: a buffer of hidden's shape and type.
        weights_grad_out: a buffer of the weights' shape and type.
        bias_grad_out: a buffer of the bias's shape and type.

    Returns:
        The loss: a float, or with "none" a float64 array of the labels' shape, 0 where a token does not count. With
        gradients, a pair of it and `LinearGrads(hidden, weights, bias)`, those of the mean or of the sum ("none" too).
        The mean of no tokens is 0.0, with gradients of 0.

        Products are those of BLAS in float64 if hidden or weights are, else in float32; sums of exponentials are
        float64. float16 and bfloat16 are read tile by tile and gradients are rounded once, for which the sum of the
        weights' gradient takes memory of its own, 4 V D bytes. The number of threads of logitkit changes no bit; that
        of BLAS may. Infinite logits as in `cross_entropy`. NaN in a token gives it the loss NaN and a gradient of NaN,
        and so the whole gradient of the weights, to which it contributes.

    Raises:
        InputError: if shapes disagree, a label is out of range, or a weight is negative or not finite.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> hidden, weights = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
        >>> loss, grads = ops.linear_cross_entropy(hidden, weights, [0, 1], grad=True)
        >>> round(loss, 3), grads.hidden.round(2).tolist()
        (0.24, [[-0.21, 0.11], [0.11, -0.21]])

    References:
        Wijmans et al., "Cut your losses in large-vocabulary language models", 2024. z-loss: Chowdhery et al., "PaLM",
        2022, section 5. Soft cap: Gemma team, "Gemma 2", 2024, section 2.
    """
    states = as_logits(hidden, _NAME, name="hidden")
    table = as_logits(weights, _NAME, ndim=2, name="weights")
    (V, D), shape = table.shape, states.shape[:-1]
    if V == 0:
        raise input_error("weights", _NAME, "of one class or more", f"the shape {list(table.shape)}")
    if states.shape[-1] != D:
        found = f"the shapes {list(states.shape)} and {list(table.shape)}"
        raise input_error("hidden", _NAME, "as wide as the weights", found)
    offset = None if bias is None else as_logits(bias, _NAME, ndim=1, name="bias")
    if offset is not None and offset.shape != (V,):
        raise input_error("bias", _NAME, f"of the shape [{V}]", f"the shape {list(offset.shape)}")
    loss = Loss(
        check_fraction(label_smoothing, "label_smoothing", _NAME),
        check_at_least_zero(z_loss, "z_loss", _NAME),
        0.0 if soft_cap is None else check_temperature(soft_cap, _NAME, "soft_cap"),
    )
    check_choice(reduction, ("mean", "sum", "none"), "reduction", _NAME)
    classes, counts = _labels_that_count(labels, ignore_index, shape, V)
    row_weights = np.ones(classes.size)
    if sample_weights is not None:
        row_weights = as_weights(sample_weights, shape, "sample_weights", _NAME).reshape(-1)
        counts = counts & (row_weights > 0.0)
    buffers = (hidden_grad_out, weights_grad_out, bias_grad_out)
    wants_grad = grad or any(buffer is not None for buffer in buffers)
    if offset is None and bias_grad_out is not None:
        raise option_error("bias_grad_out", _NAME, "None where there is no bias", bias_grad_out)

    N, dtype = classes.size, np.result_type(compute_dtype(states.dtype), compute_dtype(table.dtype))
    counted = None if counts.all() else np.flatnonzero(counts)
    kept = slice(None) if counted is None else counted
    row_weights = row_weights[kept]
    total = float(np.sum(row_weights))
    divisor = total if reduction == "mean" and total > 0.0 else 1.0
    rows, terms = states.reshape(N, D), np.asarray([] if offset is None else offset, dtype=dtype)
    outs: list[Array | None] = [None, None, None]
    grads = None
    if wants_grad:
        inputs = (states, table, offset)
        for i, (name, array, buffer) in enumerate(zip(LinearGrads._fields, inputs, buffers, strict=True)):
            if array is not None:
                outs[i] = as_out(buffer, array.shape, _native(array.dtype), f"{name}_grad_out", _NAME)
        grads = Gradients(
            row_weights / divisor,
            _apart(outs[0], outs[0], inputs).reshape(N, D),
            _apart(outs[1], np.empty(0, dtype), inputs),
            np.empty(0 if offset is None else V),
        )
    losses = np.zeros(N)
    losses[kept] = row_weights * losses_in_chunks(
        rows, table, classes[kept], terms, loss, dtype, counted=counted, grads=grads
    )
    value: Any = losses.reshape(shape) if reduction == "none" else float(np.sum(losses)) / divisor
    if grads is None:
        return value
    filled = (grads.hidden.reshape(states.shape), grads.weights, grads.bias)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for out, result in zip(outs, filled, strict=True):
            if out is not None and not np.may_share_memory(out, result):
                out[...] = result
    return value, LinearGrads(*outs)


def _labels_that_count(labels: Any, ignore_index: Any, shape: tuple[int, ...], V: int) -> tuple[Array, Array]:
    """Return the labels, 0 where they are ignored, and which count; both flat."""
    if ignore_index is None:
        classes = as_labels(labels, shape, V, _NAME).reshape(-1)
        return classes, np.ones(classes.size, np.bool_)
    ignored = check_count(ignore_index, -(2**63), 2**63 - 1, "ignore_index", _NAME)
    array = to_numpy(labels, "labels", _NAME)
    counts = array != ignored
    classes = as_labels(np.where(counts, array, array.dtype.type(0)), shape, V, _NAME)
    return classes.reshape(-1), counts.reshape(-1)


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type in the byte order of this machine."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def _apart(out: Any, like: Any, inputs: tuple[Array | None, ...]) -> Array:
    """Return `out`, or memory of its shape where it has another type, is not contiguous, or is still to be read."""
    read = any(array is not None and np.may_share_memory(out, array) for array in inputs)
    if read or out.dtype != like.dtype or not out.flags.c_contiguous:
        return np.empty(out.shape, like.dtype)
    array: Array = out
    return array
