"""Outlier scores, their threshold, and separation, in plain loops over Python numbers. Imports nothing of ours."""

import math
from fractions import Fraction


def outlier_score(row, method, T=1.0):
    top = max(row)
    if method == "logit":
        return -top
    if method == "margin":
        rest = sorted(row)[:-1]
        if not rest:
            return -math.inf
        return 0.0 if rest[-1] == top else rest[-1] - top
    if math.isinf(top):
        ties = sum(z == top for z in row)
        return -top if method == "energy" else math.log(ties)
    ties = sum(z == top for z in row)
    others = math.fsum(math.exp((z - top) / T) for z in row if z != top)
    log_total = math.log(ties) + math.log1p(others / ties)
    if method == "energy":
        return -top - T * log_total
    if method == "probability":
        return log_total
    assert method == "entropy"
    probs = [(math.exp((z - top) / T) / (ties + others), (top - z) / T) for z in row]
    return log_total + math.fsum(p * d for p, d in probs if p > 0.0)


def threshold(scores, rate):
    """The smallest t among the scores for which at most (N + 1) a - 1 of them are above it, or inf."""
    n, a = len(scores), Fraction(str(rate))
    fine = [t for t in scores if sum(s > t for s in scores) <= (n + 1) * a - 1]
    return min(fine, default=math.inf)


def auroc(known, unknown):
    wins = sum((u > k) + (u == k) / 2 for u in unknown for k in known)
    return wins / (len(known) * len(unknown))


def false_positive_rate_at(known, unknown, recall):
    recall = Fraction(str(recall))
    if recall == 0:
        return 0.0
    t = min(t for t in known if Fraction(sum(k <= t for k in known), len(known)) >= recall)
    return sum(u <= t for u in unknown) / len(unknown)
