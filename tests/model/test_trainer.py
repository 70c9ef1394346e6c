"""Training as a whole: close to the optimum, the same bits for the same seed, and what regularisation does."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

from logitkit.model.labels import as_label_column, encode_labels
from logitkit.model.trainer import Solver, default_epochs, train_linear
from logitkit.text import NgramSpec, as_column, count_ngrams
from naive_linear import objective, sgd
from synthetic import corpus

WORDS = NgramSpec(words=(1, 1), chars=(1, 0), ideographs=(1, 0))


@pytest.fixture(scope="module")
def data():
    texts, labels = corpus(240, seed=3)
    _, features = count_ngrams(as_column(texts), WORDS).weigh(rare=False)
    return features, encode_labels(as_label_column(labels, 240))[1]


def trained(data, solver, row_weights=None, rows=None, after_epoch=None):
    features, labels = data
    weights = np.ones(len(labels), np.float32) if row_weights is None else row_weights
    chosen = np.arange(len(labels)) if rows is None else rows
    return train_linear(features, labels, weights, chosen, 3, solver, after_epoch)


def dense(features):
    return csr_matrix(
        (features.data.astype(float), features.indices, features.indptr), shape=(240, features.n_features)
    )


@pytest.mark.parametrize("l2", [0.3, 1e-2, 1e-3])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_trained_loss_is_close_to_the_optimum(data, rng, l2, label_smoothing):
    features, labels = data
    X, C = dense(features), 3
    row_weights = rng.uniform(0.2, 1.8, 240)
    row_weights = (row_weights / row_weights.mean()).astype(np.float32)
    targets = np.eye(C)[labels] * (1 - label_smoothing) + label_smoothing / C

    def loss_and_gradient(flat):
        W, b = flat[:-C].reshape(-1, C), flat[-C:]
        log_probs = log_softmax(X @ W + b, axis=1)
        loss = -(row_weights[:, None] * targets * log_probs).sum() / 240 + 0.5 * l2 * (W**2).sum()
        g = row_weights[:, None] * (np.exp(log_probs) - targets) / 240
        return loss, np.concatenate([(X.T @ g + l2 * W).ravel(), g.sum(axis=0)])

    best = minimize(loss_and_gradient, np.zeros((features.n_features + 1) * C), jac=True, method="L-BFGS-B",
                    options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9})  # fmt: skip
    layer, _ = trained(data, Solver(l2, label_smoothing, epochs=100), row_weights)
    flat = np.concatenate([layer.weights.astype(float).ravel(), layer.bias.astype(float)])
    reached = loss_and_gradient(flat)[0]
    start = loss_and_gradient(np.zeros_like(flat))[0]
    assert best.fun <= reached <= best.fun + max(0.01 * (start - best.fun), 1e-3)
    if l2 == 1e-2:  # the oracle of the oracle: plain loops give the same objective
        pairs = [list(zip(X[r].indices.tolist(), X[r].data.tolist(), strict=True)) for r in range(240)]
        W, b = layer.weights.astype(float).tolist(), layer.bias.astype(float).tolist()
        plain = objective(pairs, labels.tolist(), row_weights.tolist(), l2, label_smoothing, W, b)
        np.testing.assert_allclose(plain, reached, rtol=1e-9)


def test_two_epochs_are_those_of_plain_loops(data):
    features, labels = data
    solver = Solver(l2=1e-3, epochs=2, seed=11)
    layer, steps = trained(data, solver)
    X = dense(features)
    pairs = [list(zip(X[r].indices.tolist(), X[r].data.tolist(), strict=True)) for r in range(240)]
    rng = np.random.default_rng(11)
    order = np.concatenate([rng.permutation(240) for _ in range(2)]).tolist()
    first = 4.0 / max(1.0, np.mean([sum(x * x for _, x in row) for row in pairs]))
    shares = np.bincount(labels) + 1e-2
    W, b = [[0.0] * 3 for _ in range(features.n_features)], np.log(shares / shares.sum()).tolist()
    course = sgd(
        pairs, labels.tolist(), [1.0] * 240, order, [first * (1 - k / 480) for k in range(480)], 1e-3, 0.0, W, b
    )
    np.testing.assert_allclose(layer.weights, W, rtol=1e-2, atol=2e-4)
    np.testing.assert_allclose(layer.bias, b, rtol=1e-3, atol=1e-4)
    assert [step.epoch for step in steps] == pytest.approx(np.arange(1, 21) / 10)
    for at, step in enumerate(steps):
        part = course[24 * at : 24 * at + 24]
        logits = np.array([z for _, _, z in part])
        assert step.loss == pytest.approx(np.mean([loss for loss, _, _ in part]), rel=1e-3)
        assert step.gradient_norm == pytest.approx(np.mean([length for _, length, _ in part]), rel=1e-3)
        assert step.logit_scale == pytest.approx(np.sqrt(np.mean(logits**2)), rel=1e-3)
        assert step.largest_logit == pytest.approx(abs(logits).max(), rel=1e-3)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(data):
    one, steps = trained(data, Solver(1e-3, seed=5))
    two, again = trained(data, Solver(1e-3, seed=5))
    other, _ = trained(data, Solver(1e-3, seed=6))
    assert (one.weights == two.weights).all() and (one.bias == two.bias).all() and steps == again
    assert (one.weights != other.weights).any()


def test_a_row_of_weight_three_is_a_row_that_comes_three_times(data):
    weights = np.full(240, 0.5, np.float32)
    weights[:48] = 3.0
    heavy, steps = trained(data, Solver(1e-3, epochs=3), weights)
    rows = np.concatenate([np.repeat(np.arange(48), 3), np.arange(48, 240)])
    ones = weights.copy()
    ones[:48] = 1.0
    repeated, again = trained(data, Solver(1e-3 * 240 / 336, epochs=3), ones, rows=rows)
    # The first step, which goes by the mean of the squared lengths, and the bias at the start differ a little.
    np.testing.assert_allclose(heavy.weights, repeated.weights, atol=0.05 * abs(heavy.weights).max())
    assert [step.loss for step in steps] == pytest.approx([step.loss for step in again], rel=0.2)


def test_what_is_recorded_is_the_weighted_mean(data):
    _, steps = trained(data, Solver(1e-3, epochs=1), np.full(240, 0.25, np.float32))
    assert steps[0].loss == pytest.approx(np.log(3), rel=0.05)


def test_rows_left_out_change_nothing(data):
    features, labels = data
    rows = np.arange(0, 240, 2)
    one, _ = trained(data, Solver(1e-3), rows=rows)
    swapped = labels.copy()
    swapped[1::2] = (swapped[1::2] + 1) % 3
    two, _ = trained((features, swapped), Solver(1e-3), rows=rows)
    assert (one.weights == two.weights).all() and (one.bias == two.bias).all()


def scale_of(data, solver):
    layer, _ = trained(data, solver)
    return float(np.sqrt((layer.logits(data[0]) ** 2).mean()))


def test_l2_and_label_smoothing_lower_the_logit_scale(data):
    by_l2 = [scale_of(data, Solver(l2, epochs=20)) for l2 in (1e-5, 1e-3, 1e-2, 1e-1, 0.9)]
    assert by_l2 == sorted(by_l2, reverse=True) and by_l2[0] > 2 * by_l2[3]
    by_smoothing = [scale_of(data, Solver(1e-4, smoothing, epochs=20)) for smoothing in (0.0, 0.1, 0.5)]
    assert by_smoothing == sorted(by_smoothing, reverse=True) and by_smoothing[0] > 1.5 * by_smoothing[2]


def test_strong_l2_and_heavy_rows_stay_finite(data):
    heavy = np.zeros(240, np.float32)
    heavy[7] = 240.0
    for solver, weights in ((Solver(0.999, epochs=40), None), (Solver(0.5), heavy), (Solver(1e-6), heavy)):
        layer, steps = trained(data, solver, weights)
        assert np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()
        assert all(np.isfinite([step.loss, step.gradient_norm, step.logit_scale]).all() for step in steps)


def test_it_stops_when_told_and_plans_its_step_for_all_epochs(data):
    seen = []
    whole, steps = trained(data, Solver(1e-3, epochs=4, stop_after=2))
    assert len(steps) == 20
    layer, _ = trained(data, Solver(1e-3, epochs=4), after_epoch=lambda epoch, _: seen.append(epoch) or epoch < 2)
    assert seen == [1, 2]
    np.testing.assert_allclose(layer.weights, whole.weights, atol=1e-6)  # the scale was folded in between
    shorter, _ = trained(data, Solver(1e-3, epochs=2))
    assert abs(shorter.weights - whole.weights).max() > 1e-3


def test_no_rows_and_a_class_without_rows_train_to_finite_numbers(data):
    layer, steps = trained(data, Solver(1e-3), rows=np.empty(0, np.int64))
    assert steps == () and not layer.weights.any() and np.isfinite(layer.bias).all()
    only = np.flatnonzero(data[1] != 2)
    layer, _ = trained(data, Solver(1e-3), rows=only)
    assert np.isfinite(layer.bias).all() and layer.logits(data[0])[only].argmax(axis=1).max() < 2


def test_default_epochs():
    assert [default_epochs(rows) for rows in (0, 1, 625, 1_000, 5_000, 10**7)] == [40, 40, 40, 25, 5, 5]
