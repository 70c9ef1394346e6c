"""float16 and bfloat16: converted exactly, rounded once, and computed as float32."""

import numpy as np
import pytest

from logitkit import ops
from logitkit.kernels.halves import narrow, narrowed, widen, widened

ml_dtypes = pytest.importorskip("ml_dtypes")
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
PATTERNS = np.arange(2**16, dtype=np.uint32).astype(np.uint16)
halves = pytest.mark.parametrize("dtype", HALVES, ids=str)


def same_bits(a, b):
    return np.array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))


@halves
def test_every_pattern_widens_as_elsewhere(dtype):
    expected = PATTERNS.view(dtype).astype(np.float32)
    result = np.empty(2**16, np.float32)
    widen(PATTERNS, dtype.name == "bfloat16", result)
    numbers = ~np.isnan(expected)
    assert same_bits(result[numbers], expected[numbers])
    assert np.isnan(result[~numbers]).all()


@halves
def test_rounding_is_to_the_nearest_and_ties_to_even(dtype, rng):
    finite = np.unique(PATTERNS.view(dtype).astype(np.float32)[np.isfinite(PATTERNS.view(dtype).astype(np.float32))])
    ties = ((finite[1:].astype(np.float64) + finite[:-1]) / 2).astype(np.float32)
    values = [finite, ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))]
    values.append(rng.integers(0, 2**32, 10**6, dtype=np.uint64).astype(np.uint32).view(np.float32))
    values = np.concatenate([*values, np.float32([65519.996, 65520, 3.4e38, np.inf, 1e-45, 0])])
    values = np.concatenate([values, -values])
    with np.errstate(all="ignore"):
        expected = values.astype(dtype)
    result = np.empty(values.size, np.uint16)
    narrow(values, dtype.name == "bfloat16", result)
    numbers = ~np.isnan(values)
    assert same_bits(result[numbers], expected[numbers])
    assert np.isnan(result.view(dtype)[~numbers].astype(np.float32)).all()


def test_one_number_at_a_time():
    """Without the JIT too: what columns call for each number."""
    for convert in (lambda f: f, lambda f: f.py_func):
        assert convert(widened)(np.uint16(0x3C00), False) == 1.0
        assert convert(widened)(np.uint16(0x3F80), True) == 1.0
        assert convert(widened)(2.5, None) == 2.5
        assert convert(narrowed)(np.float32(1.0), False) == 0x3C00
        assert convert(narrowed)(np.float32(1.0), True) == 0x3F80
        assert convert(narrowed)(2.5, None) == 2.5


@halves
@pytest.mark.parametrize("C", [3, 40])
@pytest.mark.parametrize("function", [ops.softmax, ops.log_softmax, ops.logsumexp])
def test_results_are_those_of_float32_rounded_once(function, C, dtype, rng, frozen):
    logits = frozen(rng.normal(0, 8, (300, C)).astype(dtype))
    wide = logits.astype(np.float32)
    expected = function(wide).astype(dtype)
    for layout in (logits, logits[::2], logits[:, ::-1], np.asfortranarray(logits), logits.reshape(3, 100, C)):
        result = function(layout)
        assert result.dtype == dtype
        assert np.array_equal(result, function(layout.astype(np.float32)).astype(dtype))
    assert same_bits(np.ascontiguousarray(function(logits)), expected)
    assert np.array_equal(function(logits, axis=0), function(wide, axis=0).astype(dtype))


@halves
def test_infinities_and_nan(dtype):
    rows = np.array([[np.inf, 1, np.inf], [-np.inf, -np.inf, -np.inf], [1, np.nan, 0], [-np.inf, 3, -np.inf]], dtype)
    third = np.float32(1 / 3)
    expected = np.array([[0.5, 0, 0.5], [third] * 3, [np.nan] * 3, [0, 1, 0]], np.float32).astype(dtype)
    np.testing.assert_array_equal(ops.softmax(rows).astype(np.float32), expected.astype(np.float32))


@halves
def test_a_gradient_in_halves_is_that_of_float32(dtype, rng):
    logits, labels = rng.normal(0, 2, (70, 40)).astype(dtype), rng.integers(0, 40, 70)
    loss, grad = ops.cross_entropy(logits, labels, grad=True)
    wide_loss, wide_grad = ops.cross_entropy(logits.astype(np.float32), labels, grad=True)
    assert loss == wide_loss
    assert np.array_equal(grad, wide_grad.astype(dtype))


@halves
def test_nothing_is_said_about_numbers_that_round_to_zero(dtype):
    """Warnings are errors: a probability that is too small for 16 bits is 0 without a word."""
    assert ops.softmax(np.array([0, -40, -100], dtype)).astype(float).tolist()[2] == 0.0
