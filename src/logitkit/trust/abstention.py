"""From which confidence on a model may answer, so that a stated share of its answers at most is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_labels, check_count
from logitkit.errors import OptionError
from logitkit.trust.abstention_rule import AbstentionReason, AbstentionRule, as_confidence, as_correct
from logitkit.trust.binomial import binomial_tail, check_open_fraction, error_upper_bound, rows_without_error

__all__ = ["fit_abstention"]

_QUARTERS = (0.25, 0.5, 0.75)
_NEAR = 2.0**-21  # four float32 ulps below 1: a confidence and its float32 form fall on one side of a threshold
_PIECE = 2**14


def fit_abstention(
    confidence: Any,
    correct: Any,
    *,
    max_error: float = 0.05,
    certainty: float = 0.95,
    predicted: Any = None,
    n_classes: int | None = None,
) -> AbstentionRule:
    r"""Return the lowest threshold that can promise that at most `max_error` of the answers are wrong.

    "Of the texts answered, at most 5 % are wrong, with 95 % certainty": for rows drawn as these were, the error rate
    of all that have at least the threshold's confidence is above `max_error` with probability `1 - certainty` at most.

    The n rows of highest confidence, up to the next lower one, are n independent draws from the rows above a
    threshold, so their errors k are binomial and :math:`P(X \le k), X \sim B(n, \text{max\_error})` tests whether the
    error rate there is too high (learn then test). The tests run from the highest confidence to the lowest; those at
    fixed ranks (the fewest rows that can pass, and the quarters of N) have equal shares of `1 - certainty`; a test
    that passes hands its share on to the next, one that fails loses it. Nothing is approximated. What is assumed,
    beside independent rows, is that the error rate of the answers does not fall when a threshold is lowered. Equal
    confidences are answered together or not at all.

    With `predicted`, each predicted class gets a threshold of its own, and the promises of all classes hold together:
    `1 - certainty` is shared equally among the classes with enough rows to pass (Bonferroni). A class without a
    promise has the threshold inf: it is never answered.

    Sources: Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017; Angelopoulos,
    Bates, Candès, Jordan, Lei, "Learn then Test", 2021; Wiens, "A fixed sequence Bonferroni procedure for testing
    multiple endpoints", Pharmaceutical Statistics 2003.

    Args:
        confidence: `[N]` in [0, 1], of rows that neither the model nor its calibrator has seen.
        correct: `[N]` booleans: whether the predicted class is the label.
        max_error: greater than 0 and below 1.
        certainty: greater than 0 and below 1.
        predicted: `[N]` integers in [0, n_classes): a threshold for each predicted class.
        n_classes: C, with `predicted`.

    Returns:
        An `AbstentionRule`; its `promise` says whether there is a threshold, its `reason` why there is none.

    Raises:
        InputError: if shapes disagree, a confidence is not in [0, 1] (NaN too: the row is named), or `correct` has no
            booleans.
        OptionError: if an option is out of range, or only one of `predicted` and `n_classes` is given.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.abstention import fit_abstention
        >>> confidence = np.linspace(0.999, 0.5, 500)
        >>> correct = np.arange(500) % 25 != 24  # one error in 25: too many among all, few among the surest
        >>> correct[200:] &= np.arange(300) % 5 != 0
        >>> rule = fit_abstention(confidence, correct, max_error=0.1)
        >>> rule.promise, rule.answered, rule.errors, round(rule.threshold, 3)
        (True, 215, 11, 0.784)
        >>> fit_abstention(confidence[:58], correct[:58]).reason  # 59 right answers in a row would do
        <AbstentionReason.TOO_FEW_ROWS: 'too few rows'>
    """
    p = as_confidence(confidence, "fit_abstention")
    right = as_correct(correct, p.shape, "fit_abstention")
    max_error = check_open_fraction(max_error, "max_error", "fit_abstention")
    certainty = check_open_fraction(certainty, "certainty", "fit_abstention")
    if (predicted is None) != (n_classes is None):
        raise OptionError("The 'predicted' and 'n_classes' options of fit_abstention must be given together.")
    if predicted is None:
        needed = rows_without_error(max_error, 1.0 - certainty)
        return _fit_one(_Ranking(np.sort(p), np.sort(p[~right])), max_error, certainty, needed)
    C = check_count(n_classes, 1, 10**6, "n_classes", "fit_abstention")
    classes = as_labels(predicted, p.shape, C, "fit_abstention")
    each, needed = _certainty_of_each(np.bincount(classes, minlength=C), max_error, certainty)
    rankings = zip(_sorted_by_class(p, classes, C), _sorted_by_class(p[~right], classes[~right], C), strict=True)
    by_class = tuple(_fit_one(_Ranking(*ranking), max_error, each, needed) for ranking in rankings)
    return _of_classes(by_class, max_error, certainty, needed)


def _sorted_by_class(p: NDArray[np.float64], classes: NDArray[np.intp], C: int) -> list[NDArray[np.float64]]:
    ordered = p[np.lexsort((p, classes))]
    return np.split(ordered, np.cumsum(np.bincount(classes, minlength=C))[:-1])


def _certainty_of_each(counts: NDArray[np.intp], max_error: float, certainty: float) -> tuple[float, int]:
    """Return the certainty for each class when as many as can pass are tested, and how many rows one needs."""
    descending = np.sort(counts)[::-1]
    tested = len(counts)
    while tested > 1 and descending[tested - 1] < rows_without_error(max_error, (1.0 - certainty) / tested):
        tested -= 1
    share = (1.0 - certainty) / tested
    return 1.0 - share, rows_without_error(max_error, share)


def _of_classes(
    by_class: tuple[AbstentionRule, ...], max_error: float, certainty: float, needed: int
) -> AbstentionRule:
    """Return the rule of all classes together."""
    promised = [rule for rule in by_class if rule.promise]
    reason = AbstentionReason.PROMISED
    if not promised:
        few = all(rule.reason is AbstentionReason.TOO_FEW_ROWS for rule in by_class)
        reason = AbstentionReason.TOO_FEW_ROWS if few else AbstentionReason.TOO_MANY_ERRORS
    return AbstentionRule(
        max_error=max_error,
        certainty=certainty,
        thresholds=tuple(rule.thresholds[0] for rule in by_class),
        rows=sum(rule.rows for rule in by_class),
        answered=sum(rule.answered for rule in promised),
        errors=sum(rule.errors for rule in promised),
        error_bound=max((rule.error_bound for rule in promised), default=1.0),
        reachable_error=min(rule.reachable_error for rule in by_class),
        rows_needed=needed,
        reason=reason,
        by_class=by_class,
    )


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The confidences of all rows and those of the wrong ones, both rising."""

    of_all: NDArray[np.float64]
    of_wrong: NDArray[np.float64]

    def at_least(self, confidence: Any) -> tuple[Any, Any]:
        """Return how many rows have at least this confidence, and how many of them are wrong."""
        rows = len(self.of_all) - np.searchsorted(self.of_all, confidence, "left")
        return rows, len(self.of_wrong) - np.searchsorted(self.of_wrong, confidence, "left")

    def above(self, confidence: float) -> tuple[int, int]:
        """Return how many rows have more than this confidence, and how many of them are wrong."""
        rows = len(self.of_all) - int(np.searchsorted(self.of_all, confidence, "right"))
        return rows, len(self.of_wrong) - int(np.searchsorted(self.of_wrong, confidence, "right"))


def _fit_one(ranking: _Ranking, max_error: float, certainty: float, needed: int) -> AbstentionRule:
    """Fit one threshold."""
    N, delta = len(ranking.of_all), 1.0 - certainty
    starts = _starts(ranking, max_error, delta, needed)
    answered, errors = _last_passed(ranking, starts, max_error, delta)
    reason = AbstentionReason.PROMISED if answered else AbstentionReason.TOO_MANY_ERRORS
    tested = [ranking.at_least(start) for start in starts] or [(N, len(ranking.of_wrong))]
    return AbstentionRule(
        max_error=max_error,
        certainty=certainty,
        thresholds=(_threshold(ranking.of_all, answered),),
        rows=N,
        answered=answered,
        errors=errors,
        error_bound=error_upper_bound(errors, answered, certainty),
        reachable_error=min(error_upper_bound(int(k), int(n), 1.0 - delta / len(tested)) for n, k in tested),
        rows_needed=needed,
        reason=reason if needed <= N else AbstentionReason.TOO_FEW_ROWS,
    )


def _starts(ranking: _Ranking, max_error: float, delta: float, needed: int) -> list[float]:
    """Return the confidences at the ranks that have shares of `delta`: the first that can pass, and later quarters."""
    N = len(ranking.of_all)
    later = [rank for rank in (math.ceil(N * part) for part in _QUARTERS) if rank >= 2 * needed]
    first = rows_without_error(max_error, delta / (1 + len(later)))
    return [float(ranking.of_all[N - rank]) for rank in (first, *later)] if first <= N else []


def _last_passed(ranking: _Ranking, starts: list[float], max_error: float, delta: float) -> tuple[int, int]:
    """Return rows and errors at the last rank where "the error rate is too high" is refused, by the fallback procedure.

    0 and 0 where it is refused nowhere.
    """
    level, passed = 0.0, (0, 0)
    for start, following in pairwise([*starts, -math.inf]):
        level += delta / len(starts)
        if start == following:  # equal confidences hold two starts
            continue
        n, k = ranking.at_least(start)
        if binomial_tail(k, n, max_error) > level:
            level = 0.0
            continue
        failed = _first_failed(ranking, int(k), ranking.above(following)[1], max_error, level)
        passed, level = ranking.above(max(failed, following)), 0.0 if failed > following else level
    return passed


def _first_failed(ranking: _Ranking, done: int, stop: int, max_error: float, level: float) -> float:
    """Return the first confidence at which the test fails, of errors `done` to `stop - 1` from the highest on, or -inf.

    The ranks between them have more rows and no more errors: where the last of them passed, they pass.
    """
    falling = ranking.of_wrong[::-1]
    for piece in range(done, stop, _PIECE):
        at = falling[piece : min(piece + _PIECE, stop)]
        n, k = ranking.at_least(at)
        failed = at[binomial_tail(k, n, max_error) > level]
        if failed.size:
            return float(failed[0])
    return -math.inf


def _threshold(rising: NDArray[np.float64], answered: int) -> float:
    """Return a threshold just above the first confidence that is not answered; 0 where all are, inf where none is."""
    if answered in (0, len(rising)):
        return 0.0 if answered else math.inf
    lowest, below = float(rising[-answered]), float(rising[-answered - 1])
    threshold = below + min(0.5 * (lowest - below), _NEAR)
    return threshold if threshold > below else lowest
