"""Sampling from logits by sorting and plain loops over Python floats: slow, obvious, and importing nothing of ours."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence

Row = Sequence[float]


def penalise(row: Row, previous: Iterable[int], repetition: float, presence: float, frequency: float) -> list[float]:
    """Return the row with the logits of previous tokens lowered."""
    z = list(row)
    for token, count in Counter(token for token in previous if token >= 0).items():
        z[token] = z[token] * repetition if z[token] < 0 else z[token] / repetition
        if math.isfinite(z[token]):
            z[token] -= presence + frequency * count
    return z


def masses(row: Row, kept: Iterable[int], temperature: float) -> dict[int, float]:
    """Return exp((z - maximum) / T) of the kept tokens; beside an infinite maximum, 1 where a token ties."""
    kept = list(kept)
    top = max(row[i] for i in kept)
    if math.isinf(top):
        return {i: 1.0 if row[i] == top else 0.0 for i in kept}
    return {i: math.exp((row[i] - top) / temperature) for i in kept}


def until(ordered: Sequence[int], mass: dict[int, float], target: float, gap: float) -> list[int] | None:
    """Return the fewest first tokens whose mass reaches the target; None where rounding might decide otherwise."""
    reached, kept = 0.0, []
    for i in ordered:
        kept.append(i)
        reached += mass[i]
        if abs(reached - target) < gap * sum(mass.values()) and i != ordered[-1]:
            return None
        if reached >= target:
            break
    return sorted(kept)


def keep(
    row: Row, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
    min_p: float | None = None, typical_p: float | None = None, gap: float = 1e-6,
) -> list[int] | None:  # fmt: skip
    """Return the indices that are kept, ascending; None where rounding might decide otherwise."""
    by_logit = sorted(range(len(row)), key=lambda i: (-row[i], i))
    if temperature == 0.0:
        return by_logit[:1]
    kept = sorted(by_logit[:top_k])
    if top_p is not None and top_p < 1.0:
        mass = masses(row, kept, temperature)
        found = until([i for i in by_logit if i in mass], mass, top_p * math.fsum(mass.values()), gap)
        if found is None:
            return None
        kept = found
    if min_p is not None and min_p > 0.0:
        mass = masses(row, kept, temperature)
        if any(0.0 < abs(m - min_p) < gap for m in mass.values()):
            return None
        kept = [i for i in kept if mass[i] >= min_p]
    if typical_p is not None and typical_p < 1.0:
        mass = masses(row, kept, temperature)
        total = math.fsum(mass.values())
        surprise = {i: -math.log(m / total) if m > 0.0 else math.inf for i, m in mass.items()}
        entropy = math.fsum(m / total * surprise[i] for i, m in mass.items() if m > 0.0)
        distance = {i: abs(surprise[i] - entropy) for i in kept}
        ordered = sorted(kept, key=lambda i: (distance[i], i))
        if any(
            row[a] != row[b] and distance[b] - distance[a] < gap
            for a, b in itertools.pairwise(ordered)
            if distance[a] < math.inf
        ):
            return None
        return until(ordered, mass, typical_p * total, gap)
    return kept


def distribution(row: Row, kept: Iterable[int], temperature: float) -> dict[int, float]:
    """Return the probabilities of the kept tokens."""
    kept = list(kept)
    if temperature == 0.0:
        return {kept[0]: 1.0}
    mass = masses(row, kept, temperature)
    total = math.fsum(mass.values())
    return {i: m / total for i, m in mass.items()}


def draw(probs: dict[int, float], uniform: float, gap: float = 1e-9) -> int | None:
    """Return the first token, by index, at which the cumulative probability exceeds `uniform`; None near a border."""
    reached = 0.0
    for i in sorted(probs):
        reached += probs[i]
        if abs(reached - uniform) < gap:
            return None
        if reached > uniform:
            return i
    return None
