"""What calibration errors mean, in plain loops over Python floats. Imports nothing of ours, and no NumPy."""

import math


def top(probs, labels):
    """(confidence, predicted, 1 if right) of each row."""
    found = []
    for row, label in zip(probs, labels, strict=True):
        predicted = max(range(len(row)), key=lambda c: (row[c], -c))
        found.append((row[predicted], predicted, 1.0 if predicted == label else 0.0))
    return found


def bins(values, hits, n_bins, binning):
    """Lists of (value, hit): bin b has (b / n, (b + 1) / n], or the values below which a share in [b / n, ...) lies."""
    held = [[] for _ in range(n_bins)]
    for value, hit in zip(values, hits, strict=True):
        if binning == "width":
            b = next(b for b in range(n_bins) if value <= (b + 1) / n_bins or b == n_bins - 1)
        else:
            below = sum(other < value for other in values)
            b = below * n_bins // len(values)
        held[b].append((value, hit))
    return [one for one in held if one]


def gap(one):
    return abs(math.fsum(value for value, _ in one) / len(one) - math.fsum(hit for _, hit in one) / len(one))


def expected(values, hits, n_bins, binning):
    return math.fsum(len(one) / len(values) * gap(one) for one in bins(values, hits, n_bins, binning))


def expected_calibration_error(probs, labels, n_bins=15, binning="width"):
    rows = top(probs, labels)
    return expected([f for f, _, _ in rows], [hit for _, _, hit in rows], n_bins, binning)


def maximum_calibration_error(probs, labels, n_bins=15, binning="width"):
    rows = top(probs, labels)
    return max(gap(one) for one in bins([f for f, _, _ in rows], [hit for _, _, hit in rows], n_bins, binning))


def debiased_calibration_error(probs, labels, n_bins=15, binning="mass"):
    """Kumar, Liang, Ma 2019. A bin with one row adds nothing."""
    rows = top(probs, labels)
    total = 0.0
    for one in bins([f for f, _, _ in rows], [hit for _, _, hit in rows], n_bins, binning):
        if len(one) > 1:
            accuracy = sum(hit for _, hit in one) / len(one)
            total += len(one) / len(rows) * (gap(one) ** 2 - accuracy * (1 - accuracy) / (len(one) - 1))
    return math.sqrt(max(0.0, total))


def top_label_calibration_error(probs, labels, n_bins=15, binning="width"):
    rows = top(probs, labels)
    total = 0.0
    for c in {predicted for _, predicted, _ in rows}:
        own = [(f, hit) for f, predicted, hit in rows if predicted == c]
        total += len(own) / len(rows) * expected([f for f, _ in own], [hit for _, hit in own], n_bins, binning)
    return total


def classwise_calibration_error(probs, labels, n_bins=15, binning="width"):
    C = len(probs[0])
    errors = []
    for c in range(C):
        hits = [1.0 if label == c else 0.0 for label in labels]
        errors.append(expected([row[c] for row in probs], hits, n_bins, binning))
    return math.fsum(errors) / C


def smooth_error_at(confidence, correct, width):
    """The error at one width, by adding up the kernel's values: no transform, no grid but that of the definition."""
    points = max(2000, round(20 / width)) // 2 + 1
    gaps, mass = {}, {}
    for f, y in zip(confidence, correct, strict=True):
        low = min(int(f * (points - 1)), points - 2)
        share = f * (points - 1) - low
        for point, part in ((low, 1.0 - share), (low + 1, share)):
            gaps[point] = gaps.get(point, 0.0) + part * (f - y)
            mass[point] = mass.get(point, 0.0) + part

    def kernel(offset):
        """Its value `offset` grid points from its centre; it is cut off half a unit away."""
        k = offset + points // 2
        return math.exp(-((k / (points - 1) - 0.5) ** 2) / (2 * width**2)) if 0 <= k < points else 0.0

    def smoothed(values, at):
        period = 2 * (points - 1)
        total = 0.0
        for point, value in values.items():
            images = {image + turn for image in (point, -point) for turn in (-period, 0, period)}
            total += value * sum(kernel(at - image) for image in images)
        return total / (math.sqrt(2 * math.pi) * width)

    mesh = max(round(10 / width), 200)
    error = density = 0.0
    for i in range(mesh):
        t = i / (mesh - 1) * (points - 1)
        low = min(int(t), points - 2)
        share = t - low
        error += abs((1 - share) * smoothed(gaps, low) + share * smoothed(gaps, low + 1))
        density += (1 - share) * smoothed(mass, low) + share * smoothed(mass, low + 1) + 1e-4
    return error / density


def smooth_error(confidence, correct):
    wide, narrow = 1.0, 0.0
    for _ in range(10):
        width = (wide + narrow) / 2
        if width < 1e-3 or width < smooth_error_at(confidence, correct, width):
            narrow = width
        else:
            wide = width
    return smooth_error_at(confidence, correct, wide)


def wilson_interval(right, count, z=1.959963984540054):
    if count == 0:
        return 0.0, 1.0
    p = right / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
