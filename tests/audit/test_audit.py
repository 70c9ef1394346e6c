"""The audit: no row both fits and judges, figures are those of the functions, files of any size, bad input."""

import json
import math

import numpy as np
import pytest
from scipy.special import log_softmax

from logitkit import audit_logits, trust
from logitkit.audit import judging as judging_module
from logitkit.audit import rows as rows_module
from logitkit.audit.labels import write_label_errors
from logitkit.audit.options import AuditOptions
from logitkit.audit.rows import deal_rows
from logitkit.audit.run import audit_file
from logitkit.errors import InputError, OptionError
from logitkit.policy import DecisionPolicy
from logitkit.tables import open_logits, read_table

QUICK = AuditOptions(compare=False)


def problem(seed=0, N=1200, C=4, scale=3.0):
    """Logits that are too sure by `scale`."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(N, C)) * 6.0
    p = np.exp(log_softmax(truth, axis=1))
    labels = (p.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, C - 1)
    return (truth * scale).astype(np.float32), labels


def saved(tmp_path, logits, labels, name="logits.npz"):
    np.savez(tmp_path / name, logits=logits, labels=labels)
    return open_logits(tmp_path / name)


@pytest.fixture(scope="module")
def result():
    return audit_logits(*problem(N=3000))


def test_no_row_both_fits_and_judges(tmp_path):
    logits, labels = problem()
    file = saved(tmp_path, logits, labels)
    deal = deal_rows(file, None, 0.3, seed=5)
    assert len(deal.fit) == 360 and deal.judged_rows == 840 and len(deal.compared) == 840
    assert not set(deal.fit.numbers) & set(deal.compared.numbers)
    assert not deal.judged[deal.fit.numbers].any() and deal.judged[deal.compared.numbers].all()
    np.testing.assert_array_equal(deal.fit.logits, logits[deal.fit.numbers])
    np.testing.assert_array_equal(deal.compared.labels, labels[deal.compared.numbers])


def test_the_figures_are_those_of_the_metrics_on_the_judged_rows(tmp_path):
    logits, labels = problem()
    deal = deal_rows(saved(tmp_path, logits, labels), None, 0.5, seed=0)
    result = audit_logits(logits, labels)
    z, y = deal.compared.logits, deal.compared.labels
    calibrator = trust.fit_calibrator(deal.fit.logits, deal.fit.labels)
    assert result.audit.fit.chosen == calibrator.method == "temperature"
    for judged, log_probs in ((result.audit.before, z), (result.audit.after, calibrator.log_probs(z))):
        assert judged.log_loss.value == pytest.approx(trust.log_loss(y, logits=log_probs), rel=1e-6)
        assert judged.brier_score.value == pytest.approx(trust.brier_score(y, logits=log_probs), rel=1e-6)
        error = trust.expected_calibration_error(y, logits=log_probs)
        assert judged.expected_calibration_error.value == pytest.approx(error, abs=1e-6)
        assert judged.accuracy.value == trust.accuracy(y, z.argmax(axis=1))
        assert judged.log_loss.low < judged.log_loss.value < judged.log_loss.high
        assert sum(point.count for point in judged.reliability) == judged.rows == 600
        parts = judged.log_loss_calibration + judged.log_loss_refinement
        assert parts == pytest.approx(judged.log_loss.value, rel=1e-6)
    chosen = next(one for one in result.audit.methods if one.method == "temperature")
    assert chosen.log_loss.value == result.audit.after.log_loss.value
    assert result.audit.methods[0].log_loss.value == result.audit.before.log_loss.value


def test_overconfidence_is_seen_mended_and_said(result):
    audit = result.audit
    keys = [sentence.key for sentence in audit.verdict]
    assert keys[:2] == ["verdict.over", "verdict.mended"]
    assert audit.before.expected_calibration_error.value > 0.06 > audit.after.expected_calibration_error.value
    assert audit.fit.temperature == pytest.approx(3.0, rel=0.15)


def test_the_abstention_of_the_file_is_that_of_all_judged_rows(result):
    policy, audit = result.policy, result.audit
    wanted = next(one for one in audit.abstention if one.max_error == 0.05)
    assert wanted.shipped_threshold == pytest.approx(policy.abstention.thresholds[0])
    assert [one.max_error for one in audit.abstention] == [0.01, 0.02, 0.05, 0.1]
    logits, labels = problem(seed=99, N=20_000)
    decided = policy.decide_columns(logits)
    answered = decided.labels >= 0
    assert 0.2 < answered.mean() < 0.95
    assert (decided.labels[answered] != labels[answered]).mean() < 0.05


def test_prediction_sets_and_outliers_hold_on_new_rows(result):
    logits, labels = problem(seed=98, N=20_000)
    sets = result.policy.predict_sets(logits)
    assert sets[np.arange(20_000), labels].mean() == pytest.approx(0.9, abs=0.04)
    assert result.policy.outliers.is_outlier(logits).mean() == pytest.approx(0.05, abs=0.03)


def test_good_logits_are_left_alone():
    audit = audit_logits(*problem(N=4000, scale=1.0), options=QUICK).audit
    assert audit.fit.chosen == "none" and audit.verdict[0].key == "verdict.believe"
    assert "verdict.as_is" in [sentence.key for sentence in audit.verdict]


def test_every_method_is_compared_or_refused_with_a_word(result):
    by_name = {one.method: one for one in result.audit.methods}
    assert set(by_name) == set(trust.METHODS)
    assert by_name["beta"].refused == "two classes only" and by_name["beta"].log_loss is None
    tried = [one for one in result.audit.methods if one.refused is None]
    assert len(tried) == len(trust.METHODS) - 1 and all(math.isfinite(one.log_loss.value) for one in tried)
    quick = audit_logits(*problem(), options=QUICK).audit
    assert [one.method for one in quick.methods] == ["none", "temperature"]


def test_the_same_seed_gives_the_same_audit_and_another_seed_another_split():
    one, two = (audit_logits(*problem(), options=QUICK).audit.to_json() for _ in range(2))
    other = audit_logits(*problem(), options=AuditOptions(compare=False, seed=1)).audit.to_json()
    for record in (one, two, other):
        del record["seconds"]
        for method in record["methods"]:
            del method["fit_seconds"]
    assert one == two and one["before"] != other["before"]


def test_json_has_neither_nan_nor_infinity():
    logits, labels = problem(N=60)
    logits[0, (labels[0] + 1) % 4] = np.inf
    logits[1, labels[1]] = -np.inf
    for rows in (slice(None), slice(0, 12)):
        text = json.dumps(audit_logits(logits[rows], labels[rows]).audit.to_json(), allow_nan=False)
        assert "before" in text


def test_a_file_that_is_judged_block_by_block_gives_the_same_figures(tmp_path, monkeypatch):
    logits, labels = problem(N=6000)
    whole = audit_file(saved(tmp_path, logits, labels), options=QUICK).audit
    monkeypatch.setattr(judging_module, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(rows_module, "MOST_COMPARED_ROWS", 500)
    some = audit_file(saved(tmp_path, logits, labels), options=QUICK).audit
    assert some.compared_rows == 500 and some.judged_rows == whole.judged_rows == 3000
    for ours, theirs in ((some.before, whole.before), (some.after, whole.after)):
        assert ours.log_loss.value == pytest.approx(theirs.log_loss.value, rel=1e-9)
        assert ours.accuracy == theirs.accuracy
        assert ours.expected_calibration_error.value == pytest.approx(theirs.expected_calibration_error.value, rel=1e-9)
    assert "note.sampled" in [note.key for note in some.notes]


def test_fitting_on_another_file_judges_all_rows_of_this_one(tmp_path):
    file = saved(tmp_path, *problem(1, N=700))
    other = saved(tmp_path, *problem(2, N=900), "fit.npz")
    audit = audit_file(file, fit=other, options=QUICK).audit
    assert audit.fit.rows == 900 and audit.judged_rows == 700 and audit.fit.source.endswith("fit.npz")


def test_inputs_that_belong_to_no_class_are_told(rng):
    unknown = rng.normal(size=(500, 4)) * 0.3
    audit = audit_logits(*problem(), unknown=unknown, options=QUICK).audit
    best = max(one.auroc_unknown for one in audit.outliers)
    assert best > 0.9 and audit.unknown_rows == 500
    assert "verdict.unknown" in [sentence.key for sentence in audit.verdict]


def test_wrong_labels_are_found_and_written(tmp_path):
    logits, labels = problem(N=2000, scale=1.0)
    logits[np.arange(2000), labels] += 6.0
    flipped = np.arange(0, 2000, 50)
    given = labels.copy()
    given[flipped] = (labels[flipped] + 1) % 4
    file = saved(tmp_path, logits, given)
    result = audit_file(file, options=QUICK)
    assert result.audit.label_errors.count > 5
    count = write_label_errors(file, result.policy.calibrator, tmp_path / "suspects.csv")
    table = read_table(tmp_path / "suspects.csv")
    assert table.num_rows == count
    found = {int(row) for row in table.column("row").to_pylist()}
    assert len(found & set(flipped.tolist())) >= 0.8 * len(flipped) and len(found) < 3 * len(flipped)


def test_several_labels_a_row(rng):
    truth = rng.normal(size=(1500, 3)) - 1.0
    targets = (rng.random((1500, 3)) < 1.0 / (1.0 + np.exp(-truth))).astype(np.int8)
    result = audit_logits(truth * 3.0, targets)
    audit = result.audit
    assert audit.multilabel and len(audit.labels) == 3 and audit.methods == ()
    assert audit.after.log_loss.value < audit.before.log_loss.value
    control = next(one for one in audit.verdict if one.key == "verdict.multilabel_control")
    assert control.values["missed"] <= 0.16  # 0.1, and three standard errors of 375 rows
    json.dumps(audit.to_json(), allow_nan=False)
    with pytest.raises(OptionError, match="no one label"):
        result.policy.decide(truth)


@pytest.mark.parametrize("several", [False, True])
def test_a_policy_comes_back_from_its_file(tmp_path, result, several, rng):
    policy = result.policy
    if several:
        policy = audit_logits(rng.normal(size=(300, 2)), rng.integers(0, 2, (300, 2))).policy
    policy.save(tmp_path / "net.logitkit")
    loaded = DecisionPolicy.load(tmp_path / "net.logitkit")
    assert loaded.class_names == policy.class_names and loaded.outliers == policy.outliers
    assert loaded.abstention == policy.abstention
    logits = rng.normal(size=(50, policy.calibrator.n_classes)).astype(np.float32)
    np.testing.assert_array_equal(
        trust.load_calibrator(tmp_path / "net.logitkit").probs(logits), policy.calibrator.probs(logits)
    )
    if not several:
        assert loaded.decide(logits) == policy.decide(logits)
        np.testing.assert_array_equal(loaded.predict_sets(logits), policy.predict_sets(logits))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z, y: (z[:3], y[:3]), "fewer rows|four at least|rows"),
        (lambda z, y: (z, y[:-1]), "shape"),
        (lambda z, y: (z, np.where(y == 0, 4, y)), r"\[0, 4\)"),
        (lambda z, y: (np.where(np.arange(len(z))[:, None] == 7, np.nan, z), y), "NaN"),
        (lambda z, y: (np.exp(log_softmax(z, axis=1)), y), "probabilities"),
        (lambda z, y: (np.zeros_like(z), y), "constant|equal|same"),
        (lambda z, y: (z, np.zeros_like(y)), "one class|class"),
        (lambda z, y: (z[:, :1], np.zeros_like(y)), "one column"),
    ],
)
def test_what_can_tell_nothing_is_refused_in_one_sentence(change, words):
    logits, labels = change(*problem(N=400))
    with pytest.raises(InputError, match=words) as caught:
        audit_logits(logits, labels)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_class_that_is_missing_from_the_rows_for_fitting_is_noted():
    logits, labels = problem(N=400)
    labels[labels == 3] = 0
    labels[123] = 3
    audits = [audit_logits(logits, labels, options=AuditOptions(compare=False, seed=seed)).audit for seed in range(4)]
    notes = {note.key for audit in audits for note in audit.notes}
    assert "note.missing_classes" in notes
    for audit in audits:
        assert math.isfinite(audit.after.log_loss.value)


@pytest.mark.parametrize(
    "options",
    [{"split": 0.0}, {"split": 1.0}, {"max_error": 0.0}, {"certainty": 1.0}, {"method": "magic"}, {"seed": -1}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError):
        AuditOptions(**options)
