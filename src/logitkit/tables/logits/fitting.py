"""What was found in files, put together: shapes that agree, and labels that are class indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.logits.groups import group_codes
from logitkit.tables.logits.label_indices import class_indices
from logitkit.tables.logits.label_matrix import label_matrix, looks_multilabel
from logitkit.tables.logits.label_values import FoundLabels
from logitkit.tables.logits.record import LogitsFile
from logitkit.tables.stored import StoredRows, as_log_odds, as_log_probs
from logitkit.tables.stored.views import SomeRows

__all__ = ["FoundLogits", "fitted"]

_IGNORED = -100
"""The label of a position that counts for nothing, as language models have it."""


@dataclass(frozen=True)
class FoundLogits:
    """What a file holds before its parts have been compared."""

    rows: StoredRows
    shape: tuple[int, ...]
    labels: FoundLabels | None
    groups: FoundLabels | None
    class_names: tuple[str, ...] | None
    names: tuple[str, ...]


def fitted(name: str, found: FoundLogits, probs: bool, multilabel: bool | None) -> LogitsFile:
    """Compare shapes, and make indices of the labels.

    Raises:
        InputError: If there are no rows or one class, shapes disagree, or a label is no class.
    """
    rows, groups = found.rows, found.groups
    (N, C), tokens = rows.shape, len(found.shape) == 3
    if N == 0 or C == 0:
        raise InputError(f"{name} has the shape {list(found.shape)}, without a logit; [N, C] are needed.")
    _check_class_names(name, found.class_names, C)
    labels = _by_position(name, found) if tokens else found.labels
    if multilabel is None:
        multilabel = labels is not None and looks_multilabel(labels, C)
    if C == 1 and not multilabel:
        raise InputError(
            f"{name} has one logit a row, of the shape {list(found.shape)}, and two classes are needed: save"
            " numpy.stack([zeros, logits], axis=1), or pass --multilabel (multilabel=True) if it is one label of many."
        )
    indices: NDArray[Any] | None = None
    codes, group_names = (None, None) if groups is None else group_codes(groups, N, name)
    if labels is not None and multilabel:
        indices = label_matrix(labels, N, C, name)
    elif labels is not None:
        indices = class_indices(labels, N, C, found.class_names, name, ignored=_IGNORED if tokens else None)
        if tokens and indices.min() == _IGNORED:
            kept = np.flatnonzero(indices != _IGNORED)
            if not kept.size:
                raise InputError(f"{labels.source} is {_IGNORED} everywhere, which counts for nothing; give labels.")
            rows, indices = SomeRows(rows, kept), indices[kept]
            codes = None if codes is None else codes[kept]
    if probs:
        rows = as_log_odds(rows, name) if multilabel else as_log_probs(rows, name)
    return LogitsFile(name, rows, indices, found.class_names, codes, group_names, multilabel, probs)


def _by_position(name: str, found: FoundLogits) -> FoundLabels | None:
    """Return the labels `[N, T]` of logits `[N, T, V]` as `[N * T]`."""
    labels, T = found.labels, found.shape[1]
    if labels is None:
        return None
    if labels.values.shape != found.shape[:2]:
        said = f"{labels.source} has the shape {list(labels.values.shape)}, and {name} {list(found.shape)}"
        raise InputError(f"{said}; its labels are {list(found.shape[:2])}, one a position.")
    return replace(labels, values=labels.values.reshape(-1), positions=T)


def _check_class_names(name: str, class_names: Sequence[str] | None, C: int) -> None:
    if class_names is None:
        return
    if len(class_names) != C:
        raise InputError(f"{name} has {C:,} classes, and {len(class_names):,} names of classes are given; name each.")
    if len(set(class_names)) < C:
        twice = next(word for word in class_names if class_names.count(word) > 1)
        raise InputError(f"Two classes of {name} have the name {twice!r}; give each its own.")
