"""What a reader should know of the data before believing the figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from logitkit.audit.record import OutlierFigures, Sentence
from logitkit.audit.rows import Deal, Sample
from logitkit.ops import argmax
from logitkit.tables import LogitsFile

__all__ = ["data_notes", "split_notes"]

_FEW_ROWS = 100


def split_notes(deal: Deal, file: LogitsFile, class_names: tuple[str, ...]) -> Iterator[Sentence]:
    """Say what is odd about the rows that fit and the rows that judge."""
    if deal.judged_rows < _FEW_ROWS:
        yield Sentence("note.few_rows", {"rows": deal.judged_rows})
    if deal.capped:
        yield Sentence("note.fit_capped", {"rows": len(deal.fit)})
    if len(deal.compared) < deal.judged_rows:
        yield Sentence("note.sampled", {"rows": deal.judged_rows, "compared": len(deal.compared)})
    if file.multilabel:
        return
    C = len(class_names)
    assert file.labels is not None
    named = np.bincount(file.labels, minlength=C) > 0
    fitted = np.bincount(deal.fit.labels, minlength=C) > 0
    for key, missing in (("note.absent_labels", ~named), ("note.missing_classes", named & ~fitted)):
        if missing.any():
            first = class_names[int(np.argmax(missing))]
            yield Sentence(key, {"count": int(missing.sum()), "example": first})


def data_notes(file: LogitsFile, compared: Sample, outliers: tuple[OutlierFigures, ...]) -> Iterator[Sentence]:
    """Say what is odd about the logits that judge."""
    if any(one.refused for one in outliers) and not file.probs:
        yield Sentence("note.log_probs", {})
    if file.probs:
        impossible = np.isneginf(compared.logits[np.arange(len(compared)), compared.labels])
        yield Sentence("note.probs", {"zeros": int(impossible.sum())})
    predicted = np.unique(argmax(compared.logits))
    if len(predicted) == 1:
        names = file.class_names
        name = names[int(predicted[0])] if names else str(predicted[0])
        yield Sentence("note.one_class_predicted", {"name": name})
