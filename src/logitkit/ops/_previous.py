"""The tokens that went before each row, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only, to_numpy
from logitkit.checks import input_error
from logitkit.kernels.penalties import penalise_block
from logitkit.ops.sampling_options import SamplingOptions

__all__ = ["Penalties"]


class Penalties:
    """The factor and the terms of the penalties, and every row's previous tokens, one after the other."""

    def __init__(self, options: SamplingOptions, indptr: NDArray[np.intp], tokens: NDArray[np.intp]) -> None:
        terms = options.presence_penalty, options.frequency_penalty
        self.numbers = (float(options.repetition_penalty), float(terms[0]), float(terms[1]))
        self.indptr, self.tokens = indptr, tokens

    def lower(self, block: NDArray[Any], start: int) -> None:
        """Lower the logits of a block in place; `start` is the number of its first row."""
        indptr = self.indptr[start : start + len(block) + 1]
        penalise_block(block, indptr, self.tokens, *self.numbers, np.zeros(block.shape[1], np.intp))

    @classmethod
    def of(
        cls, options: SamplingOptions, previous: Any, shape: tuple[int, ...], V: int, function: str
    ) -> Penalties | None:
        """Return the penalties, or None where nothing is penalised."""
        if previous is None or (
            options.repetition_penalty == 1.0 and options.presence_penalty == options.frequency_penalty == 0.0
        ):
            return None
        lists = _token_lists(previous, shape, function)
        indptr = np.zeros(len(lists) + 1, np.intp)
        np.cumsum([len(tokens) for tokens in lists], out=indptr[1:])
        for row, tokens in enumerate(lists):
            if tokens.size and (tokens.min() < -1 or tokens.max() >= V):
                wrong = tokens[(tokens < -1) | (tokens >= V)][0]
                raise input_error("previous", function, f"token indices in [0, {V}), or -1", f"{wrong} in row {row}")
        return cls(options, read_only(indptr), read_only(np.concatenate([*lists, np.empty(0, np.intp)])))


def _token_lists(previous: Any, shape: tuple[int, ...], function: str) -> list[NDArray[np.intp]]:
    """Return each row's previous tokens."""
    rows = int(np.prod(shape))
    if not shape:
        lists: Sequence[Any] = [previous]
    elif isinstance(previous, (list, tuple)) and len(shape) == 1:
        lists = previous
    else:
        array = to_numpy(previous, "previous", function)
        if array.ndim != len(shape) + 1 or array.shape[:-1] != shape:
            wanted = f"of the shape {[*shape, 'T']}".replace("'", "")
            raise input_error("previous", function, wanted, f"the shape {list(array.shape)}")
        lists = list(array.reshape(rows, array.shape[-1]))
    if len(lists) != rows:
        raise input_error("previous", function, f"a sequence for each of {rows} rows", f"{len(lists)} sequences")
    arrays = [to_numpy(tokens, "previous", function) for tokens in lists]
    for array in arrays:
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            found = f"{array.dtype.name} of the shape {list(array.shape)}"
            raise input_error("previous", function, "sequences of integers", found)
    return [array.astype(np.intp) for array in arrays]
