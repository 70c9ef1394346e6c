"""Smooth calibration error: no bins, and no number of them to choose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.kernels import run_blocks, split
from logitkit.trust.calibration_bins import measure_weighted_rows

__all__ = ["smooth_calibration_error", "smooth_error_of"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

# The authors' package relplot sets these; the error is the same to rounding only with the same ones.
_HALVINGS = 10  # the width is found to 2^-10
_NARROWEST = 1e-3
_MESH = 200
_FLOOR = 1e-4  # rows; keeps a density above 0 where no row is near

_ROWS = 2**16
_MAX_BLOCKS = 64


def smooth_calibration_error(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    sample_weights: Any = None,
) -> float:
    r"""Return the smooth calibration error (smECE) of confidence against correctness, in [0, 1].

    .. math:: \mathrm{smECE}_\sigma = \int_0^1 \Big| \frac{1}{N} \sum_i K_\sigma(t, \mathrm{conf}_i)
              (\mathrm{correct}_i - \mathrm{conf}_i) \Big| dt, \qquad \sigma^* = \mathrm{smECE}_{\sigma^*}

    K is a Gaussian of width sigma that is reflected at 0 and 1. The width is no choice: it is the one that equals the
    error itself. Unlike the errors with bins, this one changes little when confidences change little.

    The numbers are those of the authors' package (`relplot.smECE`) to rounding: sigma is found to 2^-10 by halving, on
    a grid of 1,001 points or more. The rows are read once for each grid, at most 5 times; the result has the same bits
    at any number of threads.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        sample_weights: `[N]`, finite and at least 0; a weight counts as that many rows.

    Returns:
        NaN where there are no rows, or no weight.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or `temperature` is out of range.

    Example:
        >>> from logitkit.trust.smooth_calibration import smooth_calibration_error
        >>> probs = [[0.9, 0.1]] * 10
        >>> round(smooth_calibration_error([0] * 5 + [1] * 5, probs=probs), 3)  # says 90 %, right 50 %
        0.4

    References:
        Błasiok, Nakkiran, "Smooth ECE: Principled reliability diagrams via kernel smoothing", ICLR 2024.
    """
    function = "smooth_calibration_error"
    rows, weights = measure_weighted_rows(labels, logits, probs, temperature, sample_weights, function)
    return smooth_error_of(rows.confidence, rows.correct, weights)


def smooth_error_of(confidence: Floats, correct: Floats, weights: Floats | None = None) -> float:
    """Return the smooth calibration error of confidences `[N]` in [0, 1] against 0 or 1, all in float64.

    Example:
        >>> import numpy as np
        >>> from logitkit.trust.smooth_calibration import smooth_error_of
        >>> round(smooth_error_of(np.array([0.9, 0.9]), np.array([0.0, 1.0])), 3)
        0.4
    """
    f, y = read_only(confidence), read_only(correct)
    w = read_only(np.empty(0) if weights is None else weights)
    total = float(w.sum()) if w.size else float(len(f))
    if not total > 0.0:
        return math.nan
    floor = _FLOOR * min(1.0, total)
    spectra: dict[int, Array] = {}  # by the number of grid points: all widths from 0.01 on share one
    errors: dict[float, float] = {}

    def error(width: float) -> float:
        points = max(2000, round(20 / width)) // 2 + 1
        if points not in spectra:
            spectra[points] = _spectrum(_grid(f, y, w, points))
        if width not in errors:
            errors[width] = _error_at(spectra[points], points, width, floor)
        return errors[width]

    wide, narrow = 1.0, 0.0
    for _ in range(_HALVINGS):
        width = 0.5 * (wide + narrow)
        if width < _NARROWEST or width < error(width):
            narrow = width
        else:
            wide = width
    return error(wide)


def _grid(f: Floats, y: Floats, w: Floats, points: int) -> Floats:
    """Return `[2, points]`: the gaps and the mass of the rows on an even grid, added up in blocks of fixed size."""
    from logitkit.kernels.smooth import share_out

    blocks = split(len(f), max(_ROWS, -(-len(f) // _MAX_BLOCKS)))
    parts = np.zeros((len(blocks), 2, points))

    def work(start: int, stop: int) -> None:
        gaps, mass = parts[start // blocks[0][1]]
        share_out(f[start:stop], y[start:stop], w[start:stop] if w.size else w, gaps, mass)

    run_blocks(work, blocks)
    return np.asarray(parts.sum(axis=0), np.float64)


def _spectrum(grid: Floats) -> Array:
    """Return the Fourier transforms of grids that are mirrored at both ends, and so have a period."""
    return np.fft.rfft(np.concatenate([grid, grid[..., -2:0:-1]], axis=-1))


def _error_at(spectrum: Array, points: int, width: float, floor: float) -> float:
    """Return smECE at one width: the mean over a mesh of |smoothed gaps|, over that of the smoothed mass."""
    z = (np.linspace(0.0, 1.0, points) - 0.5) / width
    kernel = np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * width)
    centre = points // 2
    around = np.zeros(2 * points - 2)  # the kernel, its centre at 0
    around[: points - centre], around[-centre:] = kernel[centre:], kernel[:centre]
    smooth = np.fft.irfft(spectrum * np.fft.rfft(around), n=len(around))
    t = np.linspace(0.0, 1.0, max(round(10 / width), _MESH)) * (points - 1)
    at = np.minimum(t.astype(np.intp), points - 2)
    left = smooth[:, at]
    gaps, mass = left + (smooth[:, at + 1] - left) * (t - at)
    return float(abs(gaps).sum() / (mass + floor).sum())
