"""Figures by matplotlib: is confidence believable, what does abstaining buy, how do the logits of errors look?

Each function draws onto the axes it is given, or onto a new figure, and returns the axes; nothing is shown, saved or
set for other figures. Several drawn onto the same axes, each with a `name`, compare models, or before with after.
matplotlib comes with ``pip install 'logitkit[plots]'``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_labels, as_logits, check_choice, check_fraction, input_error, option_error
from logitkit.ops import argmax, margin
from logitkit.trust.calibration_bins import N_BINS
from logitkit.trust.reliability_diagram import reliability
from logitkit.trust.rows import measure_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_logits", "plot_reliability", "plot_risk_coverage"]

_DIAGONAL, _CURVE, _LIMIT = "logitkit-diagonal", "logitkit-curve", "logitkit-limit"  # what is on the axes already
_STRIP = (-0.19, -0.04)  # below the diagram: how many rows each bin holds
_HAIR = 0.03  # of the strip's height: a bin that holds rows is seen
_POINTS = 2000
_STEADY = 0.02  # the coverage below which so few rows are answered that the risk jumps
_LARGEST = 1e300  # beyond it, the arithmetic of a frame overflows
_BINS = (10, 60)  # about the root of the rows


def plot_reliability(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    n_bins: int = N_BINS,
    ax: Axes | None = None,
    name: str | None = None,
) -> Axes:
    """Draw a reliability diagram: how often the rows of each bin of confidence are right, and return the axes.

    A dot on the diagonal is a confidence that can be believed; below it, the model is over-confident. The whiskers are
    95 % intervals (Wilson) of each bin's accuracy; the strip below shows how many rows each bin holds, the fullest bin
    having the full height. The legend has the expected calibration error of these bins.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        n_bins: bins of equal width, in [1, 10000].
        ax: where to draw; a new figure if there is none.
        name: what the legend calls these rows.

    Raises:
        InputError: if shapes disagree, a label is out of range, a value is NaN, or a row of `probs` is no distribution.
        OptionError: if not exactly one of `logits` and `probs` is given, or an option is out of its range.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from logitkit.plots import plot_reliability
        >>> ax = plot_reliability([0, 1], logits=[[4.0, 0.0], [3.0, 0.0]], name="before")
        >>> ax = plot_reliability([0, 1], logits=[[4.0, 0.0], [3.0, 0.0]], temperature=4.0, ax=ax, name="after")
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['before (ECE 0.467)', 'after (ECE 0.205)']
        >>> matplotlib.pyplot.close(ax.figure)

    References:
        DeGroot, Fienberg, "The comparison and evaluation of forecasters", The Statistician 1983.
    """
    _check_axes(ax, "plot_reliability")
    found = reliability(labels, logits=logits, probs=probs, temperature=temperature, n_bins=n_bins)
    held = found.count > 0
    ax = _axes(ax, (5.0, 5.4))
    if not _drawn(ax, _DIAGONAL):
        ax.plot([0.0, 1.0], [0.0, 1.0], color="0.6", linestyle="--", linewidth=1.0, zorder=1.0, gid=_DIAGONAL)
        ax.set(xlabel="confidence", ylabel="accuracy", xlim=(-0.02, 1.02), ylim=(_STRIP[0] - 0.02, 1.03))
        ax.set_yticks(np.linspace(0.0, 1.0, 6))
        middle = 0.5 * sum(_STRIP)
        ax.text(-0.02, middle, "rows", transform=ax.get_yaxis_transform(), ha="right", va="center")
    x, y = found.mean_confidence[held], found.accuracy[held]
    whiskers = np.maximum([y - found.low[held], found.high[held] - y], 0.0)
    said = f"ECE {found.expected_calibration_error():.3f}" if held.any() else "no rows"
    dots = ax.errorbar(
        x, y, whiskers, fmt="o-", markersize=5.0, linewidth=1.0, capsize=2.5, label=_label(name, said), zorder=3.0
    )
    bottom, top = _STRIP
    heights = bottom + (top - bottom) * np.where(held, np.maximum(found.count / max(1, found.count.max()), _HAIR), 0.0)
    edges, color = np.append(found.lower, found.upper[-1]), dots.lines[0].get_color()
    ax.stairs(heights, edges, baseline=bottom, fill=True, color=color, alpha=0.35, linewidth=0.0)
    ax.legend(loc="best")
    return ax


def plot_risk_coverage(
    labels: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    temperature: float = 1.0,
    ax: Axes | None = None,
    name: str | None = None,
    max_error: float | None = None,
) -> Axes:
    """Draw the risk of answering only the surest rows, against the share that is answered, and return the axes.

    The left end answers few rows, the right end all of them, where the risk is the error rate. The legend has the area
    under the curve (AURC). The curve is drawn through 2,000 of its points at most. Where less than 2 % are answered it
    may leave the picture: a single wrong row there is a large share.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`, or
        probs: `[N, C]`, each in [0, 1], rows that sum to 1 within 1e-3.
        temperature: divides the logits.
        ax: where to draw; a new figure if there is none.
        name: what the legend calls these rows.
        max_error: the risk that is wanted at most, in [0, 1], drawn as a line; it is compared, not promised.

    Raises:
        InputError: as `plot_reliability`.
        OptionError: as `plot_reliability`.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from logitkit.plots import plot_risk_coverage
        >>> ax = plot_risk_coverage([0, 1], probs=[[0.9, 0.1], [0.6, 0.4]], max_error=0.05)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['at most 5 % wrong', 'AURC 0.250']
        >>> matplotlib.pyplot.close(ax.figure)

    References:
        Geifman, El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
    """
    from logitkit.trust.selective import risk_coverage_curve

    function = "plot_risk_coverage"
    limit = None if max_error is None else check_fraction(max_error, "max_error", function)
    _check_axes(ax, function)
    rows = measure_rows(labels, logits=logits, probs=probs, temperature=temperature, function=function)
    curve = risk_coverage_curve(rows.confidence, rows.correct)
    shown = curve.thinned(_POINTS)
    ax = _axes(ax, (6.0, 4.2))
    if limit is not None and not any(line.get_ydata()[0] == limit for line in _drawn(ax, _LIMIT)):
        words = f"at most {100.0 * limit:.4g} % wrong"
        ax.axhline(limit, color="0.4", linestyle="--", linewidth=1.0, label=words, gid=_LIMIT)
    said = f"AURC {curve.aurc():.3f}" if len(rows.confidence) else "no rows"
    ax.plot(shown.coverage, shown.risk, linewidth=1.5, label=_label(name, said), gid=_CURVE)
    steady = [np.append(line.get_ydata()[line.get_xdata() >= _STEADY], 0.0).max() for line in _drawn(ax, _CURVE)]
    highest = max([*steady, *(line.get_ydata()[0] for line in _drawn(ax, _LIMIT))])
    ax.set(xlabel="coverage: share of the rows that is answered", ylabel="risk: share of the answers that is wrong")
    highest = highest if highest > 0.0 else 0.1
    ax.set(xlim=(0.0, 1.0), ylim=(-0.02 * highest, 1.25 * highest))  # a risk of 0 is a line above the frame
    ax.legend(loc="best")
    return ax


def plot_logits(labels: Any, *, logits: Any, kind: str = "margin", ax: Axes | None = None) -> Axes:
    """Draw histograms of the logits of the rows that are right, and of those that are wrong, and return the axes.

    Where the two lie apart, a threshold can tell errors from answers. Each histogram shows shares of its own group, so
    that few errors are seen as well as many answers. Infinite values (beyond 1e300) are left out, and the legend says
    how many.

    Args:
        labels: `[N]` integers in [0, C).
        logits: `[N, C]`.
        kind: "margin": by how much the largest logit exceeds the second, which does not change when a constant is added
            to a row; or "largest": the largest logit.
        ax: where to draw; a new figure if there is none.

    Raises:
        InputError: if the shapes disagree, a label is out of range, or a logit is NaN.
        OptionError: if `kind` or `ax` is neither.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from logitkit.plots import plot_logits
        >>> ax = plot_logits([0, 1, 0], logits=[[4.0, 0.0], [0.5, 0.0], [float("inf"), 0.0]])
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['right (2 rows, 1 infinite left out)', 'wrong (1 row)']
        >>> matplotlib.pyplot.close(ax.figure)
    """
    function = "plot_logits"
    kind = check_choice(kind, ("margin", "largest"), "kind", function)
    _check_axes(ax, function)
    z = as_logits(logits, function, ndim=2)
    y = as_labels(labels, z.shape[:1], z.shape[1], function)
    values = np.asarray(margin(z) if kind == "margin" else z.max(axis=1), np.float64)
    nan = np.flatnonzero(np.isnan(values))
    if nan.size:
        raise input_error("logits", function, "free of NaN", f"NaN in row {nan[0]}")
    right, finite = np.asarray(argmax(z) == y), abs(values) < _LARGEST
    edges = _even_edges(values[finite])
    ax = _axes(ax, (6.0, 4.2))
    groups = (right, "right"), (~right, "wrong")
    highest = max(_draw_shares(ax, values[group & finite], edges, int(group.sum()), word) for group, word in groups)
    ax.set_ylim(0.0, 1.25 * highest if highest > 0.0 else 0.1)  # the legend is above the bars
    ax.set_xlabel("largest logit less the second largest" if kind == "margin" else "largest logit")
    ax.set_ylabel("share of the group's rows")
    ax.legend(loc="best")
    return ax


def _even_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of bins of equal width that hold all values, however near to each other these are."""
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    size = max(abs(low), abs(high))
    pad = max(0.5, 1e-6 * size) if high - low <= 1e-9 * size else 0.0
    n_bins = min(max(_BINS[0], math.isqrt(values.size)), _BINS[1])
    return np.linspace(low - pad, high + pad, n_bins + 1)


def _draw_shares(ax: Axes, values: NDArray[np.float64], edges: NDArray[np.float64], rows: int, word: str) -> float:
    """Draw one group's histogram and return its highest bar."""
    shares = np.histogram(values, len(edges) - 1, (edges[0], edges[-1]))[0] / max(1, rows)
    left_out = f", {rows - len(values):,} infinite left out" if rows > len(values) else ""
    label = f"{word} ({rows:,} row{'s' * (rows != 1)}{left_out})"
    color = "C0" if word == "right" else "C1"
    ax.stairs(shares, edges, fill=True, color=color, alpha=0.5, label=label)
    return float(shares.max())


def _check_axes(ax: Any, function: str) -> None:
    """Refuse what is no axes, and a matplotlib that is not there, before anything is computed or opened."""
    try:
        from matplotlib.axes import Axes
    except ImportError as error:
        words = "logitkit.plots needs matplotlib, which is not installed: pip install 'logitkit[plots]'"
        raise ImportError(words) from error
    if ax is not None and not isinstance(ax, Axes):
        raise option_error("ax", function, "axes of matplotlib, or None", ax)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes to draw onto: those that are given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    new: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
    return new


def _drawn(ax: Axes, gid: str) -> list[Any]:
    """Return the lines of ours with this mark that are on the axes already."""
    return [line for line in ax.lines if line.get_gid() == gid]


def _label(name: str | None, said: str) -> str:
    return said if name is None else f"{name} ({said})"
