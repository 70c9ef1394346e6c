"""How sure a model is, from its logits: margin, entropy, energy. What active learning and outlier detection rank by."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.checks import as_logits, check_axis, check_temperature
from logitkit.kernels.uncertainty import margin_block, margin_scratch, spread_block, tile_for
from logitkit.kinds import returns_callers_kind
from logitkit.ops._rows import Array, map_rows

__all__ = ["energy", "entropy", "margin"]


@returns_callers_kind
def margin(logits: Any, *, axis: int = -1) -> Any:
    """Return by how much the largest logit of each row exceeds the second largest: the log of the odds between the two.

    Of probabilities, `margin(softmax(logits))`, it is what margin sampling in active learning ranks by.

    Args:
        logits: `[C]`, `[N, C]`, any shape with one class or more along `axis`; types as for `softmax`.
        axis: the axis of the classes, which the result does not have.

    Returns:
        Numbers >= 0 of the logits' type; a NumPy number for logits `[C]`. 0 where two or more tie at the largest, be
        they infinite; +inf where there is one class only, or where one side is infinite. NaN in a row gives NaN.

    Raises:
        InputError: if `logits` has no class, no dimension or no numbers.
        OptionError: if `axis` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> ops.margin([[2.0, 1.5, 0.1], [0.0, 3.0, 3.0]]).tolist()
        [0.5, 0.0]

    References:
        Scheffer, Decomain, Wrobel, "Active hidden Markov models for information extraction", 2001.
    """
    array = as_logits(logits, "margin", axis=axis)

    def work(block: Array, margins_out: Array) -> None:
        margin_block(block, margin_scratch(block.shape[1], block.dtype), margins_out)

    return _map(array, check_axis(axis, array.ndim, "margin"), work)


@returns_callers_kind
def entropy(logits: Any, *, axis: int = -1, temperature: float = 1.0) -> Any:
    r"""Return the entropy of the softmax of each row, in nats.

    .. math:: H = -\\sum_c p_c \\log p_c = \\log \\sum_j e^{-d_j} + \\sum_c p_c d_c, \\qquad d_c = (\\max z - z_c) / T

    Computed from the logits: no probability is rounded to 0, and no term is negative, so nothing cancels.

    Args:
        logits: as for `margin`.
        axis: the axis of the classes, which the result does not have.
        temperature: divides the logits; greater than 0.

    Returns:
        Numbers in [0, log C] of the logits' type, relative error 1e-7 (float32) or 1e-15 (float64) however sure the
        row is; a NumPy number for logits `[C]`. A class of logit -inf adds 0. Where the largest logit is infinite, the
        n classes that tie at it share the row: log n, so that one +inf gives 0 and all -inf gives log C. One class
        gives 0, NaN gives NaN.

    Raises:
        InputError: as `margin`.
        OptionError: if `axis` or `temperature` is out of its range.

    Example:
        >>> from logitkit import ops
        >>> ops.entropy([[0.0, 0.0, 0.0], [2.0, 1.0, 0.1]]).round(3).tolist()
        [1.099, 0.847]

    References:
        Shannon, "A mathematical theory of communication", 1948.
    """
    return _spread(logits, axis, temperature, "entropy")


@returns_callers_kind
def energy(logits: Any, *, axis: int = -1, temperature: float = 1.0) -> Any:
    r"""Return the free energy of each row: low for inputs like those of training, higher for others.

    .. math:: E = -T \\log \\sum_c \\exp(z_c / T)

    Args:
        logits: as for `margin`.
        axis: the axis of the classes, which the result does not have.
        temperature: divides the logits; greater than 0.

    Returns:
        Numbers of the logits' type; a NumPy number for logits `[C]`. One class gives its logit, negated. All -inf gives
        +inf, a logit of +inf gives -inf, NaN gives NaN.

    Raises:
        InputError: as `margin`.
        OptionError: as `entropy`.

    Example:
        >>> from logitkit import ops
        >>> ops.energy([[9.0, 1.0, 0.0], [1.0, 1.0, 0.0]]).round(3).tolist()
        [-9.0, -1.862]

    References:
        Liu, Wang, Owens, Li, "Energy-based out-of-distribution detection", 2020, equation 4.
    """
    return _spread(logits, axis, temperature, "energy")


def _spread(logits: Any, axis: int, temperature: float, function: str) -> Any:
    """Return the entropy or the energy: one kernel has the sums of both."""
    array = as_logits(logits, function, axis=axis)
    T = check_temperature(temperature, function)

    def work(block: Array, values_out: Array) -> None:
        spread_block(block, T, function == "energy", tile_for(block.shape[1], block.dtype), values_out)

    return _map(array, check_axis(axis, array.ndim, function), work)


def _map(array: Array, axis: int, work: Any) -> Any:
    """Return a number for each row along `axis`, in the logits' type and this machine's order of bytes."""
    dtype = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    values = np.empty(array.shape[:axis] + array.shape[axis + 1 :], dtype)
    map_rows(array, axis, values, work)
    return values[()]
