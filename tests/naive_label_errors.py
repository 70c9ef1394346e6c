"""Confident learning in plain loops over Python numbers. Imports nothing of ours, and no NumPy."""

import math


def softmax(row):
    top = max(row)
    exps = [float(z == top) if math.isinf(top) else math.exp(z - top) for z in row]
    total = math.fsum(exps)
    return [e / total for e in exps]


def thresholds(labels, probs):
    """The mean probability of each class over the rows that are given it; inf where there are none."""
    result = []
    for c in range(len(probs[0]) if probs else 0):
        own = [p[c] for y, p in zip(labels, probs, strict=True) if y == c]
        result.append(math.fsum(own) / len(own) if own else math.inf)
    return result


def confident_class(p, limits):
    fine = [c for c in range(len(p)) if p[c] >= limits[c] and p[c] > 0.0]
    return max(fine, key=lambda c: p[c]) if fine else -1


def log_odds(p, label):
    own, other = p[label], max([q for c, q in enumerate(p) if c != label], default=0.0)
    if own == other:
        return 0.0
    if own == 0.0:
        return -math.inf
    return math.log(own / other) if other > 0.0 else math.inf


def rank_value(p, label, rank):
    if rank == "log-odds":
        return log_odds(p, label)
    others = [q for c, q in enumerate(p) if c != label]
    return p[label] - max(others, default=0.0) if rank == "margin" else p[label]


def find(labels, probs, prune="class", rank="log-odds"):
    """(thresholds, confident joint, noise rate, [(row, given, suggested)]), the list most suspicious first."""
    C, limits = len(probs[0]), thresholds(labels, probs)
    confident = [confident_class(p, limits) for p in probs]
    joint = [[0] * C for _ in range(C)]
    for y, c in zip(labels, confident, strict=True):
        if c >= 0:
            joint[y][c] += 1
    wrong = 0.0
    for i in range(C):
        if sum(joint[i]):
            wrong += labels.count(i) * (sum(joint[i]) - joint[i][i]) / sum(joint[i])

    def suspicion(row):
        values = rank_value(probs[row], labels[row], rank), log_odds(probs[row], labels[row])
        return *(round(value, 12) for value in values), row  # what ties but for rounding ties

    if prune == "confident-joint":
        rows = [r for r, (y, c) in enumerate(zip(labels, confident, strict=True)) if c not in (-1, y)]
        suggested = {r: confident[r] for r in rows}
    else:
        rows, suggested = [], {}
        for i in range(C):
            against = [r for r, (y, p) in enumerate(zip(labels, probs, strict=True)) if y == i and max(p) > p[i]]
            rows += sorted(against, key=suspicion)[: sum(joint[i]) - joint[i][i]]
        for r in rows:
            suggested[r] = probs[r].index(max(probs[r]))
    rows.sort(key=suspicion)
    return limits, joint, wrong / len(labels), [(r, labels[r], suggested[r]) for r in rows]
