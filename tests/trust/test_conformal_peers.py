"""Prediction sets equal those of MAPIE and TorchCP where they define the same thing.

Both draw a number for each row from their own generators; here they are given ours, so that the sets must be equal.
"""

import importlib
import importlib.util
import sys
import types
import warnings
from functools import partial

import numpy as np
import pytest
from scipy.special import expit, softmax

from logitkit.kernels.conformity import row_uniforms_block
from logitkit.trust.conformal import fit_conformal
from logitkit.trust.conformity import RapsPenalty, conformity_scores
from logitkit.trust.risk_control import fit_false_negative_control

N, CALIBRATION = 900, 400
ALPHAS = (0.02, 0.1, 0.3)


@pytest.fixture(params=[3, 20])
def logits_and_labels(request, rng):
    z = rng.normal(size=(N, request.param)) * 2
    labels = (softmax(z / 1.5, axis=1).cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, request.param - 1)
    labels[: request.param] = np.arange(request.param)  # MAPIE takes the classes from the labels
    return z, labels


def row_uniforms(values):
    uniforms = np.empty(len(values))
    row_uniforms_block(np.ascontiguousarray(values), np.uint64(0), uniforms)
    return uniforms


class Given:
    """A classifier for MAPIE whose rows are indices into probabilities that are known."""

    def __init__(self, probs):
        self.probs, self.classes_ = probs, np.arange(probs.shape[1])
        self.fitted_ = True

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return self.probs[X[:, 0]]

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


class Uniforms:
    """A generator for MAPIE that gives the numbers it holds."""

    def __init__(self, numbers):
        self.numbers = numbers

    def uniform(self, size):
        assert np.prod(size) == len(self.numbers)
        return self.numbers.reshape(size)


@pytest.fixture
def mapie_sets(monkeypatch):
    """Return the sets of MAPIE for the rows after the calibration rows, and its conformity score object."""
    mapie_classification = pytest.importorskip("mapie.classification")
    aps = importlib.import_module("mapie.conformity_scores.sets.aps")

    def sets(probs, labels, alpha, score, uniforms, include_last_label=True):
        X = np.arange(N)[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what it will rename
            peer = mapie_classification.SplitConformalClassifier(Given(probs), 1 - alpha, score, random_state=1)
            monkeypatch.setattr(aps, "check_random_state", lambda _: Uniforms(uniforms[:CALIBRATION]))
            peer.conformalize(X[:CALIBRATION], labels[:CALIBRATION])
            monkeypatch.setattr(aps, "check_random_state", lambda _: Uniforms(uniforms[CALIBRATION:]))
            options = {"include_last_label": include_last_label}
            return peer.predict_set(X[CALIBRATION:], options)[1][:, :, 0], peer._conformity_score

    return sets


@pytest.mark.parametrize("alpha", ALPHAS)
def test_lac_sets_equal_mapie(logits_and_labels, alpha, mapie_sets):
    z, labels = logits_and_labels
    probs = softmax(z, axis=1)
    predictor = fit_conformal(labels[:CALIBRATION], probs=probs[:CALIBRATION], alpha=alpha)
    theirs, score = mapie_sets(probs, labels, alpha, "lac", np.zeros(N))
    assert predictor.quantile == pytest.approx(score.quantiles_[0], rel=1e-12)
    assert (predictor.predict_sets(probs=probs[CALIBRATION:]) == theirs).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_randomised_aps_sets_equal_mapie(logits_and_labels, alpha, mapie_sets):
    z, labels = logits_and_labels
    probs = softmax(z, axis=1)
    predictor = fit_conformal(labels[:CALIBRATION], probs=probs[:CALIBRATION], method="aps", alpha=alpha)
    theirs, score = mapie_sets(probs, labels, alpha, "aps", row_uniforms(probs), "randomized")
    assert predictor.quantile == pytest.approx(score.quantiles_[0], rel=1e-12)
    assert (predictor.predict_sets(probs=probs[CALIBRATION:]) == theirs).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_aps_sets_without_random_numbers_equal_mapie(logits_and_labels, alpha, mapie_sets):
    """MAPIE draws for the calibration rows always; given zeros, and without the last label, it means the same."""
    z, labels = logits_and_labels
    probs = softmax(z, axis=1)
    options = {"method": "aps", "randomized": False, "allow_empty": False, "alpha": alpha}
    predictor = fit_conformal(labels[:CALIBRATION], probs=probs[:CALIBRATION], **options)
    theirs, _ = mapie_sets(probs, labels, alpha, "aps", np.zeros(N), False)
    assert (predictor.predict_sets(probs=probs[CALIBRATION:]) == theirs).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_raps_scores_equal_mapie(logits_and_labels, alpha):
    """Its sets are not compared: it chooses the penalty itself, on rows that it sets apart at random."""
    pytest.importorskip("mapie")
    raps = importlib.import_module("mapie.conformity_scores.sets.raps").RAPSConformityScore
    z, labels = logits_and_labels
    probs, classes = softmax(z, axis=1), np.arange(z.shape[1])
    base, rank = raps.get_true_label_cumsum_proba(labels, probs, classes)
    theirs = raps._regularize_conformity_score(np.array([2]), 0.1 * alpha, base, rank)[:, 0, 0]
    mine = conformity_scores(labels, probs=probs, method="raps", raps=RapsPenalty(2, 0.1 * alpha), randomized=False)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_the_control_of_false_negatives_equals_mapie(rng):
    """MAPIE looks at a grid: its threshold is the last of the grid that is not above ours."""
    risk_control = pytest.importorskip("mapie.risk_control")
    p = expit(rng.normal(size=(150, 5)) * 2)
    targets = rng.random((150, 5)) < p
    targets[~targets.any(axis=1), 0] = True  # it refuses rows without a label
    grid = np.arange(0.0, 1.0, 0.005)
    for alpha in (0.05, 0.2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = risk_control.MultiLabelClassificationController(
                lambda X: X, "recall", "crc", target_level=1 - alpha, predict_params=grid
            ).calibrate(p, targets)
        mine = fit_false_negative_control(targets, probs=p, alpha=alpha).threshold
        assert peer.best_predict_param[0] <= mine < peer.best_predict_param[0] + 0.0051


@pytest.fixture
def torchcp(monkeypatch):
    """TorchCP's classification, without what its other parts need.

    The package imports `torch_geometric` for graphs, and a loss for training imports `torchsort`, which is built from
    source. Neither has to do with prediction sets: stand-ins take the places of the package's root and of torchsort.
    """
    pytest.importorskip("torch")
    spec = importlib.util.find_spec("torchcp")
    if spec is None:
        pytest.skip("could not import 'torchcp'")
    for name, attributes in (
        ("torchcp", {"__path__": list(spec.submodule_search_locations)}),
        ("torchsort", {"soft_rank": None, "soft_sort": None}),
    ):
        module = types.ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = importlib.import_module("torchcp.classification.score")
        predictor = importlib.import_module("torchcp.classification.predictor")
    yield types.SimpleNamespace(score=score, predictor=predictor)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchcp"]:
        monkeypatch.delitem(sys.modules, name)


def torchcp_sets(torchcp, monkeypatch, score, predictor, z, labels, alpha):
    """Its sets for the rows after the calibration rows, and its quantiles; `torch.rand` gives each row our number."""
    torch = sys.modules["torch"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecated option of its own, and classes with few rows
        peer = getattr(torchcp.predictor, predictor)(score, alpha=alpha)
        for rows in (slice(None, CALIBRATION), slice(CALIBRATION, None)):
            numbers = torch.tensor(row_uniforms(z[rows]))

            def rand(*shape, numbers=numbers, **options):
                shape = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
                return numbers.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)

            monkeypatch.setattr(torch, "rand", rand)
            if rows.start is None:
                peer.calculate_threshold(torch.tensor(z[rows]), torch.tensor(labels[rows]), alpha)
            else:
                sets = peer.predict_with_logits(torch.tensor(z[rows])).numpy().astype(bool)
    return sets, np.asarray(peer.q_hat, dtype=np.float64)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("per", ["all", "class"])
@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
@pytest.mark.parametrize("randomized", [False, True])
def test_sets_equal_torchcp(logits_and_labels, alpha, per, method, randomized, torchcp, monkeypatch):
    z, labels = logits_and_labels
    raps = RapsPenalty(2, 0.0625) if method == "raps" else None
    score = {
        "lac": torchcp.score.LAC,
        "aps": partial(torchcp.score.APS, randomized=randomized),
        "raps": partial(torchcp.score.RAPS, randomized=randomized, penalty=0.0625, kreg=2),
    }[method]()
    name = "SplitPredictor" if per == "all" else "ClassConditionalPredictor"
    theirs, quantile = torchcp_sets(torchcp, monkeypatch, score, name, z, labels, alpha)
    options = {"method": method, "raps": raps, "per": per, "alpha": alpha, "randomized": randomized}
    predictor = fit_conformal(labels[:CALIBRATION], logits=z[:CALIBRATION], **options)
    # It keeps the quantiles of classes in float32, and has no tolerance: where a whole row adds up to the quantile 1,
    # its rounding decides.
    tolerance = 1e-12 if per == "all" else 1e-6
    np.testing.assert_allclose(predictor.quantile, quantile, rtol=tolerance)
    rows, C = z[CALIBRATION:], z.shape[1]
    measure = {"method": method, "raps": raps, "randomized": randomized}
    scores = [conformity_scores(np.full(len(rows), c), logits=rows, **measure) for c in range(C)]
    near = abs(np.stack(scores, axis=1) - predictor.quantile) < tolerance
    assert ((predictor.predict_sets(logits=rows) == theirs) | near).all()
    assert near.mean() < 0.01 or (not randomized and C == 3)
