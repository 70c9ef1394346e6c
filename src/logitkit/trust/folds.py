"""Which rows are held out when: every class spread evenly, groups kept together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FOLDS", "deal_folds"]

FOLDS = 5


def deal_folds(labels: NDArray[np.intp], groups: NDArray[np.intp] | None, seed: int) -> NDArray[np.int8]:
    """Return each row's fold, 0 to 4, every class spread evenly; -1 for the only example of a class.

    Rows of one group are in one fold, dealt by the label of the group's first row.

    Args:
        labels: `[N]` class indices.
        groups: `[N]` or None.
        seed: of the order in which rows are dealt.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.folds import deal_folds
        >>> sorted(deal_folds(np.array([0] * 5 + [1]), None, seed=0).tolist())
        [-1, 0, 1, 2, 3, 4]
    """
    if groups is not None:
        _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
        return deal_folds(labels[firsts], None, seed)[members]
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    folds = np.empty(len(labels), np.int8)
    folds[by_class] = rank % FOLDS
    folds[counts[labels] == 1] = -1
    return folds
