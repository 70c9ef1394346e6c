"""Label sets that miss few of the right labels, where a row may have several: risk control on false negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit import memory
from logitkit.arrays import to_numpy
from logitkit.checks import check_count, input_error
from logitkit.kernels import run_blocks
from logitkit.trust.binomial import MAX_ROWS, check_open_fraction, hoeffding_bentkus
from logitkit.trust.prob_rows import ProbRows

__all__ = ["FalseNegativeControl", "false_negative_share", "fit_false_negative_control"]


@dataclass(frozen=True, slots=True)
class FalseNegativeControl:
    """A label is in a row's set if its probability is at least `threshold`. `fit_false_negative_control` makes it.

    Attributes:
        threshold: in [0, 1]; 0 takes every label in.
        alpha: which share of a row's right labels its set may miss, on average.
        certainty: the probability that the average is at most `alpha`; None for "on average over calibration rows too".
        rows: how many rows it was fitted on.
        n_labels: C.

    Example:
        >>> from logitkit.trust.risk_control import fit_false_negative_control
        >>> control = fit_false_negative_control([[1, 0]] * 20, logits=[[2.0, -1.0]] * 20)
        >>> control.predict_sets(logits=[[3.0, 1.0], [-1.0, 2.5]]).tolist()
        [[True, False], [False, True]]
    """

    threshold: float
    alpha: float
    certainty: float | None
    rows: int
    n_labels: int

    def predict_sets(self, *, logits: Any = None, probs: Any = None) -> NDArray[np.bool_]:
        """Return label sets as booleans `[N, C]`. Arguments and errors as for `fit_false_negative_control`."""
        given = ProbRows.of(logits, probs, "predict_sets", several=True)
        if given.values.shape[1] != self.n_labels:
            found = f"the shape {list(given.values.shape)}"
            raise input_error(given.name, "predict_sets", f"of {self.n_labels} labels, as in fitting", found)
        sets = memory.empty(given.values.shape, np.bool_)

        def work(start: int, stop: int) -> None:
            np.greater_equal(given.block(start, stop)[1], self.threshold, out=sets[start:stop])

        run_blocks(work, given.blocks())
        return sets

    def parts(self) -> dict[str, Any]:
        """Return the control in terms of JSON, for a file; `restore` takes it back."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, parts: dict[str, Any]) -> FalseNegativeControl:
        """Return the control that `parts` took apart.

        Raises:
            KeyError, TypeError or ValueError: if the parts are not such.
        """
        threshold, certainty = parts["threshold"], parts["certainty"]
        if isinstance(threshold, bool) or not 0.0 <= threshold <= 1.0:
            raise ValueError(f"{threshold!r} is no threshold")
        if certainty is not None:
            certainty = check_open_fraction(certainty, "certainty", "restore")
        rows = check_count(parts["rows"], 0, MAX_ROWS, "rows", "restore")
        n_labels = check_count(parts["n_labels"], 1, 10**9, "n_labels", "restore")
        return cls(float(threshold), check_open_fraction(parts["alpha"], "alpha", "restore"), certainty, rows, n_labels)


def fit_false_negative_control(
    targets: Any, *, logits: Any = None, probs: Any = None, alpha: float = 0.1, certainty: float | None = None
) -> FalseNegativeControl:
    r"""Return the highest threshold at which sets miss at most a share `alpha` of the right labels, on average.

    The loss of a row is the share of its right labels whose probability is below the threshold; 0 for a row without
    any, so where many rows have none, pass those with labels alone to speak of them. It never falls as the threshold
    rises.

    - Without `certainty`: :math:`\frac{n}{n + 1} \hat R(\lambda) + \frac{1}{n + 1} \le \alpha`, where :math:`\hat R` is
      the mean loss of the n rows. A new row, drawn like these, then has a loss of at most `alpha` on average over
      calibration rows and new rows (Angelopoulos, Bates, Fisch, Lei, Schuster, "Conformal Risk Control", ICLR 2024).
    - With `certainty`: with that probability over the calibration rows, the mean loss of new rows is at most `alpha`
      (Bates, Angelopoulos, Lei, Malik, Jordan, "Distribution-Free, Risk-Controlling Prediction Sets", J. ACM 2021, by
      the Hoeffding-Bentkus bound).

    Where too few rows can promise nothing, the threshold is 0: every label is in every set.

    Args:
        targets: `[N, C]`, 1 or True where the label is right, else 0 or False.
        logits: `[N, C]`, one yes-or-no question each, or
        probs: `[N, C]`, their sigmoids, in [0, 1].
        alpha: greater than 0 and below 1.
        certainty: greater than 0 and below 1, or None.

    Raises:
        InputError: if the shapes disagree, a value is NaN, or a target is neither 0 nor 1.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of range.

    Example:
        >>> from logitkit.trust.risk_control import fit_false_negative_control
        >>> probs = [[0.9, 0.6], [0.8, 0.3], [0.7, 0.2], [0.2, 0.65]]
        >>> control = fit_false_negative_control([[1, 1], [1, 0], [1, 0], [0, 1]], probs=probs, alpha=0.4)
        >>> control.threshold  # it misses one of the two labels of one row: (4 / 5) (0.5 / 4) + 1 / 5 = 0.3
        0.65
        >>> control.predict_sets(probs=[[0.75, 0.1]]).tolist()
        [[True, False]]
    """
    function = "fit_false_negative_control"
    given = ProbRows.of(logits, probs, function, several=True)
    N, C = given.values.shape
    positive = _as_targets(targets, (N, C), function)
    alpha = check_open_fraction(alpha, "alpha", function)
    if certainty is not None:
        certainty = check_open_fraction(certainty, "certainty", function)

    def work(start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        right = positive[start:stop]
        share = 1.0 / np.maximum(right.sum(axis=1), 1)
        return given.block(start, stop)[1][right], np.repeat(share, right.sum(axis=1))

    pieces = run_blocks(work, given.blocks())
    p = np.concatenate([np.empty(0), *(piece[0] for piece in pieces)])
    shares = np.concatenate([np.empty(0), *(piece[1] for piece in pieces)])
    order = np.argsort(p)
    threshold = _highest(p[order], shares[order], N, alpha, certainty)
    return FalseNegativeControl(threshold, alpha, certainty, N, C)


def _highest(
    rising: NDArray[np.float64], shares: NDArray[np.float64], N: int, alpha: float, certainty: float | None
) -> float:
    """Return the highest threshold whose loss is allowed; the loss changes only beyond the probability of a label."""
    if N == 0:
        return 0.0
    candidates = np.append(rising, 1.0)
    total = np.concatenate([[0.0], np.cumsum(shares)])  # of equal probabilities, the first has the loss of all
    if certainty is None:
        allowed = total + 1.0 <= alpha * (N + 1) * (1.0 + 1e-12)
    else:
        allowed = hoeffding_bentkus(total, N, alpha) <= 1.0 - certainty
    return float(candidates[int(np.sum(allowed)) - 1]) if allowed[0] else 0.0


def false_negative_share(sets: Any, targets: Any) -> float:
    """Return the mean share of a row's right labels that its set misses, in [0, 1]; NaN without rows.

    Args:
        sets: `[N, C]` booleans.
        targets: `[N, C]`, 1 or True where the label is right, else 0 or False. A row without any loses nothing.

    Raises:
        InputError: if the shapes disagree, or the values are of another kind.

    Example:
        >>> from logitkit.trust.risk_control import false_negative_share
        >>> false_negative_share([[True, False], [True, True]], [[1, 1], [0, 1]])
        0.25
    """
    array = to_numpy(sets, "sets", "false_negative_share")
    if array.ndim != 2 or array.dtype != np.bool_:
        found = f"{array.dtype.name} of the shape {list(array.shape)}"
        raise input_error("sets", "false_negative_share", "booleans of the shape [N, C]", found)
    right = _as_targets(targets, array.shape, "false_negative_share")
    missed = (right & ~array).sum(axis=1) / np.maximum(right.sum(axis=1), 1)
    return float(missed.mean()) if len(missed) else float("nan")


def _as_targets(values: Any, shape: tuple[int, ...], function: str) -> NDArray[np.bool_]:
    """Return targets of this shape as booleans."""
    array = to_numpy(values, "targets", function)
    if array.shape != shape:
        raise input_error("targets", function, f"of the shape {list(shape)}", f"the shape {list(array.shape)}")
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iuf":
        raise input_error("targets", function, "0 or 1", array.dtype.name)
    ones = np.asarray(array == 1)
    wrong = np.flatnonzero(~(ones | (array == 0)).all(axis=1))
    if wrong.size:
        row = wrong[0]
        value = array[row][~(ones[row] | (array[row] == 0))][0]
        raise input_error("targets", function, "0 or 1", f"{value} in row {row}")
    return ones
