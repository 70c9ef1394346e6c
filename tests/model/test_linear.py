"""The linear layer: its logits against SciPy, one step of training against plain float64 loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from logitkit.kernels.linear import row_squares, train_rows
from logitkit.model.linear import LinearModel
from logitkit.text import Features
from naive_linear import sgd


def random_features(rng, N, F, longest):
    lengths = rng.integers(0, min(longest, F) + 1, N)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    indices = np.concatenate([rng.permutation(F)[:n] for n in lengths] + [np.empty(0, int)]).astype(np.int32)
    return Features(indptr, indices, rng.uniform(0.05, 1.0, len(indices)).astype(np.float32), F)


def as_rows(features):
    bounds = zip(features.indptr[:-1], features.indptr[1:], strict=True)
    pairs = list(zip(features.indices.tolist(), features.data.astype(float).tolist(), strict=True))
    return [pairs[start:stop] for start, stop in bounds]


@given(seed=st.integers(0, 2**32 - 1), N=st.integers(0, 30), F=st.integers(1, 40), C=st.integers(1, 20))
def test_logits_are_the_product_of_scipy(seed, N, F, C):
    rng = np.random.default_rng(seed)
    features = random_features(rng, N, F, 17)
    layer = LinearModel(rng.normal(size=(F, C)).astype(np.float32), rng.normal(size=C).astype(np.float32))
    matrix = csr_matrix((features.data.astype(float), features.indices, features.indptr), (N, F), copy=True)
    expected = matrix @ layer.weights.astype(float) + layer.bias
    size = abs(matrix) @ abs(layer.weights.astype(float)) + abs(layer.bias)
    logits = layer.logits(features)
    assert logits.shape == (N, C) and logits.dtype == np.float32
    assert (abs(logits - expected) <= 8 * np.finfo(np.float32).eps * size).all()


def test_rows_in_any_order_and_blocks_have_the_same_bits(rng, threads):
    features = random_features(rng, 2_000, 300, 25)
    layer = LinearModel(rng.normal(size=(300, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32))
    threads(1)
    whole = layer.logits(features)
    threads(2)
    assert (layer.logits(features) == whole).all()
    picked = rng.integers(0, 2_000, 1_500)
    out = np.full((1_500, 7), np.nan, np.float32)
    assert layer.logits(features, picked, out) is out
    assert (out == whole[picked]).all()


@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.3, 0.99])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_every_step_is_that_of_plain_loops(rng, l2, label_smoothing):
    N, F, C = 40, 25, 4
    features = random_features(rng, N, F, 9)
    labels = rng.integers(0, C, N)
    row_weights = rng.uniform(0.0, 3.0, N).astype(np.float32)
    squares = np.empty(N, np.float32)
    row_squares(features.indptr, features.data, squares)
    order = rng.permutation(np.repeat(np.arange(N), 3))
    weights, bias = np.zeros((F, C), np.float32), np.log(np.full(C, 1 / C, np.float32))
    W, b = weights.astype(float).tolist(), bias.astype(float).tolist()
    scale, logits = np.ones(1), np.empty(C, np.float32)
    for k, row in enumerate(order.tolist()):
        step = 3.0 * (1.0 - k / len(order))
        totals = np.zeros(4)
        train_rows(
            np.array([row]), features.indptr, features.indices, features.data, labels, row_weights, squares,
            step, 0.0, l2, label_smoothing, weights, bias, scale, logits, totals,
        )  # fmt: skip
        (expected,) = sgd(
            as_rows(features), labels.tolist(), row_weights.astype(float).tolist(), [row], [step], l2,
            label_smoothing, W, b,
        )  # fmt: skip
        loss, length, z = expected
        np.testing.assert_allclose(totals[:2], [loss, length], rtol=1e-4, atol=1e-5, err_msg=f"step {k}")
        np.testing.assert_allclose(totals[2], np.mean(np.square(z)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(totals[3], np.max(np.abs(z)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(weights * scale[0], W, rtol=1e-3, atol=2e-5, err_msg=f"step {k}")
        np.testing.assert_allclose(bias, b, rtol=1e-4, atol=1e-5)


def test_the_step_goes_linearly_from_the_first_row_on(rng):
    N, F, C = 12, 10, 3
    features = random_features(rng, N, F, 5)
    labels, ones = rng.integers(0, C, N), np.ones(N, np.float32)
    squares = np.empty(N, np.float32)
    row_squares(features.indptr, features.data, squares)
    weights, bias = np.zeros((F, C), np.float32), np.zeros(C, np.float32)
    W, b = weights.astype(float).tolist(), bias.astype(float).tolist()
    totals = np.zeros(4)
    scale = np.ones(1)
    train_rows(
        np.arange(N), features.indptr, features.indices, features.data, labels, ones, squares, 2.0, 0.5, 0.01, 0.0,
        weights, bias, scale, np.empty(C, np.float32), totals,
    )  # fmt: skip
    steps = [2.0 - 1.5 * k / N for k in range(N)]
    course = sgd(as_rows(features), labels.tolist(), [1.0] * N, list(range(N)), steps, 0.01, 0.0, W, b)
    np.testing.assert_allclose(weights * scale[0], W, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bias, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(totals[0], sum(loss for loss, _, _ in course), rtol=1e-5)


def test_squares_are_the_squared_lengths(rng):
    features = random_features(rng, 50, 30, 20)
    squares = np.empty(50, np.float32)
    row_squares(features.indptr, features.data, squares)
    matrix = csr_matrix((features.data, features.indices, features.indptr), (50, 30)).toarray()
    np.testing.assert_allclose(squares, (matrix.astype(float) ** 2).sum(axis=1), rtol=1e-6)
