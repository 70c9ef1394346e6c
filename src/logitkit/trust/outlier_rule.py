"""When is an input unlike what the model knows? A threshold of outlier scores at a stated rate of false alarms."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import check_choice, check_count, check_fraction, check_temperature, option_error
from logitkit.trust.outliers import OUTLIER_METHODS, measure_outliers
from logitkit.trust.separation import as_outlier_scores

__all__ = ["OutlierRule", "fit_outlier_rule", "fit_outlier_threshold"]


def fit_outlier_threshold(known: Any, *, false_alarm_rate: float = 0.05) -> float:
    """Return the threshold that a new known input's outlier score exceeds with at most this probability.

    The ceil((N + 1)(1 - a))-th smallest of N outlier scores, a being the rate: where the N known inputs and the new one
    are exchangeable, P(new score > threshold) <= a, over the draw of all N + 1. Where N is too small, that is
    N < 1 / a - 1, no threshold can promise this and the result is +inf: never an alarm.

    Source: Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005 (split conformal prediction).

    Args:
        known: `[N]` outlier scores of known inputs that the model was not trained on.
        false_alarm_rate: a, in [0, 1).

    Returns:
        A float, never NaN or -inf.

    Raises:
        InputError: if `known` is not `[N]` numbers or has a NaN, whose row is named.
        OptionError: if the rate is not in [0, 1).

    Example:
        >>> from logitkit.trust.outlier_rule import fit_outlier_threshold
        >>> fit_outlier_threshold(range(1, 20), false_alarm_rate=0.1)
        18.0
        >>> fit_outlier_threshold([1.0, 2.0, 3.0], false_alarm_rate=0.1)
        inf
    """
    values = as_outlier_scores(known, "known", "fit_outlier_threshold")
    return _threshold(values, _check_rate(false_alarm_rate, "fit_outlier_threshold"))


def _check_rate(value: Any, function: str) -> float:
    rate = check_fraction(value, "false_alarm_rate", function)
    if rate == 1.0:
        raise option_error("false_alarm_rate", function, "below 1", value)
    return rate


def _threshold(values: NDArray[np.float64], rate: float) -> float:
    rank = math.ceil((values.size + 1) * (1 - Fraction(repr(rate))))  # as written: 0.95 of 20 are 19
    if rank > values.size:
        return math.inf
    # -inf would be no number in a file; nothing but -inf lies between it and the lowest float.
    return max(float(np.partition(values, rank - 1)[rank - 1]), -sys.float_info.max)


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """Says of logits whether the input is unlike what the model knows; `fit_outlier_rule` makes one.

    Attributes:
        method: one of `OUTLIER_METHODS`.
        temperature: T of the method.
        threshold: an outlier score above it is an alarm; +inf never is.
        false_alarm_rate: the share of known inputs that may be an alarm.
        rows: how many known inputs the threshold was fitted on.

    Example:
        >>> from logitkit.trust.outlier_rule import OutlierRule
        >>> rule = OutlierRule("logit", temperature=1.0, threshold=-2.0, false_alarm_rate=0.05, rows=400)
        >>> rule.is_outlier([[3.0, 0.0], [1.0, 0.5]]).tolist()
        [False, True]
    """

    method: str
    temperature: float
    threshold: float
    false_alarm_rate: float
    rows: int

    def __post_init__(self) -> None:
        """Refuse what cannot be: a rule may come from a file."""
        check_choice(self.method, OUTLIER_METHODS, "method", "OutlierRule")
        check_temperature(self.temperature, "OutlierRule")
        if math.isnan(self.threshold) or self.threshold == -math.inf:
            raise option_error("threshold", "OutlierRule", "a finite number or inf", self.threshold)
        _check_rate(self.false_alarm_rate, "OutlierRule")
        check_count(self.rows, 0, 2**63 - 1, "rows", "OutlierRule")

    def scores(self, logits: Any) -> NDArray[np.float64]:
        """Return `outlier_scores` by the rule's method and temperature, `[N]`; errors are theirs."""
        return measure_outliers(logits, self.method, self.temperature, "OutlierRule.scores")

    def is_outlier(self, logits: Any) -> NDArray[np.bool_]:
        """Return for each row of logits `[N, C]` of the same model whether its outlier score is above the threshold."""
        return measure_outliers(logits, self.method, self.temperature, "is_outlier") > self.threshold

    def parts(self) -> dict[str, Any]:
        """Return the rule as plain JSON, as `restore` takes it; a threshold of +inf is null."""
        return {
            "method": self.method,
            "temperature": self.temperature,
            "threshold": self.threshold if self.threshold < math.inf else None,
            "false_alarm_rate": self.false_alarm_rate,
            "rows": self.rows,
        }

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> OutlierRule:
        """Return the rule that `parts` took apart.

        Raises:
            KeyError, TypeError or ValueError: if a part is missing or is not such.
        """
        threshold = math.inf if facts["threshold"] is None else float(facts["threshold"])
        numbers = float(facts["temperature"]), threshold, float(facts["false_alarm_rate"])
        return cls(facts["method"], *numbers, facts["rows"])


def fit_outlier_rule(
    logits: Any, *, method: str = "energy", temperature: float = 1.0, false_alarm_rate: float = 0.05
) -> OutlierRule:
    """Return the rule that gives at most a share `false_alarm_rate` of new known inputs for unknown.

    Only known inputs are needed. The threshold is that of `fit_outlier_threshold` on `outlier_scores`: with fewer than
    1 / false_alarm_rate - 1 rows (19 for 0.05) it is +inf, and the rule never gives an alarm.

    Args:
        logits: `[N, C]` of known inputs that the model was not trained on, drawn as later ones will be.
        method: one of `OUTLIER_METHODS`.
        temperature: T of the method, greater than 0; "logit" and "margin" take none.
        false_alarm_rate: in [0, 1).

    Raises:
        InputError: as `outlier_scores`.
        OptionError: as `outlier_scores`, and if the rate is not in [0, 1).

    Example:
        >>> from logitkit.trust.outlier_rule import fit_outlier_rule
        >>> known = [[float(4 + n % 5), 0.0] for n in range(40)]
        >>> rule = fit_outlier_rule(known, method="margin", false_alarm_rate=0.1)
        >>> rule.threshold, rule.is_outlier([[8.0, 0.0], [1.0, 0.0]]).tolist()
        (-4.0, [False, True])
    """
    rate = _check_rate(false_alarm_rate, "fit_outlier_rule")
    values = measure_outliers(logits, method, temperature, "fit_outlier_rule")
    return OutlierRule(method, float(temperature), _threshold(values, rate), rate, len(values))
