"""Judge logits or probabilities against labels in one stream, with an interval for every figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.checks import as_labels, as_mask, check_count, check_fraction, input_error, option_error
from logitkit.kernels import split
from logitkit.trust.bootstrap import calibration_interval, draw_groups, percentile_interval
from logitkit.trust.groups import Groups, figures_of, reliability_sums
from logitkit.trust.judgement import Estimate, Judgement
from logitkit.trust.rows import Reliability, RowMeasures, given_values, measure_rows

__all__ = ["Judge", "judge"]

CURVE_POINTS = 10_000
MAX_BINS = 100
_SOME_ROWS = 2**17  # that are measured before they are dealt: large enough for `memory` to keep their arrays

Floats = NDArray[np.float64]


class Judge:
    """Adds up a `Judgement` from batches of rows; the batches leave no trace in it, not in one bit.

    It keeps 8 bytes a row, and tables whose size does not depend on the rows.

    Args:
        n_classes: C.
        n_bins: of confidence, for the calibration error; at most 100.
        seed: of the intervals; at least 0.

    Raises:
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit.trust.judging import Judge
        >>> judge = Judge(2)
        >>> judge = judge.update([0, 1], logits=[[2.0, 0.0], [0.0, 1.0]])
        >>> judge = judge.update([1], logits=[[3.0, 0.0]])
        >>> judgement = judge.finish()
        >>> judgement.rows, round(judgement.accuracy.value, 3), round(judgement.log_loss.value, 3)
        (3, 0.667, 1.163)
    """

    def __init__(self, n_classes: int, *, n_bins: int = 15, seed: int = 0) -> None:
        self.n_classes = check_count(n_classes, 1, 2**31 - 1, "n_classes", "Judge")
        self.n_bins = check_count(n_bins, 1, MAX_BINS, "n_bins", "Judge")
        self.seed = check_count(seed, 0, 2**63 - 1, "seed", "Judge")
        self._groups = Groups(self.n_bins, self.seed)

    def update(self, labels: Any, *, logits: Any = None, probs: Any = None) -> Judge:
        """Add a batch, and return this judge. One that has raised may hold a part of the batch: begin anew.

        Args:
            labels: `[N]` integers in [0, C).
            logits: `[N, C]`, a calibrator's `log_probs` too, or
            probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.

        Raises:
            InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no
                distribution. Rows count from 0 over all batches; for labels, from the start of the batch.
            OptionError: if not exactly one of `logits` and `probs` is given.
        """
        name, values = given_values(logits, probs, "judge")
        if values.shape[1] != self.n_classes:
            raise input_error(name, "judge", f"of {self.n_classes} classes", f"the shape {list(values.shape)}")
        y = as_labels(labels, (len(values),), self.n_classes, "judge")
        for start, stop in split(len(y), _SOME_ROWS):
            given: dict[str, Any] = {name: values[start:stop]}
            self._groups.add(measure_rows(y[start:stop], **given, first_row=self._groups.rows, function="judge"))
        return self

    def update_measures(self, measures: RowMeasures, *, where: Any = None) -> Judge:
        """Add rows that `measure_rows` has measured already, and return this judge.

        Args:
            measures: of rows with C classes, and no label of -1.
            where: `[N]` booleans: which of them to add; None adds all.

        Raises:
            InputError: if `where` has no booleans, or not one for each row.
        """
        if where is not None:
            chosen = as_mask(where, measures.predicted.shape, "judge")
            measures = RowMeasures(*(getattr(measures, name)[chosen] for name in RowMeasures.__slots__))
        self._groups.add(measures)
        return self

    def finish(self, *, level: float = 0.95, replicates: int = 1000) -> Judgement:
        """Return the judgement of all rows so far. More may be added after it.

        The intervals are those of the bootstrap over rows: percentiles of the draws, but see `calibration_interval` for
        the calibration error. Up to 1,000 rows are drawn one by one; more are dealt into 1,000 groups at random, and
        groups are drawn. Intervals know nothing that the rows do not show: where none is wrong, that of the accuracy is
        [1, 1].

        Args:
            level: how often an interval should hold the figure of rows without end, in (0, 1).
            replicates: how many draws, in [1, 100,000].

        Raises:
            OptionError: if an option is out of its range.
        """
        from logitkit.kernels.dealing import INFINITE, TILE, draw_sums
        from logitkit.kernels.risk import risk_sums

        replicates = check_count(replicates, 1, 100_000, "replicates", "finish")
        level = check_fraction(level, "level", "finish")
        if level in (0.0, 1.0):
            raise option_error("level", "finish", "above 0 and below 1", level)
        table, N = self._groups.sums(), self._groups.rows
        curve, area, rows, errors = self._groups.ranks(CURVE_POINTS)
        everything, cuts = read_only(np.hstack([table, rows, errors])), np.cumsum([table.shape[1], rows.shape[1]])

        def figures(drawn: Floats) -> Floats:
            sums, areas = np.empty((len(drawn), everything.shape[1])), np.empty(len(drawn))
            draw_sums(drawn, everything, np.empty(len(everything) * TILE), sums)
            measured, ranked, wrong = (np.ascontiguousarray(part) for part in np.split(sums, cuts, axis=1))
            risk_sums(ranked, wrong, areas)
            return np.column_stack([areas / ranked.sum(axis=1), *figures_of(measured)])

        sums, nothing = table.sum(axis=0), Estimate(*[float("nan")] * 3)
        accuracy = log_loss = brier_score = calibration = aurc = nothing
        if N:
            draws = draw_groups(len(table), replicates, self.seed, figures)
            draws[:, 0] += area - figures(np.ones((1, len(table))))[0, 0]  # what the bins lose of the area
            *means, gaps = figures_of(sums)
            values = [area, *(float(mean) for mean in means)]
            aurc, accuracy, log_loss, brier_score = (
                percentile_interval(value, draws[:, i], level) for i, value in enumerate(values)
            )
            calibration = calibration_interval(gaps, draws[:, len(values) :], level)
        count, confidence, correct = (np.ascontiguousarray(column) for column in reliability_sums(sums))
        return Judgement(
            rows=N,
            level=level,
            accuracy=accuracy,
            log_loss=log_loss,
            brier_score=brier_score,
            expected_calibration_error=calibration,
            aurc=aurc,
            mean_confidence=float(confidence.sum()) / N if N else float("nan"),
            rows_with_infinite_loss=int(sums[INFINITE]),
            reliability=Reliability(count.astype(np.int64), count, confidence, correct),
            curve=curve,
        )


def judge(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    n_bins: int = 15,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Judgement:
    """Return what logits or probabilities are worth on labelled rows, every figure with its interval.

    Arguments and errors are those of `Judge`, `Judge.update` and `Judge.finish`, which take more rows than fit into
    memory. No rows give NaN.

    Example:
        >>> from logitkit.trust.judging import judge
        >>> judgement = judge([0, 1] * 50, probs=[[0.9, 0.1], [0.2, 0.8]] * 49 + [[0.3, 0.7], [0.6, 0.4]])
        >>> judgement.accuracy
        Estimate(value=0.98, low=0.95, high=1.0)
    """
    values = given_values(logits, probs, "judge")[1]
    judged = Judge(values.shape[1], n_bins=n_bins, seed=seed).update(labels, logits=logits, probs=probs)
    return judged.finish(level=level, replicates=replicates)
