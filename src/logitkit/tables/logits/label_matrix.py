"""Labels where several classes can be right in a row: 0 and 1 `[N, C]`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.logits.label_values import FoundLabels

__all__ = ["label_matrix", "looks_multilabel"]


def label_matrix(found: FoundLabels, N: int, C: int, logits: str) -> NDArray[np.int8]:
    """Return 0 and 1 `[N, C]`: which classes are right in each row.

    Args:
        found: `[N, C]`, or `[N]` where C is 1.
        N: The rows of logits.
        C: The classes.
        logits: What messages call the logits.

    Raises:
        InputError: If the shape is another, or a value is neither 0 nor 1; it is named.

    Example:
        >>> label_matrix(FoundLabels("labels.npy", np.array([[1.0, 0.0, 1.0]]), None, 0), 1, 3, "logits.npy")
        array([[1, 0, 1]], dtype=int8)
    """
    values = found.values[:, None] if found.values.ndim == 1 == C else found.values
    if values.shape != (N, C) or found.texts is not None:
        has = "text" if found.texts is not None else f"the shape {list(found.values.shape)}"
        raise InputError(
            f"{found.source} has {has}, and {logits} the shape {[N, C]}; where several classes can be right, labels are"
            " 0 and 1 of the same shape."
        )
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        row, column = divmod(int(np.argmax(wrong)), C)
        has = f"{values[row, column]:g} in {found.row_name(row)} for class {column}"
        raise InputError(f"{found.source} has {has}; where several classes can be right, labels are 0 and 1.")
    return np.ascontiguousarray(values, np.int8)


def looks_multilabel(found: FoundLabels, C: int) -> bool:
    """Whether the shape `[N, C]` of labels says that several classes can be right in a row.

    Raises:
        InputError: If there is one 1 in each row: then a person has to say what is meant.

    Example:
        >>> looks_multilabel(FoundLabels("labels.npy", np.array([[1, 0, 1], [0, 0, 1]]), None, 0), 3)
        True
    """
    values = found.values
    if values.ndim != 2 or values.shape[1] == 1 or found.texts is not None:
        return False
    if values.shape[1] == C and len(values) and ((values == 1).sum(axis=1) == 1).all():
        raise InputError(
            f"{found.source} has one 1 in each row: pass --multilabel (multilabel=True) if several classes can be right"
            " in a row, or else --no-multilabel (multilabel=False)."
        )
    return True
