"""Judge logits against labels in one stream: memory grows with the classes, never with the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_labels, as_logits, check_temperature, input_error
from logitkit.errors import InputError, OptionError
from logitkit.trust.metrics import precision_recall_f1
from logitkit.trust.rows import Reliability, measure_rows, reliability_of

__all__ = ["ClassScores", "Evaluation", "EvaluationBuilder", "ReliabilityBin"]

N_BINS = 15
MAX_CLASSES = 10_000  # a confusion matrix of 0.8 GB
MAX_UNSEEN_LABELS = 10_000
_BLOCK = 2**18


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class: how often it is the label (`support`), how often predicted, and how well. None is 0 / 0."""

    name: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows whose confidence is in (`lower`, `upper`]: what the logits said, and how often they were right."""

    lower: float
    upper: float
    count: int
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """What logits are worth on labelled rows. A figure that no row supports is None.

    A label that is none of the classes can never be predicted. Such a row counts as an error in accuracy, calibration
    error and Brier score (as a class with probability 0), and its label as a class with F1 0 in macro-F1. `log_loss`
    is the mean over the other rows, for it would be infinite. It is infinite too where a label's logit is -inf: see
    `rows_with_infinite_loss`.
    """

    rows: int
    accuracy: float | None
    macro_f1: float | None
    log_loss: float | None
    brier_score: float | None
    expected_calibration_error: float | None
    mean_confidence: float | None
    temperature: float
    classes: tuple[str, ...]
    per_class: tuple[ClassScores, ...]
    confusion: NDArray[np.int64] = field(repr=False, compare=False)
    reliability: tuple[ReliabilityBin, ...] = field(repr=False)
    unseen_labels: dict[str, int]
    rows_with_unseen_labels: int
    rows_with_infinite_loss: int

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts; NaN and infinity never occur: they are null (None).

        Example:
            >>> from logitkit.report.evaluation import EvaluationBuilder
            >>> evaluation = EvaluationBuilder(["no", "yes"]).update([[0.0, 2.0]], [1]).finish()
            >>> evaluation.to_json()["accuracy"], evaluation.to_json()["confusion"]
            (1.0, [[0, 0], [0, 1]])
        """
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["log_loss"] = None if self.log_loss is None or math.isinf(self.log_loss) else self.log_loss
        record["classes"] = list(self.classes)
        record["per_class"] = [asdict(one) for one in self.per_class]
        record["confusion"] = self.confusion.tolist()
        record["reliability"] = [asdict(one) for one in self.reliability]
        record["unseen_labels"] = dict(self.unseen_labels)
        return record


class EvaluationBuilder:
    """Adds up an `Evaluation` from batches of logits and labels. The batches leave no trace in it: not in one bit.

    Args:
        class_names: the C classes, in the order of the logits' columns; distinct; at most 10,000.
        temperature: divides the logits; greater than 0.

    Raises:
        OptionError: if there are no classes, too many, or two of one name.

    Example:
        >>> from logitkit.report.evaluation import EvaluationBuilder
        >>> builder = EvaluationBuilder(["News", "Technology"])
        >>> builder = builder.update_names([[2.0, 1.0], [0.5, 3.0]], ["News", "Sports"])
        >>> evaluation = builder.update([[0.0, 1.0]], [1]).finish()
        >>> evaluation.rows, round(evaluation.accuracy, 3), evaluation.unseen_labels
        (3, 0.667, {'Sports': 1})
    """

    def __init__(self, class_names: Sequence[str], *, temperature: float = 1.0) -> None:
        self.class_names = tuple(class_names)
        self.temperature = check_temperature(temperature, "EvaluationBuilder")
        C = len(self.class_names)
        if not 1 <= C <= MAX_CLASSES:
            raise OptionError(f"An evaluation needs 1 to {MAX_CLASSES:,} classes (it counts confusions); got {C:,}.")
        if len(set(self.class_names)) < C:
            twice = Counter(self.class_names).most_common(1)[0][0]
            raise OptionError(f"class_names must be distinct; got {twice!r} more than once.")
        # Rows are measured in blocks of a fixed size, whatever the batches were: so are the sums' last bits.
        self._logits = np.empty((max(1, _BLOCK // C), C))
        self._labels = np.empty(len(self._logits), np.intp)
        self._filled = self._rows = self._infinite = 0
        self._log_loss = self._brier = self._confidence = 0.0
        self._confusion = np.zeros((C + 1, C), np.int64)  # the last row: labels that are no class
        self._reliability = Reliability(np.zeros(N_BINS, np.int64), *(np.zeros(N_BINS) for _ in range(3)))
        self._unseen: Counter[str] = Counter()

    def update(self, logits: Any, labels: Any) -> EvaluationBuilder:
        """Add a batch whose labels are class indices, and return this builder.

        Args:
            logits: `[N, C]`.
            labels: `[N]` integers in [0, C); -1 marks a label that is none of the classes and has no name.

        Raises:
            InputError: if shapes disagree, a logit is NaN or an index out of range. Rows count from 0 over all batches.
        """
        z = as_logits(logits, "evaluation", ndim=2)
        C = len(self.class_names)
        y = as_labels(labels, (len(z),), C, "evaluation", lowest=-1)
        if z.shape[1] != C:
            raise input_error("logits", "evaluation", f"of {C} classes", f"the shape {list(z.shape)}")
        start = 0
        while start < len(y):
            stop = min(len(y), start + len(self._logits) - self._filled)
            filled = self._filled + stop - start
            self._logits[self._filled : filled] = z[start:stop]
            self._labels[self._filled : filled] = y[start:stop]
            start, self._filled = stop, filled
            if filled == len(self._logits):
                self._measure()
        return self

    def update_names(self, logits: Any, label_names: Any) -> EvaluationBuilder:
        """Add a batch whose labels are names, and return this builder. Names of no class become `unseen_labels`.

        Args:
            logits: `[N, C]`.
            label_names: `[N]` strings: a sequence, NumPy or Arrow array. Numbers are refused: is 2 a name or an index?

        Raises:
            InputError: as `update`; also if a name is null or no string, or over 10,000 names are none of the classes.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        names, first_row = label_names, self._rows + self._filled
        try:
            names = names if isinstance(names, pa.Array | pa.ChunkedArray) else pa.array(names)
        except (pa.ArrowException, TypeError) as error:
            raise input_error("label_names", "evaluation", "strings", " ".join(str(error).split())) from None
        if names.null_count:
            row = first_row + pc.index(pc.is_null(names), True).as_py()
            raise InputError(f"The label in row {row} is null; give every row a label or drop it.")
        content = names.type.value_type if pa.types.is_dictionary(names.type) else names.type
        if len(names) and content not in (pa.string(), pa.large_string(), pa.string_view()):
            raise input_error("label_names", "evaluation", "strings", str(names.type))
        names = names.cast(pa.string())
        indices = pc.fill_null(pc.index_in(names, pa.array(self.class_names, pa.string())), -1)
        unseen = names.filter(pc.equal(indices, -1))
        self.update(logits, np.asarray(indices.to_numpy()))
        for pair in pc.value_counts(unseen).to_pylist():
            self._unseen[pair["values"]] += pair["counts"]
        if len(self._unseen) > MAX_UNSEEN_LABELS:
            raise InputError(
                f"More than {MAX_UNSEEN_LABELS:,} labels up to row {first_row + len(names) - 1} are none of the "
                f"{len(self.class_names):,} classes, such as {unseen[0].as_py()!r}; name the column of the labels."
            )
        return self

    def finish(self) -> Evaluation:
        """Return the record of all rows so far."""
        self._measure()
        N, R = self._rows, self._reliability
        seen = int(self._confusion[:-1].sum())
        f1 = [_number(value) for value in precision_recall_f1(self._confusion)[2]]
        nameless = N - seen > sum(self._unseen.values())  # these count as one class
        occurring = sum(value is not None for value in f1) + len(self._unseen) + nameless
        return Evaluation(
            rows=N,
            accuracy=_ratio(int(np.trace(self._confusion)), N),
            macro_f1=_ratio(math.fsum(value or 0.0 for value in f1), occurring),
            log_loss=math.inf if self._infinite else _ratio(self._log_loss, seen),
            brier_score=_ratio(self._brier, N),
            expected_calibration_error=_number(R.expected_calibration_error()),
            mean_confidence=_ratio(self._confidence, N),
            temperature=self.temperature,
            classes=self.class_names,
            per_class=self._class_scores(),
            confusion=self._confusion[:-1].copy(),
            reliability=tuple(
                ReliabilityBin(
                    b / N_BINS, (b + 1) / N_BINS, int(n), _ratio(R.confidence[b], n), _ratio(R.correct[b], n)
                )
                for b, n in enumerate(R.count)
            ),
            unseen_labels=dict(self._unseen.most_common()),
            rows_with_unseen_labels=N - seen,
            rows_with_infinite_loss=self._infinite,
        )

    def _measure(self) -> None:
        """Add the rows that wait, and empty the block."""
        y = self._labels[: self._filled]
        rows = measure_rows(
            y,
            logits=self._logits[: self._filled],
            temperature=self.temperature,
            unseen=True,
            first_row=self._rows,
            function="evaluation",
        )
        C = len(self.class_names)
        self._reliability += reliability_of(rows.confidence, rows.correct, None, N_BINS)
        true_row = np.where(y >= 0, y, C)
        self._confusion += np.bincount(true_row * C + rows.predicted, minlength=(C + 1) * C).reshape(C + 1, C)
        finite = np.isfinite(rows.log_loss)
        self._infinite += int(np.count_nonzero(~finite & (y >= 0)))
        self._log_loss += float(rows.log_loss[finite].sum())
        self._brier += float(rows.brier.sum())
        self._confidence += float(rows.confidence.sum())
        self._rows += self._filled
        self._filled = 0

    def _class_scores(self) -> tuple[ClassScores, ...]:
        support, predicted = self._confusion[:-1].sum(axis=1), self._confusion.sum(axis=0)
        scores = zip(*precision_recall_f1(self._confusion), strict=True)
        return tuple(
            ClassScores(name, int(n), int(guessed), *(_number(value) for value in values))
            for name, n, guessed, values in zip(self.class_names, support, predicted, scores, strict=True)
        )


def _number(value: float) -> float | None:
    """Return a float, or None for NaN."""
    return None if math.isnan(value) else float(value)


def _ratio(numerator: float, denominator: int) -> float | None:
    return float(numerator) / int(denominator) if denominator else None
