"""Which labels are wrong? Confident learning from logits that a model gave to rows it was not trained on."""

from __future__ import annotations

from typing import Any

from logitkit.trust.label_error_finder import LabelErrorFinder
from logitkit.trust.label_error_list import LabelErrors
from logitkit.trust.rows import given_values

__all__ = ["LabelErrorFinder", "LabelErrors", "find_label_errors"]


def find_label_errors(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    prune: str = "class",
    rank: str = "log-odds",
    most: int | None = None,
) -> LabelErrors:
    """Return the labels that are most likely wrong, the most suspicious first, by confident learning.

    t_j is the mean of p_j over the rows labelled j. A row labelled i is confidently of class j where j is its most
    likely class among those with p_j >= t_j (and p_j > 0); the confident joint C[i][j] counts these rows. Those off the
    diagonal say how many labels of a class are wrong:

    - `prune="class"` lists of each label i as many rows as C[i] has off its diagonal: those lowest in `rank` of the
      rows whose most likely class is another, which is suggested.
    - `prune="confident-joint"` lists the very rows off the diagonal, and suggests the class j, which may be less likely
      than the label where that class is rare or hard.

    With log-odds, "class" finds more of the labels that were made wrong on purpose at the same precision, on text and
    image data; ordering by class is the paper's "prune by class", with the counts themselves instead of their estimate
    scaled to all rows, which lists more rows and more false alarms.

    `rank` orders the list, lowest first: "log-odds", log p_label - max_{k != label} log p_k, which does not round to
    one value where the model is sure; "margin", p_label - max_{k != label} p_k; "self-confidence", p_label. Ties are
    broken by the log-odds, then by the row.

    Use logits of models that were not trained on the row (out of fold): a model remembers the labels that it was
    trained on, wrong ones too. A class without rows has no mean and is never the confident class; one with a single row
    has that row's probability. Labels are never changed.

    Source: Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021.

    Args:
        labels: `[N]` integers in [0, C), as given.
        logits: `[N, C]`, any real numbers and infinities, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        prune: "class" or "confident-joint".
        rank: "log-odds", "margin" or "self-confidence".
        most: list so many rows at most; None lists all.

    Returns:
        The list; no rows give an empty one.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution;
            the first such row is named.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of its range.

    Example:
        >>> from logitkit.trust.label_errors import find_label_errors
        >>> logits = [[4.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, 4.0], [5.0, 0.0]]
        >>> found = find_label_errors([0, 0, 1, 1, 1], logits=logits)
        >>> found.rows.tolist(), found.suggested.tolist(), found.rank_values.tolist()
        ([4], [0], [-5.0])
    """
    name, values = given_values(logits, probs, "find_label_errors")
    given: dict[str, Any] = {name: values}
    finder = LabelErrorFinder(values.shape[1], prune=prune, rank=rank, most=most, function="find_label_errors")
    finder.update_thresholds(labels, **given)
    finder.update(labels, **given)
    return finder.finish()
