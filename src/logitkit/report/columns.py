"""The columns that prediction adds to a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logitkit.checks import check_count, check_fraction
from logitkit.classifier import TextClassifier, agree
from logitkit.decision import Reason
from logitkit.errors import OptionError
from logitkit.ops import argmax, softmax, top_k
from logitkit.trust.outlier_rule import OutlierRule

__all__ = ["OutputColumns", "as_lists"]

_PREFIX = "predicted_"


class OutputColumns:
    """Makes label, probability, decision and reason of a batch of texts, and on request logits, probs and top_k.

    Args:
        classifier: what predicts.
        taken: the input's column names. If one of ours is among them, all of ours begin with `predicted_`.
        labels_only: only `label`, the arg max of the logits; no softmax is computed.
        logits: add `logits`, `[C]` float32 a row, in the order of the model's class names.
        probs: add `probs`, `[C]` float32 a row.
        top_k: add `top_k`, the k most probable classes with their probabilities.
        threshold: abstain below this probability, or below one for each class; the model's own if None.
        outliers: which texts not to answer because they are unlike those of training; the model's own if None.
        prefix: put before the names of the new columns.

    Attributes:
        renamed: whether the names had to change.
        prefix: what they begin with.

    Raises:
        OptionError: if options contradict each other, or a name with the wanted prefix is taken.
    """

    def __init__(
        self, classifier: TextClassifier, taken: Sequence[str], *, labels_only: bool = False, logits: bool = False,
        probs: bool = False, top_k: int | None = None, threshold: float | NDArray[np.float64] | None = None,
        outliers: OutlierRule | None = None, prefix: str | None = None,
    ) -> None:  # fmt: skip
        if labels_only and (logits or probs or top_k is not None or threshold is not None):
            raise OptionError(
                "--labels-only gives the label alone; leave out --logits, --probs, --top-k and --threshold."
            )
        if isinstance(threshold, float) and not math.isinf(threshold):
            check_fraction(threshold, "threshold", "predict")
        names = pa.string()
        fields = [pa.field("label", names)]
        if not labels_only:
            fields += [pa.field("probability", pa.float32()), pa.field("decision", names), pa.field("reason", names)]
        if logits:
            fields.append(pa.field("logits", pa.list_(pa.float32())))
        if probs:
            fields.append(pa.field("probs", pa.list_(pa.float32())))
        if top_k is not None:
            check_count(top_k, 1, len(classifier.class_names), "top_k", "predict")
            pair = pa.struct([pa.field("label", names), pa.field("probability", pa.float32())])
            fields.append(pa.field("top_k", pa.list_(pair)))
        clash = [field.name for field in fields if f"{prefix or ''}{field.name}" in taken]
        if clash and prefix is not None:
            raise OptionError(f"The input has a column {prefix + clash[0]!r} already; choose another --prefix.")
        self.renamed = bool(clash)
        self.prefix = _PREFIX if clash else prefix or ""
        if clash and any(self.prefix + field.name in taken for field in fields):
            raise OptionError(
                f"The input has columns of our names, also with {_PREFIX!r} before them; choose a --prefix."
            )
        self._fields = fields
        self._classifier, self._labels_only, self._top_k, self._threshold = classifier, labels_only, top_k, threshold
        self._outliers = outliers
        self._names = pa.array(classifier.class_names, names)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of the output table."""
        for field in self._fields:
            schema = schema.append(field.with_name(self.prefix + field.name))
        return schema

    def append(self, batch: pa.RecordBatch, text: str) -> pa.RecordBatch:
        """Return the batch with the new columns; `text` names the column of texts."""
        made = self._columns(batch.column(text))
        arrays = [*batch.columns, *(made[field.name] for field in self._fields)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema(batch.schema))

    def _columns(self, texts: pa.Array) -> dict[str, pa.Array]:
        if self._labels_only:
            return {"label": self._name(argmax(self._classifier.predict_logits(texts)))}
        decided, logits = self._classifier.decide_columns(texts, threshold=self._threshold, outliers=self._outliers)
        wanted = {field.name for field in self._fields}
        made = {
            "label": self._name(decided.raw_labels),
            "probability": pa.array(decided.probabilities.astype(np.float32)),
            "decision": self._name(decided.labels),
            "reason": pa.array([str(reason) for reason in Reason]).take(pa.array(decided.reasons)),
        }
        if "logits" in wanted:
            made["logits"] = as_lists(pa.array(logits.ravel()), len(logits))
        if wanted & {"probs", "top_k"}:
            probs = agree(softmax(logits, temperature=self._classifier.temperature), logits)
            made["probs"] = as_lists(pa.array(probs.ravel()), len(probs))
            if self._top_k is not None:
                values, indices = top_k(probs, self._top_k)
                pairs = [self._name(indices.ravel()), pa.array(values.ravel())]
                made["top_k"] = as_lists(pa.StructArray.from_arrays(pairs, ["label", "probability"]), len(probs))
        return made

    def _name(self, labels: NDArray[np.intp]) -> pa.Array:
        """Return class indices as names; null where it is -1."""
        return self._names.take(pa.array(labels, mask=labels < 0))


def as_lists(values: pa.Array, rows: int) -> pa.Array:
    """Cut `values` into `rows` lists of equal length."""
    width = len(values) // max(1, rows)
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * width), values)
