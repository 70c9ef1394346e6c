"""Figures: what is drawn is what the metrics say; nothing else changes; what is refused."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import softmax

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

from logitkit.errors import InputError, OptionError  # noqa: E402
from logitkit.ops import margin  # noqa: E402
from logitkit.plots import plot_logits, plot_reliability, plot_risk_coverage  # noqa: E402
from logitkit.trust.calibration_error import expected_calibration_error  # noqa: E402
from logitkit.trust.reliability_diagram import reliability  # noqa: E402
from logitkit.trust.rows import measure_rows  # noqa: E402
from logitkit.trust.selective import risk_coverage_curve  # noqa: E402

PLOTS = [plot_reliability, plot_risk_coverage, plot_logits]


@pytest.fixture(autouse=True)
def close_figures():
    before = dict(matplotlib.rcParams)
    yield
    pyplot.close("all")
    assert dict(matplotlib.rcParams) == before


def problem(seed=0, N=500, C=4):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(N, C)) * 3.0
    right = rng.random(N) < 0.6
    return logits, np.where(right, logits.argmax(axis=1), rng.integers(0, C, N))


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def draw(ax):
    ax.figure.canvas.draw()  # a warning is an error
    return ax


@pytest.mark.parametrize("N", [1, 7, 500])
def test_the_dots_whiskers_and_strip_of_reliability_are_its_data(N):
    logits, labels = problem(1, N)
    ax = draw(plot_reliability(labels, logits=logits, temperature=1.5, n_bins=10))
    found = reliability(labels, logits=logits, temperature=1.5, n_bins=10)
    held = found.count > 0
    dots = ax.containers[0]
    np.testing.assert_allclose(dots.lines[0].get_xydata().T, [found.mean_confidence[held], found.accuracy[held]])
    segments = dots.lines[2][0].get_segments()
    for segment, x, low, high in zip(
        segments, found.mean_confidence[held], found.low[held], found.high[held], strict=True
    ):
        np.testing.assert_allclose(segment, [[x, low], [x, high]], atol=1e-12)
    heights, edges, bottom = ax.patches[0].get_data()
    np.testing.assert_allclose(edges, np.linspace(0.0, 1.0, 11), atol=1e-12)
    shares = (heights - bottom) / (heights - bottom).max()
    np.testing.assert_allclose(
        shares, np.where(held, np.maximum(found.count / found.count.max(), 0.03), 0.0), atol=1e-9
    )
    error = expected_calibration_error(labels, logits=logits, temperature=1.5, n_bins=10)
    assert words(ax) == [f"ECE {error:.3f}"]


def test_two_on_one_axes_share_the_diagonal_and_differ_in_colour():
    logits, labels = problem()
    figure, ax = pyplot.subplots()
    assert plot_reliability(labels, logits=logits, ax=ax, name="before") is ax
    assert plot_reliability(labels, logits=logits, temperature=3.0, ax=ax, name="after") is ax
    draw(ax)
    assert [text.split(" (ECE ")[0] for text in words(ax)] == ["before", "after"]
    colors = [container.lines[0].get_color() for container in ax.containers]
    assert len(set(colors)) == 2
    assert [matplotlib.colors.to_rgb(patch.get_facecolor()) for patch in ax.patches] == [
        matplotlib.colors.to_rgb(color) for color in colors
    ]
    assert len([line for line in ax.lines if line.get_linestyle() == "--"]) == 1
    assert len(ax.texts) == 1
    assert pyplot.get_fignums() == [figure.number]


def test_the_curve_of_risk_is_its_data_and_the_limit_a_line():
    logits, labels = problem(2)
    ax = plot_risk_coverage(labels, logits=logits, temperature=2.0, name="model", max_error=0.1)
    draw(ax)
    rows = measure_rows(labels, logits=logits, temperature=2.0)
    curve = risk_coverage_curve(rows.confidence, rows.correct)
    limit, line = ax.lines
    np.testing.assert_allclose(line.get_xydata().T, [curve.coverage, curve.risk])
    assert list(limit.get_ydata()) == [0.1, 0.1]
    assert words(ax) == ["at most 10 % wrong", f"model (AURC {curve.aurc():.3f})"]
    top = ax.get_ylim()[1]
    assert top >= curve.risk[curve.coverage >= 0.02].max() and top >= 0.1


def test_several_curves_share_a_limit_and_fit_the_frame():
    logits, labels = problem(3)
    ax = pyplot.subplots()[1]
    worse = np.random.default_rng(0).normal(size=logits.shape)
    for name, given in (("model", logits), ("noise", worse), ("model again", logits)):
        plot_risk_coverage(labels, logits=given, ax=ax, name=name, max_error=0.1)
    draw(ax)
    assert len(ax.lines) == 4
    highest = max(line.get_ydata()[-1] for line in ax.lines)
    assert highest > 0.6 and ax.get_ylim()[1] > highest


def test_a_long_curve_is_drawn_through_some_of_its_points():
    logits, labels = problem(4, 20_000, 2)
    ax = draw(plot_risk_coverage(labels, logits=logits))
    x, y = ax.lines[0].get_xydata().T
    rows = measure_rows(labels, logits=logits)
    curve = risk_coverage_curve(rows.confidence, rows.correct)
    assert 1000 < len(x) <= 2000 and x[-1] == 1.0 and y[-1] == curve.risk[-1]
    at = np.searchsorted(curve.coverage, x)
    np.testing.assert_allclose(y, curve.risk[at])
    assert words(ax) == [f"AURC {curve.aurc():.3f}"]


@pytest.mark.parametrize("kind", ["margin", "largest"])
def test_the_histograms_are_shares_of_each_group(kind):
    logits, labels = problem(5)
    logits[:5, 0], logits[5:7, 1] = np.inf, -np.inf  # five margins and maxima are infinite; -inf changes neither
    ax = draw(plot_logits(labels, logits=logits, kind=kind))
    values = margin(logits) if kind == "margin" else logits.max(axis=1)
    right, finite = logits.argmax(axis=1) == labels, np.isfinite(values)
    for patch, group in zip(ax.patches, (right, ~right), strict=True):
        shares, edges, _ = patch.get_data()
        np.testing.assert_allclose(shares, np.histogram(values[group & finite], edges)[0] / group.sum())
        assert edges[0] == values[finite].min() and edges[-1] == values[finite].max()
        assert shares.sum() == pytest.approx((group & finite).sum() / group.sum())
        assert shares.max() < ax.get_ylim()[1]
    infinite = [int((group & ~finite).sum()) for group in (right, ~right)]
    assert sum(infinite) == 5 and all(infinite)
    assert words(ax) == [
        f"{word} ({int(group.sum())} rows, {count} infinite left out)"
        for word, group, count in zip(("right", "wrong"), (right, ~right), infinite, strict=True)
    ]


@pytest.mark.parametrize("plot", PLOTS)
def test_every_kind_of_data_is_drawn_without_a_warning(plot):
    logits, labels = problem(6, 40)
    cases = [
        ([], np.zeros((0, 3))),
        ([0], [[1.0, 2.0]]),
        ([1], [[1.0, 2.0]]),
        ([0, 0], [[1.0], [2.0]]),
        ([0, 1], np.zeros((2, 2))),
        (logits.argmax(axis=1), logits * 1e3),
        (labels, np.full((40, 4), np.inf)),
        (labels, np.float32(3e38) * np.sign(logits).astype(np.float32)),
        (labels, np.where(logits > 0, 1.7e308, -1.7e308)),
        (labels, np.where(logits > 0, 1e20, 3.0)),
        (labels, np.full((40, 4), -np.inf)),
        (labels.tolist(), logits.tolist()),
        (labels.astype(np.int8), logits.astype(np.float16)),
    ]
    for some_labels, some_logits in cases:
        ax = plot(some_labels, logits=some_logits)
        assert isinstance(ax, Axes) and len(words(draw(ax))) >= 1
        assert all((np.diff(patch.get_data()[1]) > 0.0).all() for patch in ax.patches)
        pyplot.close(ax.figure)


def test_logits_too_large_for_a_frame_are_left_out():
    logits = [[1.7e308, 0.0], [-1.7e308, -1.75e308], [2.0, 1.0], [3e299, 1.0]]
    ax = draw(plot_logits([0, 0, 0, 0], logits=logits, kind="largest"))
    assert words(ax)[0] == "right (4 rows, 2 infinite left out)"


def test_probabilities_and_logits_draw_the_same():
    logits, labels = problem(7)
    for plot in (plot_reliability, plot_risk_coverage):
        first, second = plot(labels, logits=logits), plot(labels, probs=softmax(logits, axis=1))
        assert words(first) == words(second)
        for one, other in zip(first.lines, second.lines, strict=True):
            np.testing.assert_allclose(one.get_xydata(), other.get_xydata(), atol=1e-9)


@pytest.mark.parametrize("plot", PLOTS)
def test_wrong_input_gets_one_sentence_and_opens_no_figure(plot):
    wrong = [
        (InputError, [0], {"logits": [[0.0, math.nan]]}),
        (InputError, [0, 1], {"logits": [[0.0, 1.0]]}),
        (InputError, [2], {"logits": [[0.0, 1.0]]}),
        (OptionError, [0], {"logits": [[0.0, 1.0]], "ax": "here"}),
    ]
    if plot is plot_logits:
        wrong.append((OptionError, [0], {"logits": [[0.0, 1.0]], "kind": "smallest"}))
    else:
        wrong.append((OptionError, [0], {}))
    if plot is plot_risk_coverage:
        wrong.append((OptionError, [0], {"logits": [[0.0, 1.0]], "max_error": 5}))
    for error, labels, arguments in wrong:
        with pytest.raises(error, match=r"\.$") as caught:
            plot(labels, **arguments)
        assert "\n" not in str(caught.value)
    assert pyplot.get_fignums() == []


def test_without_matplotlib_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from logitkit.plots import plot_logits\n"
        "plot_logits([0], logits=[[1.0, 0.0]])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: logitkit.plots needs matplotlib, which is not installed: pip install 'logitkit[plots]'"
    )


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, logitkit.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False"
