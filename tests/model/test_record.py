"""The training record: there and back through JSON, and what is no record is refused."""

import copy
import json

import numpy as np
import pytest

from logitkit import TextClassifier, TrainOptions
from logitkit.model.record import TrainingRecord, judge_calibration
from logitkit.trust.calibration_error import expected_calibration_error
from logitkit.trust.metrics import log_loss
from logitkit.trust.temperature import fit_temperature
from synthetic import corpus


@pytest.fixture(scope="module")
def record():
    return TextClassifier(TrainOptions(epochs=3, label_smoothing=0.1)).fit(*corpus(60)).record


def test_it_says_what_training_did(record):
    assert (record.rows, record.class_counts, record.label_smoothing, record.seed) == (60, (20, 20, 20), 0.1, 0)
    assert (
        record.held_out.rows == 60
        and record.features > 0
        and record.warnings == ("Only 60 texts could be held out: the temperature and the held-out figures are rough.",)
    )
    assert len(record.steps) == 10 * record.epochs
    assert [step.epoch for step in record.steps] == pytest.approx(np.arange(1, 10 * record.epochs + 1) / 10)
    assert record.steps[-1].loss < record.steps[0].loss and record.steps[-1].logit_scale > record.steps[0].logit_scale
    chosen = min(record.trials, key=lambda trial: trial.log_loss)
    assert (record.rare, record.l2, record.epochs) == (chosen.rare, chosen.l2, chosen.epochs)


def test_there_and_back_through_json(record):
    text = json.dumps(record.to_json(), allow_nan=False)
    assert TrainingRecord.from_json(json.loads(text)) == record


def paths(value, path=()):
    """Every place in a nested record."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*path, 0))


def changed(record, path, new):
    result = copy.deepcopy(record)
    place = result
    for key in path[:-1]:
        place = place[key]
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return result


def test_every_field_is_checked_for_being_there_and_for_its_type(record):
    whole = json.loads(json.dumps(record.to_json()))
    for path in paths(whole):
        if not path:
            continue
        for wrong in (..., {"a": 1}, [None], "7", None, True, float("inf")):
            removable = wrong is ... and isinstance(path[-1], int)  # a list may be shorter
            allowed = (
                (wrong is None and path[-1] in ("held_out", "log_loss"))
                or (wrong is True and path[-1] == "rare")
                or (wrong == "7" and path[0] == "warnings" and len(path) == 2)
            )
            if removable or allowed:
                continue
            with pytest.raises((TypeError, KeyError, ValueError)):
                TrainingRecord.from_json(changed(whole, path, wrong))
    with pytest.raises(TypeError):
        TrainingRecord.from_json({**whole, "another": 1})


def test_a_whole_number_is_a_float_too(record):
    whole = record.to_json()
    assert TrainingRecord.from_json({**whole, "l2": 1}).l2 == 1


def test_calibration_is_judged_on_the_other_half(rng):
    labels = rng.integers(0, 3, 500)
    logits = (5.0 * (np.eye(3)[labels] + rng.normal(size=(500, 3)))).astype(np.float32)
    found = judge_calibration(logits, labels)
    scaled = logits.copy()
    scaled[::2] /= np.float32(fit_temperature(logits[1::2], labels[1::2]))
    scaled[1::2] /= np.float32(fit_temperature(logits[::2], labels[::2]))
    assert found.rows == 500 and found.accuracy == pytest.approx((logits.argmax(axis=1) == labels).mean())
    assert found.log_loss_before == log_loss(labels, logits=logits)
    assert found.log_loss_after == log_loss(labels, logits=scaled) < found.log_loss_before
    assert found.calibration_error_before == expected_calibration_error(labels, logits=logits)
    assert found.calibration_error_after == expected_calibration_error(labels, logits=scaled)
    assert judge_calibration(logits[:1], labels[:1]) is None
    assert judge_calibration(logits[:2], labels[:2]).rows == 2
