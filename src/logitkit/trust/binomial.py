"""What counts of errors say about an error rate: exact binomial probabilities and bounds, and one for mean losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import check_count, option_error

__all__ = [
    "MAX_ROWS",
    "binomial_tail",
    "check_open_fraction",
    "clopper_pearson",
    "error_upper_bound",
    "hoeffding_bentkus",
    "rows_without_error",
]

MAX_ROWS = 2**53


def check_open_fraction(value: Any, name: str, function: str) -> float:
    """Return a number between 0 and 1, neither of them."""
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 < number < 1.0:
        raise option_error(name, function, "greater than 0 and below 1", value)
    return number


def binomial_tail(errors: Any, n: Any, error_rate: float) -> NDArray[np.float64]:
    """Return P(X <= errors) for X ~ Binomial(n, error_rate): the p-value of "the error rate is above `error_rate`".

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.binomial import binomial_tail
        >>> binomial_tail(np.array([0]), np.array([59]), 0.05).round(4).tolist()
        [0.0485]
    """
    from scipy.special import betainc

    rest = np.asarray(n, np.float64) - errors
    tail = betainc(np.maximum(rest, 1.0), np.asarray(errors, np.float64) + 1.0, 1.0 - error_rate)
    return np.asarray(np.where(rest > 0.0, tail, 1.0))


def rows_without_error(error_rate: float, delta: float) -> int:
    """Return how many rows in a row must be right before an error rate above `error_rate` is refused at level `delta`.

    It is the smallest n with (1 - error_rate)^n <= delta.

    Example:
        >>> from logitkit.trust.binomial import rows_without_error
        >>> rows_without_error(0.05, 0.05)
        59
    """
    return max(1, math.ceil(math.log(delta) / math.log1p(-error_rate)))


def error_upper_bound(errors: int, n: int, certainty: float) -> float:
    """Return the Clopper-Pearson upper bound of an error rate: the largest that `errors` in n rows do not refuse.

    With probability `certainty` or more, the true rate is not above it. No rows give 1.

    Args:
        errors: in [0, n].
        n: rows that were judged.
        certainty: greater than 0 and below 1.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 1934.

    Raises:
        OptionError: if a number is out of range.

    Example:
        >>> from logitkit.trust.binomial import error_upper_bound
        >>> round(error_upper_bound(0, 59, 0.95), 4)
        0.0495
    """
    from scipy.special import betaincinv

    errors, n, certainty = _checked(errors, n, certainty, "error_upper_bound")
    return float(betaincinv(errors + 1.0, n - errors, certainty)) if errors < n else 1.0


def clopper_pearson(errors: int, n: int, certainty: float) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval of an error rate: each side errs with (1 - certainty) / 2 at most.

    No rows give (0, 1). Arguments, errors and source are those of `error_upper_bound`.

    Example:
        >>> from logitkit.trust.binomial import clopper_pearson
        >>> [round(bound, 4) for bound in clopper_pearson(5, 100, 0.95)]
        [0.0164, 0.1128]
    """
    from scipy.special import betaincinv

    errors, n, certainty = _checked(errors, n, certainty, "clopper_pearson")
    side = 0.5 * (1.0 - certainty)
    low = float(betaincinv(errors, n - errors + 1.0, side)) if errors > 0 else 0.0
    high = float(betaincinv(errors + 1.0, n - errors, 1.0 - side)) if errors < n else 1.0
    return low, high


def _checked(errors: int, n: int, certainty: float, function: str) -> tuple[int, int, float]:
    n = check_count(n, 0, MAX_ROWS, "n", function)
    return check_count(errors, 0, n, "errors", function), n, check_open_fraction(certainty, "certainty", function)


def hoeffding_bentkus(total_loss: NDArray[np.float64], n: int, risk: float) -> NDArray[np.float64]:
    """Return p-values of "the mean loss is above `risk`" from sums of n losses in [0, 1].

    The smaller of exp(-n KL(min(mean, risk), risk)) (Hoeffding 1963) and e P(Binomial(n, risk) <= ceil(sum)) (Bentkus
    2004), as in Bates, Angelopoulos, Lei, Malik, Jordan, "Distribution-Free, Risk-Controlling Prediction Sets",
    J. ACM 2021.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.binomial import hoeffding_bentkus
        >>> hoeffding_bentkus(np.array([2.0, 20.0]), 100, 0.1).round(4).tolist()
        [0.0053, 1.0]
    """
    from scipy.special import rel_entr

    mean = np.minimum(total_loss / n, risk)
    hoeffding = np.exp(-n * (rel_entr(mean, risk) + rel_entr(1.0 - mean, 1.0 - risk)))
    # A sum of shares that is a whole number may have come out a little above it.
    bentkus = math.e * binomial_tail(np.ceil(total_loss - 1e-9), np.full(len(total_loss), n), risk)
    return np.asarray(np.minimum(np.minimum(hoeffding, bentkus), 1.0))
