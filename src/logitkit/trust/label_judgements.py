"""What confident learning sees in rows of logits or probabilities, block by block, on all threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only, to_numpy
from logitkit.checks import as_labels, input_error
from logitkit.errors import InputError
from logitkit.kernels import run_blocks, split
from logitkit.trust.rows import given_values

__all__ = ["Judged", "Labels", "judge_labels"]

Array = NDArray[Any]
Labels = NDArray[np.intp]
Judged = dict[str, Array]
"""Of each row: the confident class (-1 is none), the best class, their and the label's probability, the log odds."""

R = TypeVar("R")

_COLUMNS = {"confident": np.int32, "best": np.int32, "p_given": np.float64, "p_confident": np.float64}
_COLUMNS |= {"p_best": np.float64, "log_odds": np.float64}  # in the order of the kernels' outputs
_BLOCK = 2**20  # logits in a block
_TOGETHER = 16  # blocks whose judgements are held at a time


def judge_labels(
    labels: Any, logits: Any, probs: Any, thresholds: NDArray[np.float64], first_row: int, function: str,
    reduce: Callable[[int, Labels, Judged], R],
) -> Iterator[R]:  # fmt: skip
    """Check rows, judge them, and yield of each block what `reduce` makes of its first row, labels and judgements.

    Args:
        labels: `[n]` integers in [0, C).
        logits: `[n, C]`, or
        probs: `[n, C]`; exactly one of both is given.
        thresholds: `[C]`: a row may be confidently of a class where its probability is so large.
        first_row: the number of the first row.
        function: what errors call the caller.
        reduce: called on any thread.
    """
    from logitkit.kernels.label_errors import judge_logits, judge_probs

    name, values = given_values(logits, probs, function)
    N, C = values.shape
    if len(thresholds) != C:
        raise input_error(name, function, f"of {len(thresholds)} classes", f"the shape {list(values.shape)}")
    y = _as_one_label(labels, N, C, function)
    dtype, t = compute_dtype(values.dtype), read_only(thresholds)
    with np.errstate(divide="ignore"):
        log_t = read_only(np.log(thresholds))

    def work(start: int, stop: int) -> tuple[int, R | None]:
        block, y_block = read_only(np.ascontiguousarray(values[start:stop], dtype)), y[start:stop]
        judged = {name: np.empty(stop - start, kind) for name, kind in _COLUMNS.items()}
        if probs is None:
            wrong = judge_logits(block, y_block, t, log_t, *judged.values())
        else:
            wrong = judge_probs(block, y_block, t, *judged.values())
        return wrong, reduce(first_row + start, y_block, judged) if wrong < 0 else None

    blocks = split(N, min(max(_BLOCK // C, 64), 2**15))
    for some in split(len(blocks), _TOGETHER):
        part = blocks[slice(*some)]
        for (start, _), (wrong, reduced) in zip(part, run_blocks(work, part), strict=True):
            if reduced is None:
                raise _wrong_row(name, function, values[start + wrong], first_row + start + wrong)
            yield reduced


def _as_one_label(labels: Any, N: int, C: int, function: str) -> Labels:
    array = to_numpy(labels, "labels", function)
    if array.ndim == 2:
        raise InputError(
            f"The 'labels' of {function} must be one class a row; got the shape {list(array.shape)}: of rows with "
            f"several labels, pass one label at a time, as 0 and 1, with its logits z as the two columns 0 and z."
        )
    return as_labels(array, (N,), C, function)


def _wrong_row(name: str, function: str, row: Array, number: int) -> InputError:
    values = row.astype(np.float64)
    if np.isnan(values).any():
        return input_error(name, function, "free of NaN", f"NaN in row {number}")
    with np.errstate(invalid="ignore"):  # infinities of both signs have no sum
        found = f"values in [{values.min():.6g}, {values.max():.6g}] with sum {values.sum():.6g} in row {number}"
    return input_error(name, function, "in [0, 1] with rows that sum to 1 (logits are passed as logits)", found)
