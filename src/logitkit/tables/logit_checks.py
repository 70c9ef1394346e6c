"""Whether logits and labels look like what they are said to be: asked before any figure is computed from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.tables.logit_look import Look, look_at, nan_rows
from logitkit.tables.stored import StoredRows

__all__ = ["Finding", "check_logits"]

_ENOUGH_FOR_ARG_MAX = 100  # rows that are all right by chance only if the model is very good
_ENOUGH_FOR_CHANCE = 20
_LISTED = 10


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or odd about logits or labels.

    Attributes:
        code: A word for it. Fatal are `nan`, `looks_like_probs`, `constant_logits`, `one_class`, `no_label` and
            `fewer_rows_than_classes`; odd are `infinite`, `missing_classes`, `labels_are_arg_max` and
            `no_better_than_chance`.
        sentence: What, where, what was found, and what to do.
        fatal: Whether figures made of such data would mean nothing.

    Example:
        >>> Finding("infinite", "logits.npy has 3 logits of -inf.", fatal=False).code
        'infinite'
    """

    code: str
    sentence: str
    fatal: bool


def check_logits(
    rows: StoredRows, labels: NDArray[Any] | None, *, probs: bool = False, name: str = "The file"
) -> tuple[Finding, ...]:
    """Look at logits and labels, and return what is wrong or odd: fatal findings first.

    All logits are looked at if they are at most 50 million, else 100,000 rows, evenly spaced: a NaN in another row is
    for the caller's own pass to find. Labels are looked at in full.

    Args:
        rows: `[N, C]` with a row and a class at least, as `open_logits` gives them.
        labels: Class indices `[N]`, or 0 and 1 `[N, C]` if several classes can be right, or None.
        probs: Whether `rows` were made from probabilities, which are checked when they are read.
        name: What sentences call the logits.

    Returns:
        The findings; none where all is well.

    Raises:
        InputError: If the rows cannot be read, or were made from what are no probabilities.

    Example:
        >>> from logitkit.tables import MemoryRows
        >>> rows = MemoryRows([[0.7, 0.3], [0.1, 0.9], [0.5, 0.5]])
        >>> [(finding.code, finding.fatal) for finding in check_logits(rows, np.array([0, 1, 1]))]
        [('looks_like_probs', True)]
    """
    several = labels is not None and labels.ndim == 2
    seen = look_at(rows, None if several else labels)
    findings = [*_of_logits(rows, seen, probs, several, name)]
    if labels is not None:
        findings += _of_labels(labels, rows.shape[1], name)
        if not several and not seen.has_nan:
            findings += _of_both(seen, rows.shape[1], name)
    return tuple(sorted(findings, key=lambda finding: not finding.fatal))


def _of_logits(rows: StoredRows, seen: Look, probs: bool, several: bool, name: str) -> Iterator[Finding]:
    N, C = rows.shape
    if seen.has_nan:
        row, count = nan_rows(rows)
        has = f"NaN in {rows.row_name(row)}" + (f" and in {count - 1:,} other rows" if count > 1 else "")
        yield Finding("nan", f"{name} has {has}; find out where it comes from, or leave such rows out.", True)
    elif not probs and seen.in_unit_interval and (several or seen.sum_to_one):
        yield Finding(
            "looks_like_probs",
            f"{name} holds what look like probabilities, in [0, 1]{'' if several else ' with rows that sum to 1'}, and"
            " logits are expected; pass --probs (probs=True), or give the logits.",
            True,
        )
    elif not (seen.rows_vary and seen.rows_differ):
        same = "all rows are the same" if not seen.rows_differ else "all logits of each row are the same"
        yield Finding("constant_logits", f"{name} says nothing: {same}; check what was saved.", True)
    if N < C:
        yield Finding(
            "fewer_rows_than_classes",
            f"{name} has {N:,} row{'s' * (N > 1)} and {C:,} classes, too few for figures that mean something; give"
            " more rows, or check that rows are samples and columns are classes.",
            True,
        )
    if not probs and (seen.plus_inf or seen.minus_inf):
        where = "" if seen.n_rows == N else f" in {seen.n_rows:,} rows looked at"
        counts = f"{seen.plus_inf:,} logits of +inf and {seen.minus_inf:,} of -inf"
        yield Finding(
            "infinite", f"{name} has {counts}{where}; they count as classes that are certain or cannot be.", False
        )


def _of_labels(labels: NDArray[Any], C: int, name: str) -> Iterator[Finding]:
    counts = labels.sum(axis=0, dtype=np.int64) if labels.ndim == 2 else np.bincount(labels, minlength=C)
    missing = np.flatnonzero(counts == 0)
    if labels.ndim == 2 and missing.size == C:
        yield Finding("no_label", f"No label of {name} is 1, so nothing can be learnt; check the labels.", True)
    elif labels.ndim == 1 and missing.size == C - 1:
        only = int(np.argmax(counts))
        yield Finding(
            "one_class",
            f"All labels of {name} are class {only}, so nothing can be learnt of the other {C - 1:,}; give rows of two"
            " classes or more.",
            True,
        )
    elif missing.size:
        listed = ", ".join(map(str, missing[:_LISTED])) + ", …" * (missing.size > _LISTED)
        which = f"class {listed}" if missing.size == 1 else f"{missing.size:,} of {C:,} classes ({listed})"
        yield Finding(
            "missing_classes", f"No row of {name} has the label of {which}; nothing can be said of such a class.", False
        )


def _of_both(seen: Look, C: int, name: str) -> Iterator[Finding]:
    if seen.n_correct == seen.n_rows >= _ENOUGH_FOR_ARG_MAX:
        yield Finding(
            "labels_are_arg_max",
            f"The labels of {name} are the arg max of the logits in all {seen.n_rows:,} rows looked at, as if they were"
            " the model's own answers; check that they are the true ones.",
            False,
        )
    elif seen.n_rows >= _ENOUGH_FOR_CHANCE and seen.n_correct * C <= seen.n_rows:
        yield Finding(
            "no_better_than_chance",
            f"The arg max of {name} is the label in {seen.n_correct / seen.n_rows:.1%} of {seen.n_rows:,} rows looked"
            f" at, no more than chance among {C:,} classes; check that rows and classes are in the labels' order.",
            False,
        )
