"""Softmax, log-softmax and logsumexp of logits of any shape, along any axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_logits, as_mask, as_out, as_temperature
from logitkit.kernels.columns import log_softmax_columns, logsumexp_columns, softmax_columns
from logitkit.kernels.half_rows import log_softmax_halves, softmax_halves
from logitkit.kernels.row_scales import log_softmax_scaled, logsumexp_scaled, softmax_scaled
from logitkit.kernels.softmax import log_softmax_block, logsumexp_block, softmax_block
from logitkit.kinds import returns_callers_kind
from logitkit.ops._layouts import Loops, run
from logitkit.ops._rows import Array

__all__ = ["log_softmax", "logsumexp", "softmax"]

_SOFTMAX = Loops(softmax_block, softmax_scaled, softmax_columns, halves=softmax_halves)
_LOG_SOFTMAX = Loops(log_softmax_block, log_softmax_scaled, log_softmax_columns, -np.inf, log_softmax_halves)
_LOGSUMEXP = Loops(logsumexp_block, logsumexp_scaled, logsumexp_columns)


@returns_callers_kind
def softmax(
    logits: Any, *, axis: int = -1, temperature: Any = 1.0, where: Any = None, probs_out: Array | None = None
) -> Array:
    r"""Turn logits into probabilities.

    .. math:: p_c = \frac{\exp(z_c / T)}{\sum_j \exp(z_j / T)}

    The maximum is subtracted first, so no finite logit overflows; each probability is in [0, 1].

    Args:
        logits: `[C]`, `[N, C]`, `[N, T, V]`, any shape with one class or more along `axis`. float16, bfloat16, float32
            or float64; integers and lists become float64. NumPy, PyTorch, JAX, memory maps.
        axis: the axis of the classes.
        temperature: divides the logits; greater than 0 and finite. Above 1 it flattens, below 1 it sharpens. A number,
            or one for each row: an array that stretches to the logits' shape without `axis`.
        where: booleans that stretch to the logits' shape. A class that is False counts as absent: its probability is 0.
        probs_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        Probabilities of the logits' shape and type, at most 1.6 ulp (float32) from the exact values, for any C; float16
        and bfloat16 at most 0.51 of theirs. In float64 the error is 4 ulp, and 1 ulp more for each unit of
        (maximum - logit) / T. Where the largest logit is infinite, the classes that tie at it share the row
        equally (one +inf has 1; all -inf is uniform). NaN in a row gives a row of NaN. A wholly masked row is all 0.

    Raises:
        InputError: if `logits` has no class, no dimension or no numbers, if `where`, `probs_out` or an array of
            temperatures does not fit it, or if one of these temperatures is out of its range.
        OptionError: if `axis` or `temperature` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> ops.softmax([2.0, 1.0, 0.1]).round(2).tolist()
        [0.66, 0.24, 0.1]
        >>> ops.softmax([1000.0, 1001.0]).round(2).tolist()
        [0.27, 0.73]

    References:
        Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """
    array = as_logits(logits, "softmax", axis=axis)
    axis %= array.ndim
    temperature = as_temperature(temperature, array.shape[:axis] + array.shape[axis + 1 :], "softmax")
    out = as_out(probs_out, array.shape, _result_dtype(array), "probs_out", "softmax")
    run(_SOFTMAX, array, axis, temperature, out, _mask(where, array, "softmax"))
    return out


@returns_callers_kind
def log_softmax(
    logits: Any, *, axis: int = -1, temperature: Any = 1.0, where: Any = None, log_probs_out: Array | None = None
) -> Array:
    r"""Turn logits into log-probabilities, without the detour over probabilities that may round to 0.

    .. math:: \log p_c = z_c / T - \log \sum_j \exp(z_j / T)

    Args:
        logits: as for `softmax`.
        axis: the axis of the classes.
        temperature: as for `softmax`.
        where: as for `softmax`; the log-probability of an absent class is -inf.
        log_probs_out: a buffer of the result's shape and type; may be `logits` itself.

    Returns:
        Log-probabilities in [-inf, 0] of the logits' shape and type, at most 1.6 ulp (float32) from the exact values,
        those just below 0 too; in float64 the error is 1e-15, absolute or relative. Infinite logits, NaN and masked
        rows as for `softmax`: one +inf gives 0 there and -inf elsewhere; a wholly masked row is all -inf.

    Raises:
        InputError: as `softmax`.
        OptionError: as `softmax`.

    Example:
        >>> from logitkit import ops
        >>> ops.log_softmax([0.0, -1000.0]).tolist()
        [0.0, -1000.0]
    """
    array = as_logits(logits, "log_softmax", axis=axis)
    axis %= array.ndim
    temperature = as_temperature(temperature, array.shape[:axis] + array.shape[axis + 1 :], "log_softmax")
    out = as_out(log_probs_out, array.shape, _result_dtype(array), "log_probs_out", "log_softmax")
    run(_LOG_SOFTMAX, array, axis, temperature, out, _mask(where, array, "log_softmax"))
    return out


@returns_callers_kind
def logsumexp(logits: Any, *, axis: int = -1, temperature: Any = 1.0, where: Any = None) -> Any:
    r"""Return the logarithm of the sum of the exponentials: what softmax divides by, on the scale of logits.

    .. math:: \log \sum_j \exp(z_j / T)

    Args:
        logits: as for `softmax`.
        axis: the axis of the classes, which the result does not have.
        temperature: as for `softmax`.
        where: as for `softmax`; an absent class adds nothing.

    Returns:
        An array of the logits' type and of their shape without `axis`; a NumPy number for logits `[C]`. All -inf (or
        all masked) gives -inf, one +inf gives +inf, NaN gives NaN.

    Raises:
        InputError: as `softmax`.
        OptionError: as `softmax`.

    Example:
        >>> from logitkit import ops
        >>> round(float(ops.logsumexp([1000.0, 1000.0])), 3)
        1000.693
    """
    array = as_logits(logits, "logsumexp", axis=axis)
    axis %= array.ndim
    shape = array.shape[:axis] + array.shape[axis + 1 :]
    temperature = as_temperature(temperature, shape, "logsumexp")
    out = np.empty(shape, _result_dtype(array))
    run(_LOGSUMEXP, array, axis, temperature, out, _mask(where, array, "logsumexp"))
    return out[()]


def _result_dtype(array: Array) -> np.dtype[Any]:
    """Return the logits' type in the byte order of this machine."""
    return array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")


def _mask(where: Any, array: Array, function: str) -> NDArray[np.bool_] | None:
    """Return the mask at the logits' shape, or None where nothing is masked."""
    return None if where is None else as_mask(where, array.shape, function)
