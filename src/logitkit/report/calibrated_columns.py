"""The columns that a calibrator and its rules make of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logitkit.decision import Reason, decide_columns
from logitkit.errors import OptionError
from logitkit.policy import DecisionPolicy
from logitkit.report.columns import as_lists
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator

__all__ = ["CalibratedColumns"]

_YES = 0.5


class CalibratedColumns:
    """Makes label, probability, decision and reason of each row of logits, and on request its probs and its set.

    Of a multi-label model: the labels whose probability is at least 0.5, or the threshold that is given.

    Args:
        policy: what decides.
        probs: add `probs`, `[C]` float32 a row.
        sets: add `prediction_set`, the classes that cannot be ruled out.
        threshold: instead of the policy's own.

    Raises:
        OptionError: if sets are wanted of a policy that has none.
    """

    def __init__(
        self, policy: DecisionPolicy, *, probs: bool = False, sets: bool = False, threshold: float | None = None
    ) -> None:
        self._several = isinstance(policy.calibrator, MultilabelCalibrator)
        if sets and policy.prediction_sets is None:
            raise OptionError("The calibrator's file has no prediction sets; leave out --sets, or audit again.")
        self._policy, self._threshold = policy, threshold
        names = pa.string()
        fields = [("labels", pa.list_(names))] if self._several else [("label", names), ("probability", pa.float32())]
        if not self._several:
            fields += [("decision", names), ("reason", names)]
        if sets:
            fields.append(("prediction_set", pa.list_(names)))
        if probs:
            fields.append(("probs", pa.list_(pa.float32())))
        self.schema = pa.schema(fields)
        self._names = pa.array(policy.class_names, names)

    def make(self, logits: NDArray[Any]) -> pa.RecordBatch:
        """Return the columns of these rows of logits `[n, C]`."""
        policy = self._policy
        log_probs = policy.calibrator.log_probs(logits)
        wanted = set(self.schema.names)
        made: dict[str, pa.Array] = {}
        if self._several:
            threshold = _YES if self._threshold is None else self._threshold
            made["labels"] = self._sets(np.exp(log_probs) >= threshold)
        else:
            rule = policy.abstention
            limit: Any = self._threshold
            if limit is None:
                limit = 0.0 if rule is None else rule.threshold
            outliers = None if policy.outliers is None else policy.outliers.is_outlier(logits)
            decided = decide_columns(log_probs, threshold=limit, outliers=outliers)
            made["label"] = self._name(decided.raw_labels)
            made["probability"] = pa.array(decided.probabilities.astype(np.float32))
            made["decision"] = self._name(decided.labels)
            made["reason"] = pa.array([str(reason) for reason in Reason]).take(pa.array(decided.reasons))
        if "prediction_set" in wanted:
            assert policy.prediction_sets is not None
            made["prediction_set"] = self._sets(policy.prediction_sets.predict_sets(logits=log_probs))
        if "probs" in wanted:
            made["probs"] = as_lists(pa.array(np.exp(log_probs).astype(np.float32).ravel()), len(log_probs))
        return pa.RecordBatch.from_arrays([made[name] for name in self.schema.names], schema=self.schema)

    def _name(self, labels: NDArray[np.intp]) -> pa.Array:
        """Return class indices as names; null where it is -1."""
        return self._names.take(pa.array(labels, mask=labels < 0))

    def _sets(self, sets: NDArray[np.bool_]) -> pa.Array:
        """Return the names of each row's classes as a list."""
        offsets = np.concatenate([[0], np.cumsum(sets.sum(axis=1))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), self._names.take(pa.array(np.nonzero(sets)[1])))
