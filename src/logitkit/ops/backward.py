"""The backward functions of the softmax family: from the gradient by a result to the gradient by the logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import as_logits, as_out, as_temperature, check_axis, input_error
from logitkit.kernels.backward import log_softmax_backward_block, scale_rows_block, softmax_backward_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._rows import Array
from logitkit.ops._together import map_together
from logitkit.ops.softmax import softmax

__all__ = ["log_softmax_backward", "logsumexp_backward", "softmax_backward"]


@returns_callers_kind
def softmax_backward(
    grad_probs: Any, probs: Any, *, axis: int = -1, temperature: Any = 1.0, grad_out: Array | None = None
) -> Array:
    r"""Return the gradient by the logits, given that by the probabilities which `softmax` made of them.

    .. math:: \frac{\partial \ell}{\partial z_c} = \frac{p_c}{T} \left( g_c - \sum_j g_j \, p_j \right)

    Args:
        grad_probs: g, of the shape of `probs`.
        probs: what `softmax` returned; types as there.
        axis: the axis of the classes.
        temperature: that of `softmax`: a number, or one for each row in the shape without `axis`.
        grad_out: a buffer of the result's shape and type; may be `grad_probs` or `probs` itself.

    Returns:
        The gradient, of the shape and type of `probs`; each row sums to 0. Sums are float64. A class of probability 0,
        masked or not, gets 0, whatever its g is. NaN in a row gives NaN.

    Raises:
        InputError: if the shapes disagree, or there is no class, or a buffer or a row's temperature does not fit.
        OptionError: if `axis` or `temperature` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> probs = ops.softmax([2.0, 1.0, 0.1])
        >>> ops.softmax_backward([1.0, 0.0, 0.0], probs).round(2).tolist()
        [0.22, -0.16, -0.06]

    References:
        Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """
    return _backward(softmax_backward_block, grad_probs, probs, "probs", axis, temperature, grad_out)


@returns_callers_kind
def log_softmax_backward(
    grad_log_probs: Any, log_probs: Any, *, axis: int = -1, temperature: Any = 1.0, grad_out: Array | None = None
) -> Array:
    r"""Return the gradient by the logits, given that by the log-probabilities which `log_softmax` made of them.

    .. math:: \frac{\partial \ell}{\partial z_c} = \frac{1}{T} \left( g_c - p_c \sum_j g_j \right)

    Args:
        grad_log_probs: g, of the shape of `log_probs`.
        log_probs: what `log_softmax` returned; types as there.
        axis: the axis of the classes.
        temperature: that of `log_softmax`, as for `softmax_backward`.
        grad_out: a buffer of the result's shape and type; may be `grad_log_probs` or `log_probs` itself.

    Returns:
        The gradient, of the shape and type of `log_probs`; each row sums to 0. Sums are float64. NaN in a row gives
        NaN.

    Raises:
        InputError: as `softmax_backward`.
        OptionError: as `softmax_backward`.

    Example:
        >>> from logitkit import ops
        >>> log_probs = ops.log_softmax([2.0, 1.0, 0.1])
        >>> ops.log_softmax_backward([-1.0, 0.0, 0.0], log_probs).round(2).tolist()
        [-0.34, 0.24, 0.1]
    """
    return _backward(log_softmax_backward_block, grad_log_probs, log_probs, "log_probs", axis, temperature, grad_out)


@returns_callers_kind
def logsumexp_backward(
    grad_values: Any, logits: Any, *, axis: int = -1, temperature: Any = 1.0, grad_out: Array | None = None
) -> Array:
    r"""Return the gradient by the logits, given that by their `logsumexp`: its share of the softmax.

    .. math:: \frac{\partial \ell}{\partial z_c} = \frac{g}{T} \, \mathrm{softmax}(z / T)_c

    Args:
        grad_values: g, of the logits' shape without `axis`.
        logits: what `logsumexp` was given; types as there.
        axis: the axis of the classes.
        temperature: that of `logsumexp`, as for `softmax_backward`.
        grad_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        The gradient, of the logits' shape and type. Rows with infinite logits or NaN have the probabilities that
        `softmax` gives them, and where such a probability is 0, so is the gradient.

    Raises:
        InputError: as `softmax_backward`.
        OptionError: as `softmax_backward`.

    Example:
        >>> from logitkit import ops
        >>> ops.logsumexp_backward(1.0, [2.0, 1.0, 0.1]).round(2).tolist()
        [0.66, 0.24, 0.1]
    """
    name = "logsumexp_backward"
    array = as_logits(logits, name, axis=axis)
    axis = check_axis(axis, array.ndim, name)
    shape = array.shape[:axis] + array.shape[axis + 1 :]
    grads = as_logits(to_numpy(grad_values, "grad_values", name)[..., None], name, name="grad_values")
    if grads.shape[:-1] != shape:
        found = f"the shape {list(grads.shape[:-1])}"
        raise input_error("grad_values", name, f"of the shape {list(shape)}, one for each row of logits", found)
    divisor = as_temperature(temperature, shape, name)
    out = as_out(grad_out, array.shape, _native(array), "grad_out", name)
    factors = grads[..., 0].astype(np.float64) / divisor
    rows = [factors] if isinstance(divisor, float) else [factors, divisor]

    def work(block: Array, factors: Array, *rest: Array) -> None:
        *divisors, block_out = rest
        of_rows: Any = divisors[0] if divisors else divisor
        softmax(block, temperature=of_rows, probs_out=block_out)
        scale_rows_block(block_out, factors)

    map_together([array], rows, axis, out, work)
    return out


def _backward(kernel: Any, grads: Any, results: Any, name: str, axis: int, temperature: Any, grad_out: Any) -> Array:
    """Return the gradient by the logits that a kernel of `kernels.backward` makes of two arrays."""
    function = f"{'log_' * (name == 'log_probs')}softmax_backward"
    array = as_logits(results, function, axis=axis, name=name)
    axis = check_axis(axis, array.ndim, function)
    given = as_logits(grads, function, axis=axis, name=f"grad_{name}")
    if given.shape != array.shape:
        found = f"the shape {list(given.shape)}"
        raise input_error(f"grad_{name}", function, f"of the shape of '{name}', {list(array.shape)}", found)
    divisor = as_temperature(temperature, array.shape[:axis] + array.shape[axis + 1 :], function)
    out = as_out(grad_out, array.shape, _native(array), "grad_out", function)
    one_scale = read_only(np.array([1.0 / divisor])) if isinstance(divisor, float) else None

    def work(grads: Array, results: Array, *rest: Array) -> None:
        *scales, block_out = rest
        kernel(grads, results, scales[0] if one_scale is None else one_scale, block_out)

    map_together([given, array], [] if isinstance(divisor, float) else [1.0 / divisor], axis, out, work)
    return out


def _native(array: Array) -> np.dtype[Any]:
    """Return the array's type in the byte order of this machine."""
    return array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
