"""Affine calibrators, their choice, several labels, and files: relations, probmetrics, and every wrong input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from logitkit.errors import InputError, ModelFileError, OptionError
from logitkit.model_file import read_model_file, write_model_file
from logitkit.trust.calibrators.affine import AffineCalibrator, mixed_log_probs
from logitkit.trust.calibrators.fit import fit_calibrator, select_calibrator
from logitkit.trust.calibrators.methods import METHODS, candidates
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator
from logitkit.trust.calibrators.restore import load_calibrator
from logitkit.trust.calibrators.selection import choose_calibrator
from logitkit.trust.metrics import log_loss
from logitkit.trust.temperature import fit_temperature

seeds = st.integers(0, 2**32 - 1)
AFFINE = (
    *("none", "temperature", "bias-corrected temperature", "vector", "half structured matrix", "structured matrix"),
    *("dirichlet", "shared beta", "shared beta matrix"),
)


def problem(seed, N=300, C=4, dtype=np.float64):
    """Logits that are too large, with biases that are off."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(N, C)) * 1.5
    p = np.exp(log_softmax(truth, axis=1))
    labels = (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, C - 1)
    return (truth * 2.5 + 0.7 * rng.normal(size=C) + rng.normal(size=(N, 1))).astype(dtype), labels


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gives_distributions_in_the_type_of_the_logits(method, dtype):
    logits, labels = problem(1, C=2, dtype=dtype)
    hard = np.array([[1e4, -1e4], [np.inf, 0.0], [-np.inf, 3.0], [0.0, 0.0], [-np.inf, -np.inf]], dtype)
    calibrator = fit_calibrator(logits, labels, method=method)
    assert calibrator.method == method and calibrator.n_classes == 2
    for rows in (logits, hard):
        probs = calibrator.probs(rows)
        assert probs.dtype == dtype and probs.shape == rows.shape
        assert (probs >= 0.0).all() and (probs <= 1.0 + 1e-6).all()
        np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(np.exp(calibrator.log_probs(rows)), probs, rtol=1e-6)
    assert calibrator.probs(logits[:0]).shape == (0, 2)


@pytest.mark.parametrize("method", AFFINE)
@settings(max_examples=4)
@given(seed=seeds)
def test_a_shift_of_rows_and_the_order_of_rows_and_classes_change_nothing(method, seed):
    rng = np.random.default_rng(seed)
    logits, labels = problem(seed)
    rows, classes = rng.permutation(len(logits)), rng.permutation(4)
    found = fit_calibrator(logits, labels, method=method).log_probs(logits)
    shifted = fit_calibrator(logits + 5.0 * rng.normal(size=(len(logits), 1)), labels, method=method).log_probs(logits)
    np.testing.assert_allclose(shifted, found, atol=2e-3)
    other = fit_calibrator(logits[rows][:, classes], np.argsort(classes)[labels[rows]], method=method)
    np.testing.assert_allclose(other.log_probs(logits[:, classes]), found[:, classes], atol=2e-2)


@pytest.mark.parametrize("method", AFFINE)
def test_weights_are_repetition(method):
    logits, labels = problem(2)
    weights = np.random.default_rng(3).integers(0, 4, len(labels))
    repeated = fit_calibrator(np.repeat(logits, weights, axis=0), np.repeat(labels, weights), method=method)
    weighted = fit_calibrator(logits, labels, method=method, sample_weights=weights)
    slack = 2e-2 if method.startswith("shared") else 2e-3  # its minimum is flat along the bend
    np.testing.assert_allclose(weighted.log_probs(logits), repeated.log_probs(logits), atol=slack)


@pytest.mark.parametrize("method", [*AFFINE[2:4], *AFFINE[5:7]])
def test_is_the_minimum_of_the_penalised_loss(method):
    """No step from what was found lowers the loss that the docstring states."""
    logits, labels = problem(4, N=400, C=3)
    n, C = logits.shape
    found = fit_calibrator(logits, labels, method=method)
    x = mixed_log_probs(logits, found.temperature, found.mix)
    rng = np.random.default_rng(5)

    def penalised(scale, bias):
        z = x @ scale.T + bias if scale.ndim == 2 else x * scale + bias
        loss = -log_softmax(z, axis=1)[np.arange(n), labels].mean() + C / n * (bias**2).sum()
        if method in ("vector", "structured matrix"):
            diagonal = np.diag(scale) if scale.ndim == 2 else scale
            loss += C / n * ((diagonal - 1.0) ** 2).sum()
        if scale.ndim == 2:
            loss += C * (C - 1) / n * ((scale - np.diag(np.diag(scale))) ** 2).sum()
        return loss

    best = penalised(found.scale, found.bias)
    for size in (1e-1, 1e-2, 3e-3):
        for _ in range(40):
            scale = found.scale + size * rng.normal(size=found.scale.shape)
            assert penalised(scale, found.bias + size * rng.normal(size=C)) > best - 1e-6


@pytest.mark.parametrize(
    ("ours", "theirs"), [("vector", "svs"), ("structured matrix", "sms"), ("temperature", "ts-mix")]
)
@pytest.mark.parametrize(("N", "C"), [(400, 3), (1500, 12)])
def test_equals_probmetrics(ours, theirs, N, C):
    calibrators = pytest.importorskip("probmetrics.calibrators")
    logits, labels = problem(6, N=N, C=C)
    probs = np.exp(log_softmax(logits, axis=1))
    peer = calibrators.get_calibrator(theirs)
    peer.fit(probs, labels)
    mine = fit_calibrator(logits, labels, method=ours)
    test_logits, test_labels = problem(7, N=N, C=C)
    other = log_loss(test_labels, probs=peer.predict_proba(np.exp(log_softmax(test_logits, axis=1))))
    assert log_loss(test_labels, logits=mine.log_probs(test_logits)) == pytest.approx(other, abs=1e-3)
    if ours != "temperature":  # it mixes in 1 / (n + 1), and so do we before we stretch
        np.testing.assert_allclose(mine.probs(logits), peer.predict_proba(probs), atol=2e-3)


def test_the_temperature_is_that_of_fit_temperature():
    logits, labels = problem(8)
    found = fit_calibrator(logits, labels, method="temperature")
    assert found.temperature == fit_temperature(logits, labels)
    np.testing.assert_allclose(found.log_probs(logits), log_softmax(logits / found.temperature, axis=1), rtol=1e-12)


def test_beta_keeps_the_order_of_the_probabilities():
    logits, labels = problem(9, C=2)
    labels = np.where(np.arange(len(labels)) % 3 == 0, 1 - labels, labels)
    found = fit_calibrator(logits, labels, method="beta")
    assert (found.scale >= 0.0).all()
    order = np.argsort(logits[:, 1] - logits[:, 0])
    assert (np.diff(found.probs(logits)[order, 1]) >= -1e-12).all()


def test_rows_that_are_all_right_do_not_make_anything_certain():
    logits = np.random.default_rng(0).normal(size=(50, 3))
    for method in AFFINE[1:]:
        probs = fit_calibrator(logits, logits.argmax(axis=1), method=method).probs(logits * 1e6)
        assert probs.max() <= 1.0 and np.isfinite(np.log(probs.max(axis=1))).all(), method


@settings(max_examples=15)
@given(seed=seeds, C=st.integers(2, 5), N=st.integers(12, 120))
def test_auto_is_never_worse_than_nothing_on_held_out_rows(seed, C, N):
    logits, labels = problem(seed, N, C)
    selection = choose_calibrator(logits, labels)
    by_name = {trial.method: trial for trial in selection.trials}
    assert selection.calibrator.method in by_name
    if selection.rows:
        chosen = by_name[selection.calibrator.method]
        assert chosen.log_loss <= by_name["none"].log_loss
        assert chosen.worse_by <= max(2e-4, min(chosen.standard_error, 1e-3))


def test_auto_leaves_good_logits_alone_and_mends_bad_ones(rng):
    truth = rng.normal(size=(4000, 3)) * 2.0
    p = np.exp(log_softmax(truth, axis=1))
    labels = (p.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1).clip(0, 2)
    assert fit_calibrator(truth, labels).method == "none"
    assert fit_calibrator(4.0 * truth, labels).method == "temperature"
    assert fit_calibrator(truth * 2.0 + [3.0, 0.0, -2.0], labels).method == "structured matrix"


def test_half_way_lies_between_the_temperature_and_the_matrix():
    logits, labels = problem(14, N=500)
    whole, half = (fit_calibrator(logits, labels, method=f"{part}structured matrix") for part in ("", "half "))
    np.testing.assert_allclose(half.scale, (whole.scale + np.eye(4)) / 2, rtol=1e-12)
    np.testing.assert_allclose(half.bias, whole.bias / 2, rtol=1e-12)
    assert half.temperature == whole.temperature == fit_temperature(logits, labels)


def test_auto_tells_what_each_method_was_worth():
    logits, labels = problem(10, N=200)
    calls = []
    selection = select_calibrator(logits, labels, progress=calls.append)
    assert [trial.method for trial in selection.trials] == list(candidates(4, 200))
    assert selection.rows == 200 and calls == sorted(calls) and 0.0 < calls[0] <= 1.0
    assert min(trial.worse_by for trial in selection.trials) == 0.0


def test_auto_with_hardly_any_row_does_nothing():
    for labels in ([0], [0, 1], [0, 1, 2]):
        logits = np.eye(3)[labels]
        assert fit_calibrator(logits, labels).method == "none"


def test_several_labels_are_calibrated_one_by_one():
    rng = np.random.default_rng(11)
    truth = rng.normal(size=(800, 3)) + np.array([-1.0, 0.0, 1.0])
    targets = (rng.random((800, 3)) < 1.0 / (1.0 + np.exp(-truth))).astype(np.int8)
    found = fit_calibrator(truth * [3.0, 1.0, 0.3], targets, method="temperature")
    assert isinstance(found, MultilabelCalibrator) and found.n_classes == 3
    probs = found.probs(truth * [3.0, 1.0, 0.3])
    np.testing.assert_allclose(probs, 1.0 / (1.0 + np.exp(-truth)), atol=0.06)
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-found.log_odds(truth))), found.probs(truth), rtol=1e-9)
    alone = fit_calibrator(np.stack([np.zeros(800), truth[:, 1]], axis=1), targets[:, 1], method="temperature")
    pair = np.stack([np.zeros(800), truth[:, 1]], axis=1)
    np.testing.assert_array_equal(found.probs(truth)[:, 1], alone.probs(pair)[:, 1])


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_a_file_gives_back_the_same_bits(method, tmp_path):
    logits, labels = problem(12, C=2)
    for i, y in enumerate((labels, np.eye(2, dtype=int)[labels])):
        calibrator = fit_calibrator(logits, y, method=method)
        calibrator.save(tmp_path / f"{i}.logitkit")
        loaded = load_calibrator(tmp_path / f"{i}.logitkit")
        assert loaded.method == calibrator.method and type(loaded) is type(calibrator)
        np.testing.assert_array_equal(loaded.log_probs(logits), calibrator.log_probs(logits))
        calibrator.save(tmp_path / f"{i}b.logitkit")
        assert (tmp_path / f"{i}.logitkit").read_bytes() == (tmp_path / f"{i}b.logitkit").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, facts: facts.update(layout="pickle"),
        lambda tensors, facts: facts.update(layout=["affine"]),
        lambda tensors, facts: facts.update(n_classes=5),
        lambda tensors, facts: facts.update(n_classes=-1),
        lambda tensors, facts: facts.update(n_classes="4"),
        lambda tensors, facts: facts.update(method=7),
        lambda tensors, facts: facts.update(facts=[]),
        lambda tensors, facts: facts["facts"].update(temperature=0.0),
        lambda tensors, facts: facts["facts"].update(temperature="1"),
        lambda tensors, facts: facts["facts"].update(mix=1.0),
        lambda tensors, facts: facts["facts"].pop("mix"),
        lambda tensors, facts: tensors.update(bias=np.full(4, np.nan)),
        lambda tensors, facts: tensors.update(bias=np.zeros(3)),
        lambda tensors, facts: tensors.update(scale=np.zeros(4, np.float32)),
        lambda tensors, facts: tensors.update(more=np.zeros(4)),
        lambda tensors, facts: tensors.pop("scale"),
    ],
)
def test_an_altered_file_is_refused_in_one_sentence(change, tmp_path):
    logits, labels = problem(13)
    fit_calibrator(logits, labels, method="vector").save(tmp_path / "good.logitkit")
    tensors, facts = read_model_file(tmp_path / "good.logitkit")
    change(tensors, facts)
    write_model_file(tmp_path / "bad.logitkit", tensors, facts)
    with pytest.raises(ModelFileError, match=r"not a consistent calibrator.*\.$"):
        load_calibrator(tmp_path / "bad.logitkit")


def test_a_file_of_something_else_is_refused(tmp_path):
    write_model_file(tmp_path / "model.logitkit", {"a": np.zeros(1)}, {"kind": "text-classifier"})
    with pytest.raises(ModelFileError, match="'text-classifier', not a calibrator"):
        load_calibrator(tmp_path / "model.logitkit")
    with pytest.raises(InputError, match="does not exist"):
        load_calibrator(tmp_path / "missing.logitkit")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([[0.0, 1.0]], [0, 1]), InputError, "shape"),
        (([[0.0, 1.0]], [2]), InputError, r"\[0, 2\)"),
        (([[0.0, math.nan], [0.0, 1.0]], [0, 1]), InputError, "NaN in row 0"),
        (([0.0, 1.0], [0]), InputError, "dimension"),
        ((np.zeros((0, 3)), []), InputError, "one row or more"),
        (([[0.0, 1.0]], [[0, 2]]), InputError, "must be 0 or 1; got 2 in row 0"),
        (([[0.0, 1.0]], [[0, 1, 0]]), InputError, "shape"),
        (([[0.0, 1.0, 2.0]], [0], "beta"), OptionError, "two classes"),
        (([[0.0, 1.0]], [0], "magic"), OptionError, "'auto', 'none'"),
        (([[0.0, 1.0]], [0], "venn-abers", [2.0]), OptionError, "no sample weights"),
        (([[0.0, 1.0]], [0], "auto", [-1.0]), InputError, "at least 0"),
    ],
)
def test_wrong_input_gets_one_sentence(arguments, error, words):
    logits, labels, *rest = arguments
    options = dict(zip(("method", "sample_weights"), rest, strict=False))
    with pytest.raises(error, match=words) as caught:
        fit_calibrator(logits, labels, **options)
    assert str(caught.value).endswith(".")


def test_applying_refuses_other_classes_and_nan():
    calibrator = AffineCalibrator("none", 3, 1.0, 0.0, np.ones(()), np.zeros(3))
    with pytest.raises(InputError, match="of 3 classes"):
        calibrator.probs([[0.0, 1.0]])
    with pytest.raises(InputError, match="NaN in row 1"):
        calibrator.probs([[0.0, 1.0, np.inf], [0.0, np.nan, -np.inf]])
