"""How much is an input unlike what the model knows? Outlier scores from logits; `outlier_rule` has the thresholds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import ops
from logitkit.arrays import compute_dtype
from logitkit.checks import as_logits, check_choice, check_temperature, input_error, option_error
from logitkit.errors import InputError
from logitkit.kernels import split

__all__ = ["OUTLIER_METHODS", "measure_outliers", "outlier_scores"]

OUTLIER_METHODS = ("energy", "probability", "logit", "entropy", "margin")

_BLOCK = 2**22  # logits that are held in another type at a time
_WITHOUT_TEMPERATURE = ("logit", "margin")
_FEW_ROWS = 10  # fewer rows may have an energy of 0 by chance

Array = NDArray[Any]


def outlier_scores(logits: Any, *, method: str = "energy", temperature: float = 1.0) -> NDArray[np.float64]:
    """Return one number a row, the larger the more the input is unlike what the model knows.

    With p = softmax(z / T):

    - "energy": -T log sum_c exp(z_c / T). Liu, Wang, Owens, Li, "Energy-based out-of-distribution detection", 2020.
    - "probability": -log max_c p_c. It orders rows as 1 - max p does, which is 1 - exp(-score), and keeps rows apart
      that are so certain that 1 - max p rounds to 0. Hendrycks, Gimpel, "A baseline for detecting misclassified and
      out-of-distribution examples in neural networks", 2017.
    - "logit": -max_c z_c. Hendrycks et al., "Scaling out-of-distribution detection for real-world settings", 2022.
    - "entropy": -sum_c p_c log p_c.
    - "margin": the second largest z less the largest.

    "energy" and "logit" depend on what a model adds to a whole row, and log-probabilities have lost it: their energy is
    0 in every row, which is an error here, and their "logit" is their "probability".

    Args:
        logits: `[N, C]`, any real numbers and infinities; float16 computes in float32, integers in float64.
        method: one of `OUTLIER_METHODS`.
        temperature: T, greater than 0; "logit" and "margin" take none, since it would not change their order.

    Returns:
        `[N]` float64, never NaN: a logit of +inf has the least energy, -inf; all -inf has the most, +inf.

    Raises:
        InputError: if `logits` is not `[N, C]` numbers, has a NaN, whose row is named, or, with "energy", if
            there are 10 rows or more, not all alike, whose energies are all within 1e-3 of 0 (0.03 in 16-bit types):
            those are log-probabilities.
        OptionError: if `method` is unknown or `temperature` is out of range.

    Example:
        >>> from logitkit.trust.outliers import outlier_scores
        >>> outlier_scores([[9.0, 1.0, 0.0], [1.0, 1.0, 0.0]]).round(3).tolist()
        [-9.0, -1.862]
    """
    return measure_outliers(logits, method, temperature, "outlier_scores")


def _probability(block: Array, T: float) -> Array:
    """Return -log of the largest probability. The loss of the arg max keeps the digits of what certainty lacks."""
    best = ops.argmax(block)
    if T != 1.0:
        top = _at(block, best)[:, None].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            block = np.where(block == top, 0.0, block - top) / T  # what ties at an infinity shares the row
    losses: Array = ops.cross_entropy(block, best, reduction="none")
    return losses


def _at(block: Array, classes: NDArray[np.intp]) -> Array:
    return np.take_along_axis(block, classes[:, None], axis=1)[:, 0]


def _largest(block: Array) -> Array:
    return _at(block, ops.argmax(block))


_FORMULAS: dict[str, Callable[[Array, float], Array]] = {
    "energy": lambda block, T: ops.energy(block, temperature=T),
    "probability": _probability,
    "logit": lambda block, _T: -_largest(block),
    "entropy": lambda block, T: ops.entropy(block, temperature=T),
    "margin": lambda block, _T: -ops.margin(block),
}


def measure_outliers(logits: Any, method: str, temperature: float, function: str) -> NDArray[np.float64]:
    """Return `outlier_scores`; errors name `function`."""
    formula = _FORMULAS[check_choice(method, OUTLIER_METHODS, "method", function)]
    T = check_temperature(temperature, function)
    if T != 1.0 and method in _WITHOUT_TEMPERATURE:
        raise option_error("temperature", function, f"1 with method {method!r}, whose order it cannot change", T)
    z = as_logits(logits, function, ndim=2)
    N, C = z.shape
    scores = np.empty(N)
    for start, stop in split(N, _BLOCK // C):
        scores[start:stop] = formula(np.ascontiguousarray(z[start:stop], compute_dtype(z.dtype)), T)
    nan = np.isnan(scores)
    if nan.any():
        raise input_error("logits", function, "free of NaN", f"NaN in row {int(np.argmax(nan))}")
    if method == "energy" and N >= _FEW_ROWS:
        within = 0.03 if z.dtype.itemsize == 2 else 1e-3
        if abs(scores).max() < within and np.ptp(_largest(np.ascontiguousarray(z, compute_dtype(z.dtype)))) > 0.0:
            raise InputError(
                f"The 'logits' of {function} must not be log-probabilities where the method is 'energy', which is 0 in "
                f"every row of them; 'probability', 'entropy' and 'margin' still work."
            )
    return scores
