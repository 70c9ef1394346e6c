"""What trust and evaluation mean, in plain loops over Python floats. Imports nothing of ours, and no NumPy."""

import math


def softmax(row, temperature=1.0):
    top = max(row)
    if math.isinf(top):
        exps = [1.0 if z == top else 0.0 for z in row]
    else:
        exps = [math.exp((z - top) / temperature) for z in row]
    total = math.fsum(exps)
    return [e / total for e in exps]


def arg_max(row):
    return row.index(max(row))


def cross_entropy(row, label, temperature=1.0):
    """-log softmax(row / temperature)[label], from the logits."""
    top = max(row)
    if math.isinf(top):
        return math.log(sum(z == top for z in row)) if row[label] == top else math.inf
    rest = math.fsum(math.exp((z - top) / temperature) for j, z in enumerate(row) if j != arg_max(row))
    return math.log1p(rest) - (row[label] - top) / temperature


def log_loss(logits, labels, temperature=1.0, weights=None):
    weights = weights or [1.0] * len(labels)
    losses = [w * cross_entropy(row, y, temperature) for row, y, w in zip(logits, labels, weights, strict=True) if w]
    return math.fsum(losses) / math.fsum(weights)


def brier_score(probs, labels, weights=None):
    weights = weights or [1.0] * len(labels)
    total = 0.0
    for row, y, w in zip(probs, labels, weights, strict=True):
        for j, p in enumerate(row):
            total += w * (p - (1.0 if j == y else 0.0)) ** 2
        if y < 0:  # a class that is not among them had probability 0
            total += w
    return total / math.fsum(weights)


def reliability(probs, labels, n_bins, weights=None):
    """[weight, sum of confidence, sum of correct] of each bin (b / n, (b + 1) / n]."""
    weights = weights or [1.0] * len(labels)
    bins = [[0.0, 0.0, 0.0] for _ in range(n_bins)]
    for row, y, w in zip(probs, labels, weights, strict=True):
        confidence = max(row)
        for b in range(n_bins):
            if confidence <= (b + 1) / n_bins or b == n_bins - 1:
                break
        bins[b][0] += w
        bins[b][1] += w * confidence
        bins[b][2] += w * (row.index(confidence) == y)
    return bins


def expected_calibration_error(probs, labels, n_bins=15, weights=None):
    bins = reliability(probs, labels, n_bins, weights)
    total = sum(weight for weight, _, _ in bins)
    return sum(weight / total * abs(said / weight - right / weight) for weight, said, right in bins if weight)


def confusion_matrix(labels, predicted, n_classes):
    counts = [[0] * n_classes for _ in range(n_classes)]
    for y, q in zip(labels, predicted, strict=True):
        counts[y][q] += 1
    return counts


def f1_scores(labels, predicted):
    """F1 of every class that occurs, by name."""
    scores = {}
    for c in set(labels) | set(predicted):
        hits = sum(y == c and q == c for y, q in zip(labels, predicted, strict=True))
        scores[c] = 2 * hits / (sum(y == c for y in labels) + sum(q == c for q in predicted))
    return scores


def decide(row, threshold, temperature, known):
    """(raw class, class or -1, probability, reason)."""
    raw = arg_max(row)
    probability = softmax(row, temperature)[raw]
    if not known:
        return raw, -1, probability, "no known words"
    if probability < threshold:
        return raw, -1, probability, "below threshold"
    return raw, raw, probability, "confident"
