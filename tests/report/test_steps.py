"""The worked example of the article, and what the textbook's way does to large logits."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_trust
from logitkit.errors import InputError, OptionError
from logitkit.report.steps import softmax_steps

finite = st.floats(-1e6, 1e6)


def test_the_worked_example():
    steps = softmax_steps([2.0, 1.0, 0.1], class_names=["News", "Entertainment", "Technology"])
    assert steps.exponentials.round(2).tolist() == [7.39, 2.72, 1.11]
    assert round(steps.exponentials_sum, 2) == 11.21
    assert steps.shifted.round(2).tolist() == [0.0, -1.0, -1.9]
    assert steps.probs.round(2).tolist() == [0.66, 0.24, 0.1]
    assert np.allclose(steps.naive_probs, steps.probs) and not steps.naive_fails
    assert steps.class_names[steps.arg_max] == "News"


@given(logits=st.lists(finite, min_size=1, max_size=8), temperature=st.floats(0.1, 10.0))
def test_every_step_follows_from_the_one_before(logits, temperature):
    s = softmax_steps(logits, temperature=temperature)
    z = np.array(logits)
    np.testing.assert_array_equal(s.scaled, z / temperature)
    np.testing.assert_array_equal(s.shifted, (z - z.max()) / temperature)
    np.testing.assert_allclose(s.shifted_exponentials, [math.exp(d) for d in s.shifted], rtol=1e-12)
    assert 1.0 <= s.shifted_exponentials_sum <= len(logits)
    np.testing.assert_allclose(s.probs, s.shifted_exponentials / s.shifted_exponentials_sum, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(s.probs, naive_trust.softmax(logits, temperature), rtol=1e-10, atol=1e-300)
    assert s.logits[s.arg_max] == z.max()


@pytest.mark.parametrize(
    "logits", [[1000.0, 1001.0], [-1000.0, -1001.0], [np.inf, 0.0], [-np.inf, -np.inf], [1e308, -1e308]]
)
def test_the_textbooks_way_fails_where_the_stable_one_does_not(logits):
    steps = softmax_steps(logits)
    assert steps.naive_fails
    assert steps.probs.sum() == pytest.approx(1.0)
    assert steps.shifted_exponentials_sum >= 1.0


def test_a_tiny_temperature_overflows_nothing_in_the_stable_way():
    steps = softmax_steps([1e300, 0.0], temperature=1e-200)
    assert steps.probs.tolist() == [1.0, 0.0] and steps.shifted.tolist() == [0.0, -math.inf]


@pytest.mark.parametrize("logits", [[2.0, 1.0], [1000.0, 1001.0], [np.inf, -np.inf], [-np.inf, -np.inf]])
def test_json_is_json_and_reads_back(logits):
    steps = softmax_steps(logits)
    record = json.loads(json.dumps(steps.to_json(), allow_nan=False))
    assert [float(value) for value in record["logits"]] == logits
    np.testing.assert_array_equal([float(value) for value in record["naive_probs"]], steps.naive_probs)
    assert record["class_names"] == ["class 0", "class 1"]


@pytest.mark.parametrize(
    ("logits", "options", "error"),
    [
        ([], {}, InputError),
        ([[1.0]], {}, InputError),
        ([1.0, math.nan], {}, InputError),
        (["x"], {}, InputError),
        ([1.0], {"class_names": ["a", "b"]}, OptionError),
        ([1.0], {"temperature": 0.0}, OptionError),
    ],
)
def test_wrong_input_gets_one_sentence(logits, options, error):
    with pytest.raises(error, match=r"\.$"):
        softmax_steps(logits, **options)
