"""What abstention and conformal prediction promise, in plain loops. Imports nothing of ours, and no NumPy."""

import math


def binomial_cdf(errors, n, rate):
    """P(X <= errors), X ~ Binomial(n, rate)."""
    if errors >= n:
        return 1.0
    terms = []
    for k in range(errors + 1):
        log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        terms.append(math.exp(log + k * math.log(rate) + (n - k) * math.log1p(-rate)))
    return math.fsum(terms)


def bisect(holds, low=0.0, high=1.0):
    """The border between where `holds` is true, below, and where it is not."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2


def error_upper_bound(errors, n, certainty):
    """The rate at which so few errors have the probability 1 - certainty."""
    return bisect(lambda rate: binomial_cdf(errors, n, rate) > 1 - certainty) if errors < n else 1.0


def clopper_pearson(errors, n, certainty):
    side = (1 - certainty) / 2
    low = bisect(lambda rate: 1 - binomial_cdf(errors - 1, n, rate) < side) if errors else 0.0
    return low, error_upper_bound(errors, n, 1 - side)


def rows_without_error(rate, delta):
    n = 1
    while (1 - rate) ** n > delta:
        n += 1
    return n


def answered(confidence, correct, max_error, certainty):
    """How many rows are answered: every rank at which equal confidences end is tested, from the top."""
    delta, N = 1 - certainty, len(confidence)
    order = sorted(range(N), key=lambda row: -confidence[row])
    needed = rows_without_error(max_error, delta)
    starts = [math.ceil(N * part) for part in (0.25, 0.5, 0.75) if math.ceil(N * part) >= 2 * needed]
    starts = [rows_without_error(max_error, delta / (len(starts) + 1)), *starts]
    level, errors, best, waiting = 0.0, 0, 0, list(starts)
    for n, row in enumerate(order, 1):
        errors += not correct[row]
        if n < N and confidence[order[n]] == confidence[row]:
            continue
        while waiting and waiting[0] <= n:
            level += delta / len(starts)
            waiting.pop(0)
        if level > 0 and binomial_cdf(errors, n, max_error) <= level:
            best = n
        else:
            level = 0.0
    return best


def conformity_score(probs, label, method, u=0.0, k_reg=0, weight=0.0):
    if method == "lac":
        return 1 - probs[label]
    order = sorted(range(len(probs)), key=lambda c: (-probs[c], c))
    before = order[: order.index(label)]
    rank = len(before) + 1
    penalty = weight * max(0, rank - k_reg) if method == "raps" else 0.0
    return math.fsum(probs[c] for c in before) + (1 - u) * probs[label] + penalty


def quantile(scores, alpha):
    """The ceil((n + 1) (1 - alpha))-th smallest score; alpha = tenths of a percent, so that nothing rounds."""
    n, thousandths = len(scores), round(alpha * 1000)
    k = -((n + 1) * (thousandths - 1000) // 1000)
    return sorted(scores)[k - 1] if k <= n else math.inf


def false_negative_loss(probs, targets, threshold):
    """The mean share of a row's right labels that are below the threshold."""
    losses = []
    for row, right in zip(probs, targets, strict=True):
        labels = [c for c, y in enumerate(right) if y]
        losses.append(sum(row[c] < threshold for c in labels) / len(labels) if labels else 0.0)
    return math.fsum(losses) / len(losses)


def false_negative_threshold(probs, targets, allowed):
    """The highest probability of a right label, or 1, at which the mean loss is allowed; 0 where none is."""
    candidates = {
        1.0,
        *(p for row, right in zip(probs, targets, strict=True) for p, y in zip(row, right, strict=True) if y),
    }
    good = [t for t in candidates if allowed(false_negative_loss(probs, targets, t))]
    return max(good, default=0.0)


def hoeffding_bentkus(mean, n, risk):
    m = min(mean, risk)
    relative = (m * math.log(m / risk) if m else 0.0) + ((1 - m) * math.log((1 - m) / (1 - risk)) if m < 1 else 0.0)
    return min(1.0, math.exp(-n * relative), math.e * binomial_cdf(math.ceil(mean * n - 1e-9), n, risk))
