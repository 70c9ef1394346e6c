"""What a classifier promises from the texts that training held out: abstention, outliers, and how both travel."""

import math

import numpy as np
import pytest

from logitkit import TextClassifier, TrainOptions, load
from logitkit.errors import OptionError
from synthetic import corpus

TEXTS, LABELS = corpus(600)
OPTIONS = TrainOptions(epochs=3)


@pytest.fixture(scope="module")
def model():
    return TextClassifier(OPTIONS).fit(TEXTS, LABELS)


def test_a_rule_is_that_of_the_held_out_rows_and_survives_the_file(model, tmp_path):
    rule = model.abstention(0.1)
    assert rule.rows == len(model.held_out.confidence) > 100
    model.save(tmp_path / "m.logitkit")
    assert load(tmp_path / "m.logitkit").abstention(0.1) == rule
    assert load(tmp_path / "m.logitkit").outlier_rule(0.05) == model.outlier_rule(0.05)


def test_a_threshold_decides_and_gives_the_reason(model):
    decisions = model.decide(TEXTS[:50], threshold=math.inf)
    assert all(d.label is None and d.reason == "below threshold" for d in decisions)
    low = model.outlier_rule(0.05)
    rule = type(low)(low.method, low.temperature, -1e9, low.false_alarm_rate, low.rows)
    assert {str(d.reason) for d in model.decide(TEXTS[:50], outliers=rule)} == {"outlier"}


def test_few_known_texts_are_outliers(model):
    logits = model.predict_logits(TEXTS)
    assert model.outlier_rule(0.05).is_outlier(logits).mean() < 0.15


def test_options_put_the_rules_into_the_model(tmp_path):
    options = TrainOptions(epochs=3, max_error=0.2, false_alarm_rate=0.05)
    model = TextClassifier(options).fit(TEXTS, LABELS)
    assert model.threshold == model.abstention(0.2).threshold and model.outliers == model.outlier_rule(0.05)
    model.save(tmp_path / "m.logitkit")
    again = load(tmp_path / "m.logitkit")
    assert again.threshold == model.threshold and again.outliers == model.outliers
    assert again.decide(TEXTS[:20]) == model.decide(TEXTS[:20])


def test_what_cannot_be_promised_is_said_and_nothing_is_answered(tmp_path):
    model = TextClassifier(TrainOptions(epochs=3, max_error=1e-5)).fit(TEXTS, LABELS)
    assert model.threshold == math.inf and any("No threshold can promise" in word for word in model.record.warnings)
    model.save(tmp_path / "m.logitkit")
    assert all(d.label is None for d in load(tmp_path / "m.logitkit").decide(TEXTS[:20]))


@pytest.mark.parametrize("options", [{"max_error": 0.0}, {"certainty": 1.0}, {"false_alarm_rate": 1.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError):
        TrainOptions(**options)


def test_a_promise_by_class_has_a_threshold_for_each(model):
    rule = model.abstention(0.3, by_class=True)
    assert len(rule.thresholds) == len(model.class_names)
    columns, _ = model.decide_columns(TEXTS[:100], threshold=rule.threshold)
    confidence = np.asarray(columns.probabilities, np.float64)
    answered = confidence >= np.array(rule.thresholds)[columns.raw_labels]
    np.testing.assert_array_equal(columns.labels >= 0, answered)
