"""Which word moved which logit, and by how much: exact, for the layer is linear.

    logit_c = bias_c + Σ_f weight(f) · W[f, c]

A feature that occurs k times gives each occurrence 1 / k of its product; an occurrence that covers several tokens gives
each an equal share. So the contributions of all tokens plus the bias are the logit, to float rounding.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import InputError, OptionError
from logitkit.model.linear import LinearModel
from logitkit.text import Vocabulary, as_column

__all__ = ["Explanation", "explain"]

_MAX_BYTES = 10_000_000  # some 2 GB and 10 s: beyond it, nobody reads what each token adds


@dataclass(frozen=True)
class Explanation:
    """One text's logits, taken apart.

    Attributes:
        tokens: the T tokens, as the model reads them: lower-cased, NFKC.
        contributions: `[T, C]` float64; what token t adds to the logit of class c.
        bias: `[C]` float64; what every text starts from.
        logits: `[C]` float32, as `predict_logits` gives them; contributions.sum(axis=0) + bias, to rounding.
        class_names: the C classes.
        temperature: what the model divides its logits by.
    """

    tokens: tuple[str, ...]
    contributions: NDArray[np.float64]
    bias: NDArray[np.float64]
    logits: NDArray[np.float32]
    class_names: tuple[str, ...]
    temperature: float

    def top(self, class_name: str, k: int = 10) -> list[tuple[str, float]]:
        """Return the `k` tokens that moved the logit of one class most, up or down, the strongest first.

        Repeated tokens are added up.

        Raises:
            OptionError: if there is no such class.
        """
        if class_name not in self.class_names:
            names = ", ".join(map(repr, self.class_names[:12])) + (", …" if len(self.class_names) > 12 else "")
            raise OptionError(f"There is no class {class_name!r:.50}; the classes are {names}.")
        column = self.class_names.index(class_name)
        sums: dict[str, float] = {}
        for token, value in zip(self.tokens, self.contributions[:, column].tolist(), strict=True):
            sums[token] = sums.get(token, 0.0) + value
        return sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))[:k]

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings."""
        return {
            "tokens": list(self.tokens),
            "classes": list(self.class_names),
            "contributions": self.contributions.tolist(),
            "bias": self.bias.tolist(),
            "logits": self.logits.tolist(),
            "temperature": self.temperature,
        }


def explain(
    text: str, vocabulary: Vocabulary, layer: LinearModel, class_names: tuple[str, ...], temperature: float
) -> Explanation:
    """Take the logits of one text apart, token by token.

    Args:
        text: any text; one without known n-grams has contributions of zero.
        vocabulary: the n-grams that the layer knows.
        layer: weights `[F, C]` and bias `[C]`.
        class_names: the C classes.
        temperature: passed on.

    Raises:
        InputError: if `text` is not a string, or has more than 10 million bytes.

    Example:
        >>> from logitkit import TextClassifier
        >>> texts, labels = ["a fast chip", "a late goal"] * 10, ["tech", "sport"] * 10
        >>> found = TextClassifier().fit(texts, labels).explain("a chip")
        >>> found.top("tech", 1)[0][0]
        'chip'
    """
    column = as_column([text])
    size = int(column.offsets[-1]) - int(column.offsets[0])
    if size > _MAX_BYTES:
        raise InputError(
            f"A text of up to {_MAX_BYTES:,} bytes can be explained word by word; this one has {size:,}: cut it."
        )
    features = vocabulary.transform(column)
    found = vocabulary.occurrences(column)
    # Only the text's own features matter: `place` is where each occurrence's feature stands among them.
    order = np.argsort(features.indices)
    place = order[np.searchsorted(features.indices, found.features, sorter=order)]
    counts = np.bincount(place, minlength=len(features.data))
    spans = (found.last_tokens - found.first_tokens + 1).astype(np.float64)
    shares = features.data[place] / (counts[place] * spans)
    contributions = np.zeros((len(found.token_starts), len(class_names)))
    for offset in range(int(spans.max()) if len(spans) else 0):
        covers = np.flatnonzero(spans > offset)
        parts = shares[covers, None] * layer.weights[found.features[covers]]
        np.add.at(contributions, found.first_tokens[covers] + offset, parts)
    raw = column.data.tobytes()
    tokens = tuple(
        unicodedata.normalize("NFKC", raw[start:stop].decode("utf-8", "replace")).lower()
        for start, stop in zip(found.token_starts.tolist(), found.token_stops.tolist(), strict=True)
    )
    return Explanation(
        tokens, contributions, layer.bias.astype(np.float64), layer.logits(features)[0], class_names, temperature
    )
