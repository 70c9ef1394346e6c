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
    """To one unit where a number lies between two halves: rows of many halves have loops of their own."""
    logits = frozen(rng.normal(0, 8, (300, C)).astype(dtype))
    wide = logits.astype(np.float32)
    expected = function(wide).astype(dtype)
    for layout in (logits, logits[::2], logits[:, ::-1], np.asfortranarray(logits), logits.reshape(3, 100, C)):
        result = function(layout)
        assert result.dtype == dtype
        bits, wanted = (
            x.view(np.uint16).astype(int) for x in (result, function(layout.astype(np.float32)).astype(dtype))
        )
        assert abs(bits - wanted).max() <= (C > 31)
        assert np.mean(bits != wanted) < 0.01
    assert C > 31 or same_bits(np.ascontiguousarray(function(logits)), expected)
    assert np.array_equal(function(logits, axis=0), function(wide, axis=0).astype(dtype))


@halves
@pytest.mark.parametrize("spread", [1.0, 10.0, 40.0])
@pytest.mark.parametrize("C", [32, 150, 5000])
def test_rows_of_many_halves_are_half_an_ulp_from_the_exact(C, spread, dtype, rng):
    logits = rng.normal(0, spread, (40_000 // C, C)).astype(dtype)
    logits[0] = 0
    z = logits.astype(np.longdouble)
    at = z.argmax(axis=1)[:, None]
    shifted = z - np.take_along_axis(z, at, 1)
    exps = np.exp(shifted)
    np.put_along_axis(exps, at, 0, 1)
    rest = exps.sum(axis=1, keepdims=True)
    kind = np.finfo(dtype) if dtype == np.float16 else ml_dtypes.finfo(dtype)
    for function, exact in ((ops.softmax, np.exp(shifted) / (1 + rest)), (ops.log_softmax, shifted - np.log1p(rest))):
        exponent = np.floor(np.log2(np.maximum(np.abs(exact), np.longdouble(1e-300))))
        ulp = np.exp2(np.maximum(exponent, float(kind.minexp)) - kind.nmant)
        error = np.abs(function(logits).astype(np.longdouble) - exact) / ulp
        assert error.max() <= 0.51


@halves
def test_rows_of_many_halves_at_the_edges(dtype):
    inf, nan = np.inf, np.nan
    rows = np.full((6, 40), -inf)
    rows[1, 3], rows[2, [3, 5]], rows[3, 7], rows[4, :2], rows[5, :] = 5, inf, nan, [2, 1], -60000
    for T in (1.0, 1e-38, 1e38):
        halves = ops.softmax(rows.astype(dtype), temperature=T), ops.log_softmax(rows.astype(dtype), temperature=T)
        wide = ops.softmax(rows.astype(dtype).astype(np.float32), temperature=T)
        np.testing.assert_array_equal(halves[0].astype(float), wide.astype(dtype).astype(float))
        with np.errstate(over="ignore"):
            wide = ops.log_softmax(rows.astype(dtype).astype(np.float32), temperature=T).astype(dtype)
            np.testing.assert_allclose(halves[1].astype(float), wide.astype(float), rtol=5e-3)


@halves
@pytest.mark.parametrize("function", [ops.softmax, ops.log_softmax])
def test_rows_of_many_halves_in_place_and_across(function, dtype, rng):
    memory = rng.normal(0, 3, (2001, 40)).astype(dtype)
    out = "probs_out" if function is ops.softmax else "log_probs_out"
    for logits, buffer in ((memory[:-1], memory[:-1]), (memory[:-1], memory[1:]), (memory[1:], memory[:-1])):
        expected = function(logits.copy())
        assert function(logits, **{out: buffer}) is buffer
        assert same_bits(buffer, expected)


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
