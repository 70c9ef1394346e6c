"""Sigmoid, log-sigmoid and softplus: what softmax, log-softmax and logsumexp are for two classes, one logit each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logitkit.arrays import to_numpy
from logitkit.checks import as_logits, as_out
from logitkit.kernels.sigmoid import log_sigmoid_block, sigmoid_block, softplus_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._rows import Array, map_rows

__all__ = ["log_sigmoid", "sigmoid", "softplus"]


@returns_callers_kind
def sigmoid(logits: Any, *, probs_out: Array | None = None) -> Any:
    r"""Turn each logit into the probability of its own yes-or-no question.

    .. math:: \sigma(z) = \frac{1}{1 + \exp(-z)}

    It is the softmax of the pair (z, 0): a logit is the logarithm of the odds, log(p / (1 - p)).

    Args:
        logits: any shape, also empty or a single number. float16, bfloat16, float32 or float64; integers and lists
            become float64. NumPy, PyTorch, JAX, memory maps.
        probs_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        Probabilities in [0, 1] of the logits' shape and type, at most 0.6 ulp (float32) or 3 ulp (float64) from the
        exact values, the tiny ones too; float16 and bfloat16 are float32 results, rounded once. A NumPy number for a
        single number. +inf gives 1, -inf gives 0, NaN gives NaN.

    Raises:
        InputError: if `logits` has no numbers, or `probs_out` does not fit it.

    Example:
        >>> from logitkit import ops
        >>> ops.sigmoid([-1000.0, 0.0, 2.0]).round(3).tolist()
        [0.0, 0.5, 0.881]
    """
    return _map_elements(sigmoid_block, logits, probs_out, "probs_out", "sigmoid")


@returns_callers_kind
def log_sigmoid(logits: Any, *, log_probs_out: Array | None = None) -> Any:
    r"""Turn each logit into the logarithm of its sigmoid, also where the probability itself would round to 0 or 1.

    .. math:: \log \sigma(z) = \min(z, 0) - \log(1 + \exp(-|z|))

    Args:
        logits: as for `sigmoid`.
        log_probs_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        Log-probabilities in [-inf, 0] of the logits' shape and type, as precise as those of `sigmoid`, just below 0
        too. -inf gives -inf, +inf gives 0, NaN gives NaN.

    Raises:
        InputError: as `sigmoid`.

    Example:
        >>> from logitkit import ops
        >>> ops.log_sigmoid([-1000.0, 0.0, 50.0]).tolist()
        [-1000.0, -0.6931471805599453, -1.9287498479639178e-22]
    """
    return _map_elements(log_sigmoid_block, logits, log_probs_out, "log_probs_out", "log_sigmoid")


@returns_callers_kind
def softplus(logits: Any, *, values_out: Array | None = None) -> Any:
    r"""Return the smooth form of max(z, 0): what a wrong answer costs, and the negative of log-sigmoid at -z.

    .. math:: \mathrm{softplus}(z) = \log(1 + \exp(z)) = \max(z, 0) + \log(1 + \exp(-|z|))

    Args:
        logits: as for `sigmoid`.
        values_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        Values in [0, inf] of the logits' shape and type, as precise as those of `sigmoid`, just above 0 too. -inf gives
        0, +inf gives +inf, NaN gives NaN.

    Raises:
        InputError: as `sigmoid`.

    Example:
        >>> from logitkit import ops
        >>> ops.softplus([-1000.0, 0.0, 1000.0]).tolist()
        [0.0, 0.6931471805599453, 1000.0]
    """
    return _map_elements(softplus_block, logits, values_out, "values_out", "softplus")


def _map_elements(
    kernel: Callable[[Array, Array], None], logits: Any, buffer: Any, out_name: str, function: str
) -> Any:
    """Apply a kernel to every element. Each is a row of one class, so that blocks do not depend on the shape."""
    array = as_logits(to_numpy(logits, "logits", function)[..., None], function)
    dtype = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    out = as_out(buffer, array.shape[:-1], dtype, out_name, function)
    map_rows(array, array.ndim - 1, out[..., None], lambda z, z_out: kernel(z.reshape(-1), z_out.reshape(-1)))
    return out[()] if buffer is None else out
