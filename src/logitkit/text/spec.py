"""Which n-grams of a text are features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import OptionError
from logitkit.kernels.ngrams import MAX_ORDER

__all__ = ["NONE", "NgramSpec"]

NONE = (1, 0)
"""No n-grams of this kind: the highest order is below the lowest."""


@dataclass(frozen=True, slots=True)
class NgramSpec:
    """Lowest and highest order of each kind of n-gram, from 1 to 8; `(1, 0)` is none.

    Attributes:
        words: n-grams of tokens. A word is a run of letters and digits; an ideograph (Han, Kana, Hangul) and a symbol
            (punctuation, currency, emoji) are tokens of their own.
        chars: n-grams of characters inside a word, a space on either side; of a word's first 64 characters.
        ideographs: n-grams of characters inside a run of ideographs, a space on either side.

    Raises:
        OptionError: if an order is out of range, or there are no word n-grams.

    Example:
        >>> from logitkit.text.spec import NgramSpec
        >>> NgramSpec(words=(1, 1)).words
        (1, 1)
    """

    words: tuple[int, int] = (1, 2)
    chars: tuple[int, int] = (3, 5)
    ideographs: tuple[int, int] = (2, 3)

    def __post_init__(self) -> None:
        for name in ("words", "chars", "ideographs"):
            lowest, highest = getattr(self, name)
            empty = (lowest, highest) == NONE and name != "words"
            if not empty and not 1 <= lowest <= highest <= MAX_ORDER:
                raise OptionError(
                    f"The '{name}' option of NgramSpec must be a pair from 1 to {MAX_ORDER}, the lower first; "
                    f"got {(lowest, highest)}."
                )

    def orders(self) -> NDArray[np.int64]:
        """Return the six orders as the kernels take them."""
        return np.array([*self.words, *self.chars, *self.ideographs], np.int64)
