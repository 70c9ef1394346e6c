"""Groups as they were found → an index for each row, and the groups' names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logitkit.tables.logits.label_values import FoundLabels

__all__ = ["group_codes"]


def group_codes(found: FoundLabels, N: int, logits: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the group of each row as an index, and the groups' names: numbers by size, texts by letters.

    Args:
        found: `[N]` texts or whole numbers.
        N: The rows of logits.
        logits: What messages call the logits.

    Raises:
        InputError: If there are not N, or a number is not whole.

    Example:
        >>> group_codes(FoundLabels("news.csv, column 'region'", np.array([1, 0]), ("us", "eu"), 1), 2, "news.csv")
        (array([0, 1]), ('eu', 'us'))
    """
    values = found.one_a_row(N, logits, "group")
    if found.texts is None:
        numbers, codes = np.unique(found.whole_numbers(values), return_inverse=True)
        return codes.astype(np.intp), tuple(map(str, numbers.tolist()))
    order = sorted(range(len(found.texts)), key=found.texts.__getitem__)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return rank[values], tuple(found.texts[place] for place in order)
