"""Conformal prediction: coverage over 2,000 resplits, plain loops, relations, and what must be refused."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

import naive_guarantees as naive
from logitkit.errors import InputError, OptionError
from logitkit.kernels.conformity import row_uniforms_block
from logitkit.trust import prob_rows
from logitkit.trust.conformal import fit_conformal, tune_raps
from logitkit.trust.conformal_predictor import ConformalPredictor, quantile_rank
from logitkit.trust.conformity import METHODS, RapsPenalty, conformity_scores
from logitkit.trust.risk_control import FalseNegativeControl, false_negative_share, fit_false_negative_control
from logitkit.trust.set_evaluation import evaluate_sets

seeds = st.integers(0, 2**32 - 1)
RESPLITS = 2000
RAPS = RapsPenalty(2, 0.05)
CHOICES = [("lac", {}), ("aps", {}), ("aps", {"randomized": False}), ("raps", {"raps": RAPS})]


def problem(seed, N=200, C=5, size=2.0, dtype=np.float64):
    """Logits, and labels drawn from the softmax of half of them: a model that is too sure."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N, C)) * size
    labels = (softmax(z / 2, axis=1).cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, C - 1)
    return z.astype(dtype), labels


def options_of(method, options):
    return {"method": method, **options}


def row_uniforms(values, seed=0):
    uniforms = np.empty(len(values))
    row_uniforms_block(np.ascontiguousarray(values, np.float64), np.uint64(seed), uniforms)
    return uniforms


def naive_scores(logits, method, randomized=True, raps=RAPS, seed=0):
    """The scores of all classes, `[N, C]`."""
    u = row_uniforms(logits, seed) if randomized else np.zeros(len(logits))
    probs = softmax(logits.astype(np.float64), axis=1).tolist()
    penalty = (raps.k_reg, raps.weight)
    return np.array(
        [
            [naive.conformity_score(p, c, method, v, *penalty) for c in range(len(p))]
            for p, v in zip(probs, u, strict=True)
        ]
    )


@pytest.mark.parametrize(("method", "options"), CHOICES)
def test_coverage_over_resplits_is_within_its_finite_sample_bounds(rng, method, options):
    """On average, coverage is in [1 - alpha, 1 - alpha + 1 / (n + 1)], also that of each class with its own n."""
    alpha, n, m, C = 0.1, 204, 300, 4
    z, labels = problem(int(rng.integers(2**32)), RESPLITS * (n + m), C)
    z, labels = z.reshape(RESPLITS, n + m, C), labels.reshape(RESPLITS, n + m)
    for per in ("all", "class"):
        shares, bounds = [], []
        for logits, y in zip(z, labels, strict=True):
            predictor = fit_conformal(y[:n], logits=logits[:n], per=per, alpha=alpha, **options_of(method, options))
            hits = predictor.predict_sets(logits=logits[n:])[np.arange(m), y[n:]]
            cells = np.zeros(m, int) if per == "all" else y[n:]
            shares.append(np.bincount(cells, hits) / np.bincount(cells))
            bounds.append(1 / (predictor.rows[0] + 1))
        mean, error = np.mean(shares, axis=0), np.std(shares, axis=0) / math.sqrt(RESPLITS)
        assert (mean >= 1 - alpha - 3 * error).all()
        if options.get("randomized", True):  # else the scores of the least likely class are all 1: ties cover more
            assert (mean <= 1 - alpha + np.mean(bounds, axis=0) + 3 * error).all()


def test_coverage_of_groups_is_kept_where_one_quantile_for_all_fails_them(rng):
    z, labels = problem(int(rng.integers(2**32)), 40_000, 4)
    groups = np.where(np.arange(40_000) % 4 == 0, "hard", "easy")
    z[groups == "hard"] *= 0.2
    z[groups == "hard"] += rng.normal(size=(10_000, 4)) * 2
    half = np.arange(40_000) < 20_000
    sets = {}
    for name, column in (("one", None), ("each", groups)):
        given = {"groups": None if column is None else column[half]}
        predictor = fit_conformal(labels[half], logits=z[half], **given)
        given = {"groups": None if column is None else column[~half]}
        sets[name] = evaluate_sets(
            predictor.predict_sets(logits=z[~half], **given), labels[~half], groups=groups[~half]
        )
    assert min(group.coverage for group in sets["one"].by_group) < 0.88
    assert all(abs(group.coverage - 0.9) < 0.015 for group in sets["each"].by_group)


@pytest.mark.parametrize(("method", "options"), CHOICES)
@settings(max_examples=30)
@given(seed=seeds, C=st.sampled_from([1, 2, 3, 10, 40, 90]), ties=st.booleans())
def test_scores_and_sets_equal_the_plain_loops(method, options, seed, C, ties):
    z, labels = problem(seed, 30, C)
    z = z.round() if ties else z
    expected = naive_scores(z, method, options.get("randomized", True))
    scores = conformity_scores(labels, logits=z, **options_of(method, options))
    np.testing.assert_allclose(scores, expected[np.arange(30), labels], atol=1e-12)
    for alpha in (0.02, 0.1, 0.5):
        predictor = fit_conformal(labels[:20], logits=z[:20], alpha=alpha, **options_of(method, options))
        assert predictor.quantile == pytest.approx(naive.quantile(scores[:20].tolist(), alpha))
        sets = predictor.predict_sets(logits=z)
        near = abs(expected - predictor.quantile) < 1e-12
        assert ((sets == (expected <= predictor.quantile)) | near).all()


@pytest.mark.parametrize(("method", "options"), CHOICES)
@settings(max_examples=30)
@given(
    seed=seeds, C=st.sampled_from([2, 7, 33, 64, 65, 150]), size=st.sampled_from([0.1, 1.0, 8.0]), ties=st.booleans()
)
def test_a_class_is_in_the_set_if_its_score_is_at_most_the_quantile_to_the_last_bit(
    method, options, seed, C, size, ties
):
    z, _ = problem(seed, 12, C, size)
    z = z.round() if ties else z
    scores = np.stack(
        [conformity_scores(np.full(12, c), logits=z, **options_of(method, options)) for c in range(C)], axis=1
    )
    any_predictor = fit_conformal([0] * 12, logits=z, **options_of(method, options))
    by_class = fit_conformal([0] * 12, logits=z, per="class", **options_of(method, options))
    rng = np.random.default_rng(seed)
    for q in (*rng.choice(scores.ravel(), 6), scores.max(), scores.min(), np.inf):
        predictor = dataclasses.replace(any_predictor, quantiles=np.array([[q]]))
        assert (predictor.predict_sets(logits=z) == (scores <= q)).all()
    quantiles = np.where(rng.random(C) < 0.1, np.inf, rng.choice(scores.ravel(), C))
    predictor = dataclasses.replace(by_class, quantiles=quantiles[None])
    assert (predictor.predict_sets(logits=z) == (scores <= quantiles)).all()


@pytest.mark.parametrize("C", [3, 40])
def test_a_probability_of_minus_zero_is_zero(C):
    probs = np.full((2, C), -0.0)
    probs[:, -1] = 1.0
    options = {"method": "aps", "randomized": False}
    scores = np.stack([conformity_scores([c, c], probs=probs, **options) for c in range(C)], axis=1)
    predictor = fit_conformal([C - 1] * 20, probs=np.repeat(probs[:1], 20, axis=0), **options)
    assert (scores == 1.0).all() and predictor.predict_sets(probs=probs).all()


@pytest.mark.parametrize(("method", "options"), CHOICES)
def test_batches_order_types_and_threads_change_nothing(rng, threads, method, options, monkeypatch):
    z, labels = problem(int(rng.integers(2**32)), 3000, 12, dtype=np.float32)
    predictor = fit_conformal(labels, logits=z, **options_of(method, options))
    sets, scores = predictor.predict_sets(logits=z), conformity_scores(labels, logits=z, **options_of(method, options))
    order = rng.permutation(3000)
    assert (predictor.predict_sets(logits=z[order]) == sets[order]).all()
    assert (predictor.predict_sets(logits=z[7:8]) == sets[7:8]).all()
    assert (predictor.predict_sets(logits=z.astype(np.float64)) == sets).all()
    assert fit_conformal(labels[order], logits=np.asfortranarray(z[order]), **options_of(method, options)).quantile == (
        predictor.quantile
    )
    monkeypatch.setattr(prob_rows, "_BLOCK", 100)
    for count in (1, 3):
        threads(count)
        assert (conformity_scores(labels, logits=z, **options_of(method, options)) == scores).all()
        assert (predictor.predict_sets(logits=z) == sets).all()


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_and_a_shift_of_logits_give_the_same_scores(method):
    z, labels = problem(3, 500)
    scores = conformity_scores(labels, logits=z, method=method, randomized=False)
    same = {"method": method, "randomized": False}
    np.testing.assert_allclose(conformity_scores(labels, probs=softmax(z, axis=1), **same), scores, atol=1e-12)
    np.testing.assert_allclose(conformity_scores(labels, logits=z + 7.0, **same), scores, atol=1e-12)


def test_the_least_likely_class_has_the_score_one_to_the_last_bit_without_random_numbers():
    z, _ = problem(2, 500, 30)
    scores = conformity_scores(z.argmin(axis=1), logits=z, method="aps", randomized=False)
    assert (scores == 1.0).all()  # 30 probabilities added up in any order would not all give 1
    predictor = fit_conformal(z.argmin(axis=1), logits=z, method="aps", randomized=False)
    assert predictor.predict_sets(logits=z[::-1] + 0.1).all()


@pytest.mark.parametrize(("method", "options"), CHOICES)
def test_a_smaller_alpha_gives_larger_sets(method, options):
    z, labels = problem(4, 400)
    sets = [
        fit_conformal(labels, logits=z, alpha=alpha, **options_of(method, options)).predict_sets(logits=z)
        for alpha in (0.5, 0.1, 0.02, 0.001)
    ]
    assert all((small <= large).all() for small, large in pairwise(sets))
    assert sets[-1].all()  # 400 rows cannot speak of one in a thousand


def test_the_number_of_a_row_is_uniform_and_depends_on_the_row_and_the_seed_alone(rng):
    values = rng.normal(size=(20_000, 3))
    u = row_uniforms(values)
    assert (u >= 0).all() and (u < 1).all() and abs(u.mean() - 0.5) < 0.01 and abs(u.var() - 1 / 12) < 0.004
    assert (abs(np.bincount((u * 20).astype(int), minlength=20) - 1000) < 200).all()
    for other in (row_uniforms(values, 1), row_uniforms(values[:, ::-1]), row_uniforms(np.nextafter(values, 9))):
        assert abs(np.corrcoef(u, other)[0, 1]) < 0.03
    assert (row_uniforms(values.astype(np.float32)) == row_uniforms(values.astype(np.float32).astype(np.float64))).all()
    assert (row_uniforms(np.array([[0.0, 1.0]])) == row_uniforms(np.array([[-0.0, 1.0]]))).all()
    z, labels = problem(5)
    scores = [conformity_scores(labels, logits=z, method="aps", seed=seed) for seed in (0, 1, -1, 2**64 + 1)]
    assert (scores[0] != scores[1]).any() and (scores[1] == scores[3]).all() and (scores[2] != scores[1]).any()


@pytest.mark.parametrize(
    ("n", "alpha", "rank"), [(9, 0.1, 9), (8, 0.1, 9), (99, 0.1, 90), (99, 0.01, 99), (999, 0.3, 700)]
)
def test_the_rank_of_the_quantile_counts_alpha_as_the_decimal_it_is(n, alpha, rank):
    assert quantile_rank(n, alpha) == rank
    z, labels = problem(1, n)
    predictor = fit_conformal(labels, logits=z, alpha=alpha)
    scores = np.sort(conformity_scores(labels, logits=z))
    assert predictor.quantile == (scores[rank - 1] if rank <= n else np.inf)
    assert predictor.rows_needed == round(1 / alpha + 0.499) - 1


@given(n=st.integers(1, 2000), thousandths=st.integers(1, 999))
def test_the_rank_of_the_quantile_is_never_off_by_rounding(n, thousandths):
    expected = -((n + 1) * (thousandths - 1000) // 1000)
    assert quantile_rank(n, thousandths / 1000) == expected
    assert quantile_rank(249, 0.172) == 207 and 250 * (1 - 0.172) > 207  # in binary it would be the 208th


def test_classes_and_groups_have_the_quantiles_of_their_own_rows():
    z, labels = problem(6, 300, 3)
    groups = np.random.default_rng(6).choice(["fr", "de"], 300)
    by_class = fit_conformal(labels, logits=z, per="class")
    by_group = fit_conformal(labels, logits=z, groups=groups)
    both = fit_conformal(labels, logits=z, groups=groups, per="class")
    assert by_class.quantile.shape == (3,) and by_group.quantile.shape == (2,) and both.quantile.shape == (2, 3)
    assert by_group.groups == both.groups == ("de", "fr")
    for g, group in enumerate(by_group.groups):
        mine = groups == group
        assert by_group.quantile[g] == fit_conformal(labels[mine], logits=z[mine]).quantile
        assert (both.quantile[g] == fit_conformal(labels[mine], logits=z[mine], per="class").quantile).all()
        assert by_group.rows[g, 0] == mine.sum()
        sets = both.predict_sets(logits=z, groups=groups)[mine]
        assert (sets == fit_conformal(labels[mine], logits=z[mine], per="class").predict_sets(logits=z[mine])).all()
    for c in range(3):
        rows = labels == c
        assert by_class.quantile[c] == fit_conformal(labels[rows], logits=z[rows]).quantile


def test_what_has_too_few_rows_is_in_every_set():
    z, labels = problem(7, 100, 3)
    labels[labels == 2] = 1
    labels[:8] = 2
    predictor = fit_conformal(labels, logits=z, per="class")
    assert predictor.quantile[2] == np.inf and predictor.rows_needed == 9 and predictor.rows[0, 2] == 8
    assert predictor.predict_sets(logits=z)[:, 2].all() and not predictor.predict_sets(logits=z)[:, 1].all()
    groups = np.arange(100) % 2
    known = fit_conformal(labels, logits=z, groups=groups)
    unknown = known.predict_sets(logits=z, groups=np.where(groups == 0, 0, 9))
    assert unknown[groups == 1].all() and not unknown[groups == 0].all()
    assert fit_conformal([], logits=np.zeros((0, 3))).quantile == np.inf
    assert known.predict_sets(logits=np.zeros((0, 3)), groups=[]).shape == (0, 3)


@pytest.mark.parametrize(("method", "options"), CHOICES)
def test_an_empty_set_takes_the_likeliest_class_in_where_it_may_not_be_empty(method, options):
    z, labels = problem(8, 600, 4, size=6.0)
    labels = np.where(np.arange(600) % 50 != 0, z.argmax(axis=1), labels)
    empty = fit_conformal(labels, logits=z, alpha=0.2, **options_of(method, options)).predict_sets(logits=z)
    filled = fit_conformal(labels, logits=z, alpha=0.2, allow_empty=False, **options_of(method, options))
    sets = filled.predict_sets(logits=z)
    none = ~empty.any(axis=1)
    assert none.any() and (sets[~none] == empty[~none]).all() and (sets[none].sum(axis=1) == 1).all()
    assert sets[none, z[none].argmax(axis=1)].all()


def test_a_penalty_of_zero_is_none_and_a_tuned_one_makes_sets_small():
    rng = np.random.default_rng(9)
    z = rng.normal(size=(4000, 60)) * rng.choice([0.5, 6.0], (4000, 1))  # sure of itself in half of the rows only,
    labels = np.argsort(-z, axis=1)[np.arange(4000), rng.choice(3, 4000, p=[0.85, 0.1, 0.05])]  # but right in most
    tuned = tune_raps(labels[:1000], logits=z[:1000])
    ranks = np.sort((z[:1000] > z[np.arange(1000), labels[:1000]][:, None]).sum(axis=1)) + 1
    assert tuned.k_reg == ranks[900] and tuned.weight > 0
    sizes = {}
    for name, options in (("aps", {"method": "aps"}), ("raps", {"method": "raps", "raps": tuned})):
        predictor = fit_conformal(labels[1000:2000], logits=z[1000:2000], **options)
        found = evaluate_sets(predictor.predict_sets(logits=z[2000:]), labels[2000:])
        sizes[name] = found.all.mean_size
        assert found.all.coverage > 0.87
    assert sizes["raps"] < 0.8 * sizes["aps"]
    zero = conformity_scores(labels, logits=z, method="raps", raps=RapsPenalty(3, 0.0))
    assert (zero == conformity_scores(labels, logits=z, method="aps")).all()
    assert tune_raps([0], logits=[[1.0, 2.0]]).k_reg == 2


@pytest.mark.parametrize("method", METHODS)
def test_infinite_logits_and_one_class_give_no_nan(method):
    z = np.array([[np.inf, 0, -np.inf], [np.inf, np.inf, 0], [-np.inf] * 3, [1e300, -1e300, 0], [2.0, 1, -np.inf]])
    scores = conformity_scores([0, 1, 2, 0, 1], logits=z, method=method)
    assert ((scores >= 0) & (scores <= 1.1)).all()
    sets = fit_conformal([0, 1, 2, 0, 1], logits=z, method=method, alpha=0.4).predict_sets(logits=z)
    assert sets.shape == z.shape
    assert fit_conformal([0] * 20, logits=np.ones((20, 1)), method=method).predict_sets(logits=[[1.0]]).all()


@pytest.mark.parametrize(("method", "options"), CHOICES)
@pytest.mark.parametrize("per", ["all", "class"])
@pytest.mark.parametrize("groups", [None, ["a", "b"], [3, 5]])
def test_a_predictor_comes_back_from_json(method, options, per, groups):
    z, labels = problem(10, 120)
    column = None if groups is None else np.array(groups)[np.arange(120) % 2]
    predictor = fit_conformal(labels, logits=z, groups=column, per=per, seed=7, **options_of(method, options))
    parts = json.loads(json.dumps(predictor.parts(), allow_nan=False))
    back = ConformalPredictor.restore(parts)
    assert back.parts() == predictor.parts() and parts["randomized"] == (
        method != "lac" and options.get("randomized", True)
    )
    assert (back.predict_sets(logits=z, groups=column) == predictor.predict_sets(logits=z, groups=column)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"method": "best"},
        {"randomized": 1},
        {"seed": "a"},
        {"raps": [1]},
        {"raps": [-1, 0.1]},
        {"raps": [1, math.nan]},
        {"alpha": 1.0},
        {"per": "row"},
        {"n_classes": 4},
        {"n_classes": 0},
        {"allow_empty": None},
        {"groups": ["a"]},
        {"groups": ["a", "a"]},
        {"groups": [1.5, 2.5]},
        {"groups": 3},
        {"quantiles": [[0.5] * 5]},
        {"quantiles": [[0.5] * 5, [0.5] * 4]},
        {"quantiles": [[-0.5] * 5] * 2},
        {"quantiles": [[math.nan] * 5] * 2},
        {"quantiles": None},
        {"rows": [[-1] * 5] * 2},
        {"rows": [["a"] * 5] * 2},
    ],
)
def test_parts_that_do_not_fit_are_refused(change):
    z, labels = problem(10, 120)
    predictor = fit_conformal(labels, logits=z, groups=np.arange(120) % 2, per="class", method="raps")
    parts = predictor.parts()
    with pytest.raises((KeyError, TypeError, ValueError)):
        ConformalPredictor.restore({**parts, **change})
    with pytest.raises(KeyError):
        ConformalPredictor.restore({name: value for name, value in parts.items() if name not in change})


def test_an_evaluation_counts_sets_by_class_size_and_group():
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 1]], bool)
    found = evaluate_sets(sets, [0, 1, 1, 0, 0], groups=["x", "x", "y", "y", "y"])
    assert (found.all.coverage, found.all.mean_size, found.singletons, found.empty) == (0.6, 7 / 5, 2, 1)
    assert [(one.name, one.rows, one.covered) for one in found.by_class] == [(0, 3, 2), (1, 2, 1), (2, 0, 0)]
    assert [(one.name, one.rows, one.covered) for one in found.by_size] == [(0, 1, 0), (1, 2, 1), (2, 1, 1), (3, 1, 1)]
    assert [(one.name, one.rows, one.covered, one.mean_size) for one in found.by_group] == [
        ("x", 2, 2, 1.5),
        ("y", 3, 1, 4 / 3),
    ]
    assert found.worst_class.name == 1 and math.isnan(found.by_class[2].coverage)
    as_json = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert as_json["coverage"] == 0.6 and as_json["by_class"][2]["coverage"] is None and as_json["empty"] == 0.2
    nothing = evaluate_sets(np.zeros((0, 2), bool), [])
    assert nothing.worst_class is None and json.dumps(nothing.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, OptionError, "neither"),
        ({"logits": [[0.0, 1.0]], "probs": [[0.5, 0.5]]}, OptionError, "both"),
        ({"logits": [[0.0, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[0.5, np.nan]]}, InputError, "NaN in row 0"),
        ({"probs": [[2.0, 1.0]]}, InputError, "row 0"),
        ({"probs": [[np.inf, -np.inf]]}, InputError, "row 0"),
        ({"probs": [[0.5, 0.4]]}, InputError, "sum 0.9 in row 0"),
        ({"logits": [0.0, 1.0]}, InputError, "dimension"),
        ({"logits": [[0.0, 1.0]] * 2}, InputError, "shape"),
        ({"logits": [[0.0]]}, InputError, r"\[0, 1\)"),
        ({"logits": [[0.0, 1.0]], "method": "best"}, OptionError, "'lac', 'aps', 'raps'"),
        ({"logits": [[0.0, 1.0]], "randomized": 1}, OptionError, "randomized"),
        ({"logits": [[0.0, 1.0]], "seed": 1.5}, OptionError, "seed"),
        ({"logits": [[0.0, 1.0]], "raps": RAPS}, OptionError, "raps"),
        ({"logits": [[0.0, 1.0]], "raps": (1, 2), "method": "raps"}, OptionError, "raps"),
        ({"logits": [[0.0, 1.0]], "alpha": 0}, OptionError, "alpha"),
        ({"logits": [[0.0, 1.0]], "alpha": "0.1"}, OptionError, "alpha"),
        ({"logits": [[0.0, 1.0]], "per": "row"}, OptionError, "'all', 'class'"),
        ({"logits": [[0.0, 1.0]], "groups": [0.5]}, InputError, "integers or strings"),
        ({"logits": [[0.0, 1.0]], "groups": [None]}, InputError, "integers or strings"),
        ({"logits": [[0.0, 1.0]], "groups": ["a", "b"]}, InputError, "1 integers"),
        ({"logits": [[0.0, 1.0]], "allow_empty": 1}, OptionError, "allow_empty"),
    ],
)
def test_wrong_input_gets_one_sentence(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        fit_conformal([1], **arguments)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_nan_far_down_is_named_by_its_row(monkeypatch):
    monkeypatch.setattr(prob_rows, "_BLOCK", 100)
    z = np.zeros((500, 3))
    z[333, 2] = np.nan
    for given_rows in ({"logits": z}, {"probs": np.where(np.isnan(z), z, 1 / 3)}):
        with pytest.raises(InputError, match="NaN in row 333"):
            conformity_scores(np.zeros(500, int), **given_rows)


@pytest.mark.parametrize(
    ("fitted", "arguments", "error", "words"),
    [
        ({}, {"logits": [[0.0, 1.0]]}, InputError, "of 3 classes"),
        ({}, {"logits": [[0.0, 1.0, 2.0]], "groups": [1]}, OptionError, "without"),
        ({"groups": [0] * 20}, {"logits": [[0.0, 1.0, 2.0]]}, OptionError, "with groups"),
        ({"groups": [0] * 20}, {"logits": [[0.0, 1.0, 2.0]], "groups": ["0"]}, InputError, "integers, as in fitting"),
        ({"groups": ["0"] * 20}, {"logits": [[0.0, 1.0, 2.0]], "groups": [0]}, InputError, "strings, as in fitting"),
        ({}, {"logits": [[0.0, 1.0, np.nan]]}, InputError, "NaN in row 0"),
    ],
)
def test_wrong_input_to_a_predictor_gets_one_sentence(fitted, arguments, error, words):
    predictor = fit_conformal([0, 1] * 10, logits=np.zeros((20, 3)), **fitted)
    with pytest.raises(error, match=words) as caught:
        predictor.predict_sets(**arguments)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sets", "labels"),
    [([[0.5]], [0]), ([True], [0]), ([[True]], [1]), ([[True]], [0, 0]), (np.zeros((0, 0), bool), [])],
)
def test_wrong_sets_get_one_sentence(sets, labels):
    with pytest.raises(InputError, match=r"\.$"):
        evaluate_sets(sets, labels)


# Several labels a row


def several(rng, N, C=6):
    """Logits and labels of rows that have none, one or several; the model is off by a little noise."""
    z = rng.normal(size=(N, C)) * 2 - 1
    return z + rng.normal(size=(N, C)) * 0.5, rng.random((N, C)) < expit(z)


def test_false_negatives_are_controlled_on_average_and_with_certainty_over_resplits(rng):
    z, y = several(rng, 20_000)
    p, count = expit(z), y.sum(axis=1)
    shares = (y / np.maximum(count, 1)[:, None])[y]
    order = np.argsort(p[y])
    rising = p[y][order]
    lost = np.concatenate([[0.0], np.cumsum(shares[order])]) / 20_000  # the risk of the pool, which is the whole world
    for certainty in (None, 0.9):
        risks = []
        for _ in range(RESPLITS):
            rows = rng.integers(0, 20_000, 300)
            control = fit_false_negative_control(y[rows], logits=z[rows], alpha=0.1, certainty=certainty)
            risks.append(lost[np.searchsorted(rising, control.threshold)])
        if certainty is None:
            assert np.mean(risks) <= 0.1 + 3 * np.std(risks) / math.sqrt(RESPLITS)
            assert np.mean(risks) >= 0.1 - 2 / 301 - 0.002  # and does not promise less than it could
        else:
            broken = np.mean(np.array(risks) > 0.1)
            assert broken <= 0.1 + 3 * math.sqrt(0.09 / RESPLITS)
            assert np.mean(risks) > 0.05


@settings(max_examples=30)
@given(seed=seeds, N=st.integers(1, 60), alpha=st.sampled_from([0.05, 0.1, 0.3]), ties=st.booleans())
def test_the_threshold_equals_the_plain_loop(seed, N, alpha, ties):
    z, y = several(np.random.default_rng(seed), N, 4)
    p = expit(z.round()) if ties else expit(z)
    control = fit_false_negative_control(y, probs=p, alpha=alpha)
    rows = (p.tolist(), y.tolist())
    assert control.threshold == naive.false_negative_threshold(
        *rows, lambda loss: N * loss + 1 <= alpha * (N + 1) + 1e-9
    )
    sure = fit_false_negative_control(y, probs=p, alpha=alpha, certainty=0.8)
    assert sure.threshold == naive.false_negative_threshold(
        *rows, lambda loss: naive.hoeffding_bentkus(loss, N, alpha) <= 0.2 + 1e-12
    )
    sets = control.predict_sets(probs=p)
    assert (sets == (p >= control.threshold)).all()
    assert false_negative_share(sets, y) == pytest.approx(naive.false_negative_loss(*rows, control.threshold))
    by_logits = fit_false_negative_control(y.astype(int), logits=np.log(p) - np.log1p(-p), alpha=alpha)
    assert by_logits.threshold == pytest.approx(control.threshold, rel=1e-9)


def test_where_nothing_can_be_promised_every_label_is_in():
    z, y = several(np.random.default_rng(1), 5)
    control = fit_false_negative_control(y, logits=z, alpha=0.1)
    assert control.threshold == 0.0 and control.predict_sets(logits=[[-np.inf] * 6]).all()
    for certainty in (None, 0.95):
        none = fit_false_negative_control(np.zeros((0, 3)), logits=np.zeros((0, 3)), certainty=certainty)
        assert none.threshold == 0.0
    assert fit_false_negative_control(np.zeros((50, 3)), logits=np.zeros((50, 3))).threshold == 1.0
    assert math.isnan(false_negative_share(np.zeros((0, 2), bool), np.zeros((0, 2))))


def test_the_control_comes_back_from_json():
    z, y = several(np.random.default_rng(2), 500)
    for certainty in (None, 0.95):
        control = fit_false_negative_control(y, logits=z, certainty=certainty)
        parts = json.loads(json.dumps(control.parts(), allow_nan=False))
        assert FalseNegativeControl.restore(parts) == control
    for change in (
        {"threshold": 2},
        {"alpha": 0},
        {"certainty": 1},
        {"rows": -1},
        {"n_labels": 0},
        {"threshold": None},
    ):
        with pytest.raises((KeyError, TypeError, ValueError)):
            FalseNegativeControl.restore({**parts, **change})


@pytest.mark.parametrize(
    ("targets", "arguments", "error", "words"),
    [
        ([[1, 0]], {}, OptionError, "neither"),
        ([[1, 2]], {"logits": [[0.0, 1.0]]}, InputError, "2 in row 0"),
        ([[1, np.nan]], {"logits": [[0.0, 1.0]]}, InputError, "nan in row 0"),
        ([["a", "b"]], {"logits": [[0.0, 1.0]]}, InputError, "0 or 1"),
        ([[1]], {"logits": [[0.0, 1.0]]}, InputError, r"\[1, 2\]"),
        ([[1, 0]], {"logits": [[0.0, np.nan]]}, InputError, "NaN in row 0"),
        ([[1, 0]], {"probs": [[0.5, 1.5]]}, InputError, r"1\.5"),
        ([[1, 0]], {"probs": [[0.5, 0.6]], "alpha": 1.0}, OptionError, "alpha"),
        ([[1, 0]], {"probs": [[0.5, 0.6]], "certainty": 0}, OptionError, "certainty"),
    ],
)
def test_wrong_targets_get_one_sentence(targets, arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        fit_false_negative_control(targets, **arguments)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_wrong_sets_of_labels_get_one_sentence():
    control = fit_false_negative_control([[1, 0]] * 20, logits=[[1.0, 0.0]] * 20)
    for call in (
        lambda: control.predict_sets(logits=[[1.0]]),
        lambda: false_negative_share([[1, 0]], [[1, 0]]),
        lambda: false_negative_share([[True, False]], [[1]]),
    ):
        with pytest.raises(InputError, match=r"\.$"):
            call()
