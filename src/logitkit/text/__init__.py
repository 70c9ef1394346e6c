"""Text → features: Arrow strings in, weighted hashed n-grams out, for any script, without a segmenter.

`columns` makes normalised bytes of whatever holds texts; `spec` says which n-grams; `counting` counts them;
`features` learns their weights and applies them.
"""

from logitkit.text.columns import Column, Texts, as_column
from logitkit.text.features import Features, NgramCounts, Occurrences, Vocabulary, count_ngrams
from logitkit.text.spec import NgramSpec

__all__ = [
    "Column", "Features", "NgramCounts", "NgramSpec", "Occurrences", "Texts", "Vocabulary", "as_column", "count_ngrams",
]  # fmt: skip
