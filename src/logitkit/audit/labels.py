"""Labels that are probably wrong: a few for the record, and all of a file, however large, as a table."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from logitkit.audit.record import LabelErrorFigures, SuspectLabel
from logitkit.audit.rows import Sample, refuse_nan
from logitkit.errors import OptionError
from logitkit.kernels import split
from logitkit.tables import LogitsFile, open_writer
from logitkit.trust.calibrators.base import Array, Calibrator
from logitkit.trust.label_error_finder import LabelErrorFinder
from logitkit.trust.label_error_list import LabelErrors
from logitkit.trust.label_errors import find_label_errors

__all__ = ["label_error_figures", "write_label_errors"]

_SHOWN = 20
_PAIRS = 10
_MOST_WRITTEN = 1_000_000
_BLOCK_BYTES = 16 << 20


def label_error_figures(compared: Sample, log_probs: Array, class_names: tuple[str, ...]) -> LabelErrorFigures:
    """Find the labels of the compared rows that are probably wrong, by their calibrated probabilities."""
    found = find_label_errors(compared.labels, logits=log_probs)
    likeliest = tuple(
        SuspectLabel(
            int(compared.numbers[found.rows[i]]), class_names[found.given[i]], class_names[found.suggested[i]],
            float(found.p_given[i]), float(found.p_suggested[i]),
        )
        for i in range(min(_SHOWN, len(found)))
    )  # fmt: skip
    pairs = tuple((class_names[one.given], class_names[one.suggested], one.rows) for one in found.by_pair(_PAIRS))
    return LabelErrorFigures(len(compared), found.n_suspects, likeliest, pairs)


def write_label_errors(
    file: LogitsFile,
    calibrator: Calibrator,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Write every suspicious label of a file to a table, the most suspicious first, and return how many there are.

    Two passes over the file; memory grows with what is found, never with the rows. A calibrator changes no order within
    a row that a temperature would not, and is applied so that its probabilities compare between rows.

    Args:
        file: with labels.
        calibrator: of its model.
        path: a table; it appears whole or not at all.
        force: replace a table that exists.
        progress: called with the fraction done.

    Raises:
        OptionError: if the model is multi-label.
        OutputError: if the path is refused or the disk is full.
    """
    if file.multilabel or file.labels is None:
        raise OptionError("Label errors are found where each row has one label; leave out --label-errors.")
    names = file.class_names or tuple(map(str, range(file.rows.shape[1])))
    found = _find(file, calibrator, progress)
    columns: dict[str, Any] = found.to_table(names)
    table = pa.table(columns)
    with open_writer(path, table.schema, force=force) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return len(found)


def _find(file: LogitsFile, calibrator: Calibrator, progress: Callable[[float], None]) -> LabelErrors:
    rows, labels = file.rows, file.labels
    assert labels is not None
    N, C = rows.shape
    blocks = split(N, max(1, _BLOCK_BYTES // (C * rows.dtype.itemsize)))
    finder = LabelErrorFinder(C, most=_MOST_WRITTEN)
    for passed, update in enumerate((finder.update_thresholds, finder.update)):
        for start, stop in blocks:
            logits = rows.read(start, stop)
            refuse_nan(rows, file.name, logits, range(start, stop))
            update(labels[start:stop], logits=calibrator.log_probs(logits))
            progress((passed + stop / N) / 2)
    return finder.finish()
