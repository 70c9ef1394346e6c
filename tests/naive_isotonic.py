"""Isotonic, histogram and Venn-Abers calibration by their definitions, in plain loops with exact fractions.

Imports nothing of ours, and no NumPy.
"""

import itertools
import math
import struct
from fractions import Fraction


def to_float32(x):
    largest = struct.unpack("f", struct.pack("I", 0x7F7FFFFF))[0]
    return struct.unpack("f", struct.pack("f", min(max(x, -largest), largest)))[0]


def rest_logit(row, c):
    """log p_c - log(1 - p_c) in float32; equal infinities are equal logits."""
    others = [z for j, z in enumerate(row) if j != c]
    if not others:
        return to_float32(math.inf)
    top = max(others)
    if math.isinf(top):
        ties = sum(z == top for z in others)
        return to_float32(-math.log(ties) if row[c] == top else math.copysign(math.inf, -top))
    log_rest = math.log(math.fsum(math.exp(z - top) for z in others))
    return to_float32(row[c] - top - log_rest)


def groups(scores, hits, weights=None):
    """[score, weight of hits, weight of all] of each distinct score, in order; no weight is no row."""
    sums = {}
    for s, hit, w in zip(scores, hits, weights or [1] * len(scores), strict=True):
        if w:
            h, n = sums.get(s, (0, 0))
            sums[s] = (h + w * bool(hit), n + w)
    return [[s, Fraction(sums[s][0]), Fraction(sums[s][1])] for s in sorted(sums)]


def isotonic(scores, hits, weights=None):
    """The fit at each distinct score: the largest, over starts up to it, of the least mean over ends from it on."""
    parts = groups(scores, hits, weights)
    fit = {}
    for i, (s, _, _) in enumerate(parts):
        fit[s] = max(
            min(sum(g[1] for g in parts[a : b + 1]) / sum(g[2] for g in parts[a : b + 1]) for b in range(i, len(parts)))
            for a in range(i + 1)
        )
    return fit


def isotonic_map(scores, hits, weights=None):
    """(knot, value) of each distinct score. Runs that are all hits or all misses have what they cannot rule out."""
    fit = isotonic(scores, hits, weights)
    weight_of = {s: n for s, _, n in groups(scores, hits, weights)}
    value = {0: None, 1: None}
    for pure in value:
        n = sum(weight_of[s] for s in fit if fit[s] == pure)
        value[pure] = Fraction(1, 2) / (n + 1) if pure == 0 else 1 - Fraction(1, 2) / (n + 1)
    between = [v for v in fit.values() if 0 < v < 1]
    value[0] = min([value[0], *between])
    value[1] = max([value[1], *between])
    return [(s, float(value.get(v, v))) for s, v in fit.items()]


def interpolate(knots, s):
    """The value at s: straight between knots, level beyond them."""
    if s <= knots[0][0]:
        return knots[0][1]
    for (a, v), (b, w) in itertools.pairwise(knots):
        if s <= b:
            return v + (w - v) * ((s - a) / (b - a))
    return knots[-1][1]


def histogram_bins(scores, hits, n_bins, weights=None):
    """[last score, weight of hits, weight] of each bin, and the edges halfway between bins."""
    parts = groups(scores, hits, weights)
    total, before, bins, edges, place = sum(n for _, _, n in parts), Fraction(0), [], [], None
    for s, h, n in parts:
        here = math.floor(n_bins * (before + n / 2) / total)
        before += n
        if here != place:
            edges += [(bins[-1][0] + s) / 2] if bins else []
            bins.append([s, 0, 0])
            place = here
        bins[-1] = [s, bins[-1][1] + h, bins[-1][2] + n]
    return bins, edges


def step(bins, edges, s):
    h, n = bins[sum(edge < s for edge in edges)][1:]
    return float((h + Fraction(1, 2)) / (n + 1))


def one_vs_rest(value_of, row):
    """Probabilities of a row: value_of(c, s) for every class, divided by their sum; two classes have one map."""
    if len(row) == 2:
        p = value_of(1, rest_logit(row, 1))
        return [1.0 - p, p]
    values = [value_of(c, rest_logit(row, c)) for c in range(len(row))]
    return [v / math.fsum(values) for v in values]


def venn_abers(scores, hits, s):
    """(p0, p1): the isotonic fit at s, with s itself added as a miss, and as a hit."""
    return tuple(isotonic([*scores, s], [*hits, hit])[s] for hit in (False, True))


def difference(one, zero):
    return 0.0 if one == zero else one - zero


def pair(rows, labels, row, i, j):
    """p0 and p1 of class j against class i."""
    chosen = [k for k, y in enumerate(labels) if y in (i, j)]
    scores = [difference(rows[k][j], rows[k][i]) for k in chosen]
    return venn_abers(scores, [labels[k] == j for k in chosen], difference(row[j], row[i]))


def combine(p_of, C):
    """1 / (sum over j of 1 / p_ij - (C - 2)), where no probability is 0; 0 where one is."""
    combined = []
    for i in range(C):
        some = [p_of(i, j) for j in range(C) if j != i]
        combined.append(0.0 if 0 in some else float(1 / (sum(1 / p for p in some) - (C - 2))) if some else 1.0)
    return combined


def pairwise(rows, labels, row):
    """(probs, low, high) of a row, by all pairs of classes."""
    C = len(row)
    found = {(i, j): pair(rows, labels, row, i, j) for i in range(C) for j in range(i + 1, C)}

    def merged(i, j):
        p0, p1 = found[min(i, j), max(i, j)]
        p = p1 / (1 - p0 + p1)
        return p if i > j else 1 - p

    def end(i, j, upper):
        p0, p1 = found[min(i, j), max(i, j)]
        return (p0, p1)[upper] if i > j else 1 - (p1, p0)[upper]

    values = combine(merged, C)
    least, most = (combine(lambda i, j, upper=upper: end(i, j, upper), C) for upper in (0, 1))
    low, high = [], []
    for c in range(C):
        low.append(least[c] / (least[c] + sum(most) - most[c]) if least[c] else 0.0)
        high.append(most[c] / (most[c] + sum(least) - least[c]))
    return [v / sum(values) for v in values], low, high
