"""Decisions: the golden file, relations, and every input that must be refused."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logitkit import ops
from logitkit.decision import Decision, Reason, decide, decide_columns
from logitkit.errors import InputError, OptionError

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["News", "Entertainment", "Technology"]
SAVED = json.loads((GOLDEN / "decisions.json").read_text(encoding="utf-8"))


def test_the_golden_file_is_what_its_generator_makes():
    spec = importlib.util.spec_from_file_location("make_decisions", GOLDEN / "make_decisions.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = maker.make()
    assert made["logits"] == SAVED["logits"]
    for mine, saved in zip(made["cases"], SAVED["cases"], strict=True):
        assert [one[:2] + one[3:] for one in mine["decisions"]] == [one[:2] + one[3:] for one in saved["decisions"]]
        np.testing.assert_allclose([d[2] for d in mine["decisions"]], [d[2] for d in saved["decisions"]], rtol=1e-12)


@pytest.mark.parametrize("case", SAVED["cases"], ids=lambda case: f"T={case['temperature']} t={case['threshold']}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decisions_are_the_golden_ones(case, dtype):
    decisions = decide(
        np.array(SAVED["logits"], dtype),
        class_names=NAMES,
        temperature=case["temperature"],
        threshold=case["threshold"],
        known=np.array(case["known"]),
    )
    for mine, (raw, label, probability, reason) in zip(decisions, case["decisions"], strict=True):
        assert mine.raw_label == NAMES[raw]
        assert mine.label == (None if label < 0 else NAMES[label])
        assert mine.probability == pytest.approx(probability, rel=1e-5)
        assert mine.reason == reason
        assert mine.abstained == (label < 0)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), temperature=st.floats(0.01, 100.0), threshold=st.floats(0.0, 1.0))
def test_temperature_never_moves_the_arg_max_and_probability_is_that_of_softmax(seed, temperature, threshold):
    logits = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32) * 5.0
    plain = decide_columns(logits)
    columns = decide_columns(logits, temperature=temperature, threshold=threshold)
    assert (columns.raw_labels == plain.raw_labels).all()
    assert (columns.raw_labels == ops.argmax(logits)).all()
    probs = ops.softmax(logits, temperature=temperature)
    assert (columns.probabilities == probs[np.arange(20), columns.raw_labels]).all()
    assert ((columns.labels < 0) == (columns.probabilities < threshold)).all()
    assert (plain.labels == plain.raw_labels).all()  # threshold 0 never abstains


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 30))
def test_a_row_is_decided_by_itself(seed, cut):
    rng = np.random.default_rng(seed)
    logits, order = rng.normal(size=(30, 3)), rng.permutation(30)
    whole = decide(logits, class_names=NAMES, threshold=0.6)
    parts = [decide(part, class_names=NAMES, threshold=0.6) for part in (logits[:cut], logits[cut:])]
    assert parts[0] + parts[1] == whole
    assert decide(logits[order], class_names=NAMES, threshold=0.6) == [whole[i] for i in order]


def test_a_threshold_for_each_class_is_that_of_the_arg_max():
    logits = [[2.0, 1.0, 0.1], [1.0, 2.0, 0.1]]
    labels = [d.label for d in decide(logits, class_names=NAMES, threshold=[0.6, 0.7, 0.0])]
    assert labels == ["News", None]


def test_unknown_words_are_the_stronger_reason():
    decision = decide([[0.1, 0.0, 0.0]], class_names=NAMES, threshold=0.9, known=[False])[0]
    assert decision == Decision("News", None, decision.probability, Reason.NO_KNOWN_WORDS)
    assert json.dumps(decision.reason) == '"no known words"'
    assert decide([[9.0, 0.0, 0.0]], class_names=NAMES, known=[False])[0].abstained


def test_no_rows_and_one_class():
    assert decide(np.zeros((0, 3)), class_names=NAMES) == []
    assert decide([[-5.0]], class_names=["only"], threshold=1.0) == [Decision("only", "only", 1.0, Reason.CONFIDENT)]


@pytest.mark.parametrize(
    ("logits", "options", "error"),
    [
        ([[0.0, 1.0, np.nan]], {}, InputError),
        ([0.0, 1.0, 2.0], {}, InputError),
        ([[0.0, 1.0]], {}, OptionError),
        ([[0.0, 1.0, 2.0]], {"threshold": 1.5}, OptionError),
        ([[0.0, 1.0, 2.0]], {"threshold": np.nan}, OptionError),
        ([[0.0, 1.0, 2.0]], {"threshold": "high"}, OptionError),
        ([[0.0, 1.0, 2.0]], {"threshold": [0.5, 0.5]}, OptionError),
        ([[0.0, 1.0, 2.0]], {"temperature": -1.0}, OptionError),
        ([[0.0, 1.0, 2.0]], {"known": [1]}, InputError),
        ([[0.0, 1.0, 2.0]], {"known": [True, True]}, InputError),
    ],
)
def test_wrong_input_gets_one_sentence(logits, options, error):
    with pytest.raises(error, match=r"\.$"):
        decide(logits, class_names=NAMES, **options)


def test_the_first_row_with_nan_is_named():
    logits = np.zeros((9, 3))
    logits[[4, 7], [2, 0]] = np.nan
    with pytest.raises(InputError, match="NaN in row 4"):
        decide(logits, class_names=NAMES)
