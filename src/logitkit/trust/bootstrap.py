"""How much a figure would move, had other rows come: the bootstrap, which draws the rows anew with replacement.

Rows are dealt into groups at random, and whole groups are drawn. A sum over rows is then a sum over few groups, and a
draw of ten million rows costs what a draw of a thousand does. Where every group is one row, this is the bootstrap.

Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics, 1979.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import run_blocks, split
from logitkit.trust.judgement import Estimate

__all__ = ["calibration_interval", "draw_groups", "percentile_interval"]

_SOME_DRAWS = 128

Floats = NDArray[np.float64]


def draw_groups(groups: int, replicates: int, seed: int, figures: Callable[[Floats], Floats]) -> Floats:
    """Return the figures of every draw of G groups from G, `[replicates, ...]`; the same bits at any number of threads.

    Args:
        groups: G, at least 1.
        replicates: how many draws, at least 1.
        seed: at least 0.
        figures: takes how often each group was drawn, `[n, G]`, for n draws, and returns what comes of them,
            `[n, ...]`. It is called in several threads.

    Example:
        >>> from logitkit.trust.bootstrap import draw_groups
        >>> draw_groups(3, 4, 0, lambda drawn: drawn.sum(axis=1)).tolist()
        [3.0, 3.0, 3.0, 3.0]
    """

    def work(start: int, stop: int) -> Floats:
        n, rng = stop - start, np.random.default_rng([seed, start])
        cells = rng.integers(0, groups, (n, groups)) + groups * np.arange(n)[:, None]
        return figures(np.bincount(cells.reshape(-1), minlength=n * groups).reshape(n, groups).astype(np.float64))

    return np.concatenate(run_blocks(work, split(replicates, _SOME_DRAWS)))


def percentile_interval(value: float, draws: Floats, level: float) -> Estimate:
    """Return a figure with the middle `level` of its draws, the percentile interval.

    The ends are draws themselves: an infinite one makes no NaN.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.bootstrap import percentile_interval
        >>> percentile_interval(50.0, np.arange(101.0), 0.9)
        Estimate(value=50.0, low=5.0, high=95.0)
    """
    ordered = np.sort(draws)
    at = round((1.0 - level) / 2.0 * (len(ordered) - 1))
    return Estimate(float(value), float(ordered[at]), float(ordered[-1 - at]))


def calibration_interval(gaps: Floats, draws: Floats, level: float) -> Estimate:
    """Return the expected calibration error, sum_b |gap_b|, with an interval by test inversion.

    Noise in a gap adds to its size and never takes away: the error of the rows at hand is too large, that of a draw of
    them larger still, and the percentiles of the draws nearly always lie above a small true error. Therefore the
    interval holds every error e at which that of the rows at hand would be no surprise, were the true gaps theirs
    scaled to the sum e, and the noise that of the draws: neither too large nor too small in more than
    (1 - level) / 2 of all draws. Where calibration may be perfect, `low` is 0. `high` is no less than `value`.

    Source: Carpenter, "Test inversion bootstrap confidence intervals", Journal of the Royal Statistical Society B,
    1999. The family of scaled gaps is ours.

    Args:
        gaps: `[n_bins]`, the sum of confidence - correct in a bin, by all rows.
        draws: `[R, n_bins]`, the gaps of each draw.
        level: how often the interval should hold the true error.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.bootstrap import calibration_interval
        >>> noise = np.random.default_rng(0).normal(size=(1000, 2)) / 100
        >>> calibration_interval(np.array([0.004, -0.008]), np.array([0.004, -0.008]) + noise, 0.95).low
        0.0
    """
    value, noise, tail = float(abs(gaps).sum()), draws - gaps, (1.0 - level) / 2.0

    def may_be(scale: float, sign: float) -> bool:
        errors = abs(scale * gaps + noise).sum(axis=1)
        return float(np.mean(sign * (errors - value) >= -1e-12 * value)) >= tail

    if value == 0.0:  # no scale changes it
        return Estimate(0.0, 0.0, 0.0)
    low, high = 0.0, 1.0
    if not may_be(0.0, 1.0):
        low = _border(0.0, 1.0, lambda scale: may_be(scale, 1.0))
    if may_be(1.0, -1.0):
        below = above = 1.0
        while may_be(above, -1.0):
            below, above = above, 2.0 * above
        high = _border(above, below, lambda scale: may_be(scale, -1.0))
    return Estimate(value, low * value, high * value)


def _border(refused: float, accepted: float, accepts: Callable[[float], bool]) -> float:
    """Return where acceptance ends between the two, on its accepted side."""
    for _ in range(40):
        middle = 0.5 * (refused + accepted)
        refused, accepted = (refused, middle) if accepts(middle) else (middle, accepted)
    return accepted
