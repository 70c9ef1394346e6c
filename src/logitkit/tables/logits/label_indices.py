"""Labels as they were found → class indices `[N]`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError
from logitkit.tables.logits.label_values import FoundLabels
from logitkit.tables.logits.names import shown

__all__ = ["class_indices"]


def class_indices(
    found: FoundLabels, N: int, C: int, class_names: Sequence[str] | None, logits: str, *, ignored: int | None = None
) -> NDArray[np.intp]:
    """Return class indices in [0, C), one for each row.

    Text is the name of a class. Numbers are indices, also as text, unless a class is called by a number: then they are
    names too.

    Args:
        found: `[N]`, `[N, 1]`, or one-hot `[N, C]`.
        N: The rows of logits.
        C: The classes.
        class_names: Their names, or None.
        logits: What messages call the logits.
        ignored: An index that is no class and stays as it is, such as -100.

    Raises:
        InputError: If there are not N labels, or one is no class; it is named. Labels from 1 to C are said to be such.

    Example:
        >>> found = FoundLabels("labels.csv", np.array([0, 1, 0]), ("no", "yes"), 1)
        >>> class_indices(found, 3, 2, ("yes", "no"), "logits.npy")
        array([1, 0, 1])
    """
    if found.values.shape == (N, C) and C > 1:
        return _from_one_hot(found)
    values, texts = found.one_a_row(N, logits), found.texts
    numbered = class_names is not None and any(map(_is_index, class_names))
    if texts is None and numbered and class_names != tuple(map(str, range(C))):
        known, values = np.unique(found.whole_numbers(values), return_inverse=True)
        texts = tuple(map(str, known.tolist()))
    if texts is not None and (numbered or not all(map(_is_index, texts))):
        return _from_names(found, values, texts, class_names)
    if texts is not None:
        values = np.array([int(text.partition(".")[0]) for text in texts], np.int64)[values]
    return _checked(found, found.whole_numbers(values), C, ignored)


def _is_index(text: str) -> bool:
    """Whether a text is a whole number, such as 3 or 3.0."""
    whole, _, rest = text.strip().partition(".")
    return whole.removeprefix("-").isdecimal() and len(whole) < 19 and not rest.strip("0")


def _from_one_hot(found: FoundLabels) -> NDArray[np.intp]:
    values = found.values
    wrong = ((values == 1).sum(axis=1) != 1) | ((values == 0).sum(axis=1) != values.shape[1] - 1)
    if wrong.any():
        place = found.row_name(int(np.argmax(wrong)))
        raise InputError(
            f"{found.source} is not one 1 and else 0 in {place}; pass --multilabel (multilabel=True) if several classes"
            " can be right in a row."
        )
    classes: NDArray[np.intp] = values.argmax(axis=1)
    return classes


def _from_names(
    found: FoundLabels, values: NDArray[Any], texts: tuple[str, ...], class_names: Sequence[str] | None
) -> NDArray[np.intp]:
    if class_names is None:
        raise InputError(
            f"{found.source} has text such as {texts[0][:40]!r}, and nothing says which class is which logit; pass the"
            " names in the order of the logits by --classes (class_names), or give class indices."
        )
    place = {name: index for index, name in enumerate(class_names)}
    indices: NDArray[np.intp] = np.array([place.get(text, -1) for text in texts], np.intp)[values]
    if indices.min(initial=0) < 0:
        odd = np.array([text not in place and not _is_index(text) for text in texts])[values]
        row = int(np.argmax(odd)) if odd.any() else int(np.argmax(indices < 0))  # a number may have been right
        text = texts[values[row]]
        close = difflib.get_close_matches(text, class_names, 1)
        has = f"{text[:40]!r} in {found.row_name(row)}, which is none of the classes"
        raise InputError(
            f"{found.source} has {has}" + (f"; did you mean {close[0]!r}?" if close else f": {shown(class_names)}.")
        )
    return indices


def _checked(found: FoundLabels, indices: NDArray[np.int64], C: int, ignored: int | None) -> NDArray[np.intp]:
    outside = (indices < 0) | (indices >= C)
    if ignored is not None:
        outside &= indices != ignored
    if outside.any():
        counted = indices if ignored is None else indices[indices != ignored]
        if counted.min() == 1 and counted.max() == C:
            raise InputError(
                f"{found.source} looks one-based: the labels run from 1 to {C}, and class indices from 0 to {C - 1};"
                " subtract 1 from each."
            )
        row = int(np.argmax(outside))
        raise InputError(
            f"{found.source} has {indices[row]} in {found.row_name(row)}, and the {C} classes are 0 to {C - 1}; correct"
            " it, or leave out rows without a label."
        )
    return indices.astype(np.intp, copy=False)
