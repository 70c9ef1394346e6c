"""The triplet loss: every way of mining against plain loops, its gradient against finite differences."""

import numpy as np
import pytest

import naive_contrastive as naive
from logitkit.errors import InputError, OptionError
from logitkit.ops import _token_chunks as sizes
from logitkit.ops.triplet import triplet_loss

MININGS = ("hard", "semi_hard", "all")
DISTANCES = ("euclidean", "squared_euclidean", "cosine")


@pytest.fixture
def small_tiles(monkeypatch):
    """Cut small batches as large ones are cut."""
    monkeypatch.setattr(sizes, "CHUNK_BYTES", 7_000)
    monkeypatch.setattr(sizes, "PIECE", 150)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (9, 3), (60, 4), (100, 4)])
def test_plain_loops(rng, small_tiles, mining, distance, shape):
    """At 100 rows an anchor has more positives than are looked at one by one."""
    x, labels = rng.normal(size=shape), rng.integers(0, 4 if shape[0] < 100 else 3, shape[0])
    reference, count = naive.triplet(x.tolist(), labels.tolist(), 0.3, mining, distance)
    options = {"margin": 0.3, "mining": mining, "distance": distance}
    rows = triplet_loss(x, labels, reduction="none", **options)
    np.testing.assert_allclose(rows, reference, rtol=1e-10, atol=1e-12)
    loss, grad = triplet_loss(x, labels, grad=True, **options)
    np.testing.assert_allclose(loss, np.sum(reference) / max(count, 1), rtol=1e-10, atol=1e-13)
    total, summed = triplet_loss(x, labels, reduction="sum", grad=True, **options)
    np.testing.assert_allclose(total, np.sum(reference), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(grad * max(count, 1), summed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("many", [False, True])
def test_slopes(rng, small_tiles, mining, distance, many):
    x, labels = rng.normal(size=(70 if many else 25, 2)), rng.integers(0, 2 if many else 4, 70 if many else 25)
    options = {"margin": 0.3, "mining": mining, "distance": distance, "reduction": "sum"}
    here, grad = triplet_loss(x, labels, grad=True, **options)
    for index in list(np.ndindex(x.shape))[:: 9 if many else 1]:
        losses = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[index] += step
            losses.append(triplet_loss(moved, labels, **options))
        slope = (losses[0] - losses[1]) / 2e-6
        # Where a triplet begins or ends to count within the step, the slope on its other side is the gradient.
        sides = [(losses[0] - here) / 1e-6, (here - losses[1]) / 1e-6]
        close = [np.isclose(side, grad[index], rtol=1e-3, atol=1e-3) for side in sides]
        assert np.isclose(slope, grad[index], rtol=1e-4, atol=1e-5) or any(close), (slope, sides, grad[index])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_short_floats(rng, dtype):
    x, labels = rng.normal(size=(40, 4)).astype(dtype), rng.integers(0, 4, 40)
    for distance in DISTANCES:
        # Neither the mean nor "semi_hard": both jump where a triplet all but counts.
        options = {"distance": distance, "mining": "all", "reduction": "sum", "grad": True}
        loss, grad = triplet_loss(x, labels, **options)
        exact, exact_grad = triplet_loss(x.astype("f8"), labels, **options)
        assert grad.dtype == x.dtype
        np.testing.assert_allclose(loss, exact, rtol=1e-5)
        scale = np.abs(exact_grad).max()
        np.testing.assert_allclose(grad.astype("f8"), exact_grad, atol=scale * (1e-4 if dtype == "float32" else 1e-3))


def test_embeddings_at_one_place_have_no_gradient_of_nan():
    x = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    for mining in MININGS:
        loss, grad = triplet_loss(x, [0, 0, 1], mining=mining, grad=True)
        assert loss == pytest.approx(0.2)
        assert not grad.any()


def test_without_a_triplet_the_loss_is_0(rng):
    x = rng.normal(size=(6, 2))
    for labels in (np.zeros(6, int), np.arange(6)):
        for mining in MININGS:
            loss, grad = triplet_loss(x, labels, mining=mining, grad=True)
            assert loss == 0.0
            assert not grad.any()
    loss, grad = triplet_loss(np.empty((0, 2)), [], grad=True)
    assert (loss, grad.shape) == (0.0, (0, 2))


def test_nan_is_not_hidden(rng):
    x, labels = rng.normal(size=(8, 2)), np.arange(8) % 2
    x[3] = np.nan
    for mining in MININGS:
        assert np.isnan(triplet_loss(x, labels, mining=mining, reduction="none")).all()


def test_threads_change_no_bit(rng, small_tiles, threads):
    x, labels = rng.normal(size=(90, 4)).astype(np.float32), rng.integers(0, 9, 90)
    results = []
    for n in (1, 2, 5):
        threads(n)
        loss, grad = triplet_loss(x, labels, mining="all", grad=True)
        results.append((loss, grad.tobytes()))
    assert results[0] == results[1] == results[2]


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="labels"):
        triplet_loss([[1.0]], [0, 1])
    for options in ({"margin": -1.0}, {"mining": "easy"}, {"distance": "manhattan"}, {"reduction": "max"}):
        with pytest.raises(OptionError, match=next(iter(options))):
            triplet_loss([[1.0]], [0], **options)
