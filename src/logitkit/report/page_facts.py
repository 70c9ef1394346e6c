"""Facts that the page puts into words: how believable a probability is, where the tokens stand in the sentence."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from logitkit.report.evaluation import Evaluation, ReliabilityBin
from logitkit.report.terminal import format_number

__all__ = ["Neighbours", "neighbours", "place_tokens", "rounded_sum", "sureness", "verdict"]

_ENOUGH_ROWS = 20
_BELIEVABLE = 0.03  # as on the terminal


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Held-out rows whose confidence is near to a given one: in (`lower`, `upper`]."""

    lower: float
    upper: float
    count: int
    right: int
    mean_confidence: float

    @property
    def share(self) -> float:
        """The share that was right."""
        return self.right / self.count


def neighbours(bins: Sequence[ReliabilityBin], confidence: float) -> Neighbours | None:
    """Return the rows of the bin that holds `confidence`, and of those next to it until there are 20; None if no rows.

    Example:
        >>> from logitkit.report.evaluation import EvaluationBuilder
        >>> from logitkit.report.page_facts import neighbours
        >>> rows = EvaluationBuilder(["a", "b"]).update([[2.2, 0.0]] * 40, [0] * 30 + [1] * 10).finish()
        >>> found = neighbours(rows.reliability, 0.9)
        >>> found.count, found.right, round(found.lower, 2), round(found.upper, 2)
        (40, 30, 0.87, 0.93)
    """
    first = next((i for i, one in enumerate(bins) if confidence <= one.upper), len(bins) - 1)
    last = first
    while sum(one.count for one in bins[first : last + 1]) < _ENOUGH_ROWS and (first > 0 or last < len(bins) - 1):
        down = confidence - bins[first - 1].upper if first > 0 else math.inf
        up = bins[last + 1].lower - confidence if last < len(bins) - 1 else math.inf
        first, last = (first - 1, last) if down <= up else (first, last + 1)
    while first < last and not bins[first].count:
        first += 1
    while first < last and not bins[last].count:
        last -= 1
    chosen = bins[first : last + 1]
    count = sum(one.count for one in chosen)
    if not count:
        return None
    right = round(sum(one.count * (one.accuracy or 0.0) for one in chosen))
    mean = sum(one.count * (one.mean_confidence or 0.0) for one in chosen) / count
    return Neighbours(chosen[0].lower, chosen[-1].upper, count, right, mean)


def sureness(probability: float) -> str:
    """Return how sure a probability is: "certain", "sure", "leaning" or "unsure"."""
    steps = ((0.95, "certain"), (0.75, "sure"), (0.5, "leaning"))
    return next((word for least, word in steps if probability >= least), "unsure")


def verdict(e: Evaluation) -> str:
    """Return what the calibration error says: "believe", "over", "under", "mixed", or "nothing" without rows."""
    if e.accuracy is None or e.mean_confidence is None or e.expected_calibration_error is None:
        return "nothing"
    gap = e.mean_confidence - e.accuracy
    if e.expected_calibration_error <= _BELIEVABLE:
        return "believe"
    if abs(gap) < 0.5 * e.expected_calibration_error:
        return "mixed"
    return "over" if gap > 0.0 else "under"


def rounded_sum(values: Sequence[float], total: float) -> str | None:
    """Return what adding the rounded terms gives, where that is not the rounded total; else None."""
    if not total < 1e7:
        return None
    rounded = format_number(sum(round(value, 2) for value in values))
    return None if rounded == format_number(total) else rounded


def place_tokens(sentence: str, tokens: Sequence[str]) -> list[tuple[str, int | None]]:
    """Cut the sentence as it was written into (text, index of its token), None for what lies between tokens.

    Tokens are lower-cased NFKC. If one is not found in the sentence, the tokens themselves are returned, spaced.

    Example:
        >>> from logitkit.report.page_facts import place_tokens
        >>> place_tokens("The new.", ["the", "new", "."])
        [('The', 0), (' ', None), ('new', 1), ('.', 2)]
    """
    normal, origin = "", []
    for i, char in enumerate(sentence):
        form = unicodedata.normalize("NFKC", char).lower()
        normal += form
        origin += [i] * len(form)
    origin.append(len(sentence))
    pieces: list[tuple[str, int | None]] = []
    at = done = 0
    for index, token in enumerate(tokens):
        start = normal.find(token, at)
        if start < 0 or not token or origin[start] < done:
            return [piece for i, one in enumerate(tokens) for piece in ((one, i), (" ", None))]
        at = start + len(token)
        if origin[start] > done:
            pieces.append((sentence[done : origin[start]], None))
        done = origin[at - 1] + 1
        pieces.append((sentence[origin[start] : done], index))
    if done < len(sentence):
        pieces.append((sentence[done:], None))
    return pieces
