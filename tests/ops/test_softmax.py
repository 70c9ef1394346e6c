"""Softmax, log-softmax and logsumexp: relations, oracles and edges."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import naive
from logitkit import ops
from logitkit.errors import InputError, OptionError

INF, NAN = np.inf, np.nan
SIZES = (1, 2, 3, 31, 32, 33, 150)  # both ways of computing, on both sides of their border
FUNCTIONS = (ops.softmax, ops.log_softmax, ops.logsumexp)
PEERS = (scipy.special.softmax, scipy.special.log_softmax, scipy.special.logsumexp)


MODERATE = st.floats(-100, 100, width=32)


def matrices(dtype, elements=MODERATE):
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70), elements=elements)


# Relations


@given(matrices(np.float32))
def test_rows_are_distributions(logits):
    probs = ops.softmax(logits)
    assert probs.dtype == np.float32
    assert ((probs >= 0) & (probs <= 1)).all()
    np.testing.assert_allclose(probs.sum(axis=1, dtype=np.float64), 1, rtol=2e-7)


@given(matrices(np.float64), st.floats(-1e6, 1e6))
def test_a_shift_changes_nothing(logits, shift):
    np.testing.assert_allclose(ops.softmax(logits + shift), ops.softmax(logits), rtol=1e-8, atol=1e-30)


@given(matrices(np.float32, st.floats(allow_nan=False, width=32)))
def test_no_number_gives_nan(logits):
    probs = ops.softmax(logits)
    assert ((probs >= 0) & (probs <= 1)).all()
    np.testing.assert_allclose(probs.sum(axis=1, dtype=np.float64), 1, rtol=2e-7)
    assert (ops.log_softmax(logits) <= 0).all()
    assert not np.isnan(ops.logsumexp(logits)).any()


@given(matrices(np.float32), st.data())
def test_a_mask_is_a_subset(logits, data):
    mask = data.draw(hnp.arrays(bool, logits.shape))
    probs, log_probs = ops.softmax(logits, where=mask), ops.log_softmax(logits, where=mask)
    sums = ops.logsumexp(logits, where=mask)
    for row, keep in enumerate(mask):
        assert (probs[row, ~keep] == 0).all()
        assert (log_probs[row, ~keep] == -INF).all()
        if keep.any():
            subset = logits[row, keep]
            np.testing.assert_allclose(probs[row, keep], ops.softmax(subset), rtol=3e-7)
            np.testing.assert_allclose(log_probs[row, keep], ops.log_softmax(subset), rtol=3e-7, atol=1e-30)
            np.testing.assert_allclose(sums[row], ops.logsumexp(subset), rtol=3e-7, atol=1e-7)
        else:
            assert sums[row] == -INF


@given(matrices(np.float64), st.floats(0.05, 20))
def test_temperature_divides_the_logits(logits, temperature):
    for function in FUNCTIONS:
        expected = function(logits / temperature)
        np.testing.assert_allclose(function(logits, temperature=temperature), expected, rtol=1e-11, atol=1e-12)


@given(matrices(np.float32))
def test_the_three_agree(logits):
    log_probs = ops.log_softmax(logits)
    np.testing.assert_allclose(np.exp(log_probs.astype(np.float64)), ops.softmax(logits), rtol=2e-5, atol=1e-38)
    whole = logits - ops.logsumexp(logits)[:, None]
    np.testing.assert_allclose(log_probs, whole, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [3, 40])
def test_a_row_has_the_same_bits_wherever_it_stands(function, dtype, C, rng):
    logits = rng.normal(0, 5, (200, C)).astype(dtype)
    whole = function(logits)
    for start, stop in [(0, 1), (63, 64), (64, 65), (17, 150), (199, 200)]:
        assert np.array_equal(function(logits[start:stop]), whole[start:stop])
        assert np.array_equal(function(logits[start]), whole[start])


# Oracles


@pytest.mark.parametrize("C", SIZES)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-7), (np.float64, 2e-14)])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_against_plain_loops(C, dtype, rtol, temperature, rng, frozen):
    logits = frozen(rng.normal(0, 10, (70, C)).astype(dtype))
    rows = logits.astype(float).tolist()
    probs = [naive.softmax(row, temperature) for row in rows]
    np.testing.assert_allclose(ops.softmax(logits, temperature=temperature), probs, rtol=rtol, atol=3e-45)
    log_probs = [naive.log_softmax(row, temperature) for row in rows]
    atol = 3e-45 * C if dtype == np.float32 else 1e-15
    np.testing.assert_allclose(ops.log_softmax(logits, temperature=temperature), log_probs, rtol=rtol, atol=atol)
    sums = [naive.logsumexp([z / temperature for z in row]) for row in rows]
    np.testing.assert_allclose(ops.logsumexp(logits, temperature=temperature), sums, rtol=rtol, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_against_scipy_on_any_axis(axis, dtype, rng, frozen):
    logits = frozen(rng.normal(0, 3, (7, 41, 5)).astype(dtype))
    rtol = 2e-3 if dtype == np.float16 else 1e-5
    exact = logits.astype(np.float64)
    for layout in (logits, np.asfortranarray(logits), logits[::-1], logits[:, ::2], logits.transpose(2, 0, 1)):
        reference = layout.astype(np.float64)
        for ours, theirs in zip(FUNCTIONS, PEERS, strict=True):
            result = ours(layout, axis=axis)
            assert result.dtype == dtype
            np.testing.assert_allclose(result, theirs(reference, axis=axis), rtol=rtol, atol=rtol)
    assert np.array_equal(exact, logits)


@pytest.mark.parametrize("C", [3, 200])
def test_against_pytorch(C, rng):
    torch = pytest.importorskip("torch")
    logits = rng.normal(0, 4, (50, C)).astype(np.float32)
    tensor = torch.from_numpy(logits)
    np.testing.assert_allclose(ops.softmax(tensor), torch.softmax(tensor, -1), rtol=2e-6)
    np.testing.assert_allclose(ops.log_softmax(tensor), torch.log_softmax(tensor, -1), rtol=2e-6, atol=1e-6)
    half = torch.from_numpy(logits).bfloat16()
    assert ops.softmax(half).dtype == torch.bfloat16
    np.testing.assert_allclose(ops.softmax(half).float(), torch.softmax(half.float(), -1), rtol=2**-8)


# Edges


EDGES = [
    [1e4, -1e4, 0.0, 3.0],
    [-1e4, -1e4, -1e4, -1e4],
    [3e38, -3e38, 3e38, 0.0],
    [INF, 1.0, 2.0, 3.0],
    [INF, INF, 2.0, -INF],
    [-INF, -INF, -INF, -INF],
    [-INF, 0.0, 1.0, -INF],
    [NAN, 0.0, 1.0, 2.0],
    [0.0, -NAN, 1.0, 2.0],
    [INF, NAN, 1.0, -INF],
    [-INF, -NAN, -INF, -INF],
    [0.0, 0.0, -0.0, 0.0],
]


@pytest.mark.parametrize("width", [4, 40])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_edges(width, dtype, frozen):
    with np.errstate(over="ignore"):
        logits = frozen(np.array([row + [-INF] * (width - 4) for row in EDGES]).astype(dtype))
    rows = logits.astype(float).tolist()
    tolerance = {np.float16: 1e-3, np.float32: 1e-6, np.float64: 1e-13}[dtype]
    with np.errstate(over="ignore"):
        expected_log = np.array([naive.log_softmax(row) for row in rows]).astype(dtype)
    np.testing.assert_allclose(
        ops.softmax(logits), [naive.softmax(row) for row in rows], rtol=tolerance, atol=tolerance
    )
    np.testing.assert_allclose(ops.log_softmax(logits), expected_log, rtol=tolerance)
    np.testing.assert_allclose(ops.logsumexp(logits), [naive.logsumexp(row) for row in rows], rtol=tolerance)


def test_one_class_no_rows_and_no_class():
    assert ops.softmax([[5.0], [-INF]]).tolist() == [[1.0], [1.0]]
    assert ops.log_softmax([7.0]).tolist() == [0.0]
    assert ops.logsumexp([7.0]) == 7.0
    for C in (3, 100):
        empty = np.empty((0, C), np.float32)
        assert ops.softmax(empty).shape == (0, C)
        assert ops.logsumexp(empty).shape == (0,)
    for empty in (np.empty((4, 0)), np.empty(0)):
        with pytest.raises(InputError, match=r"The 'logits' of softmax must be of one class or more; got the shape \["):
            ops.softmax(empty)


def test_what_a_mask_leaves_is_shared():
    assert ops.softmax([-INF, -INF, 5.0], where=[True, True, False]).tolist() == [0.5, 0.5, 0.0]
    assert ops.softmax([NAN, 1.0], where=[False, True]).tolist() == [0.0, 1.0]
    assert ops.softmax([[1.0, 2.0]], where=False).tolist() == [[0.0, 0.0]]
    assert ops.log_softmax([1.0, 2.0], where=False).tolist() == [-INF, -INF]
    assert ops.softmax([-INF, 0.0, INF], where=[True, False, False]).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("C", [3, 40])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_buffers_are_used_and_may_be_the_logits(C, dtype, rng):
    logits = rng.normal(size=(90, C)).astype(dtype)
    for function, name in ((ops.softmax, "probs_out"), (ops.log_softmax, "log_probs_out")):
        expected = function(logits)
        buffer = np.full_like(logits, 7)
        assert function(logits, **{name: buffer}) is buffer
        assert np.array_equal(buffer, expected)
        for layout in (logits.copy(), np.asfortranarray(logits), np.repeat(logits, 2, axis=0)[::2]):
            assert function(layout, **{name: layout}) is layout
            # Contiguous rows of many halves have loops of their own, half an ulp from the exact as the others are.
            np.testing.assert_allclose(layout, expected, rtol=1e-3 if dtype == np.float16 and C == 40 else 0)
        for bad in (
            np.empty((90, C + 1), dtype),
            np.empty((90, C), np.int32),
            "no",
            np.broadcast_to(buffer[:1], (90, C)),
        ):
            with pytest.raises(InputError, match=f"The '{name}' of .* must be a writable {np.dtype(dtype).name} array"):
                function(logits, **{name: bad})


def test_bad_options_and_inputs():
    for temperature in (0, -1.0, INF, NAN, "warm", None, True, 1e-320):
        with pytest.raises(
            OptionError, match="The 'temperature' option of softmax must be greater than 0 and finite; got"
        ):
            ops.softmax([1.0], temperature=temperature)
    for axis in (1, -2, 0.5, None):
        with pytest.raises(OptionError, match=r"The 'axis' option of softmax must be an integer in \[-1, 0\]; got"):
            ops.softmax([1.0], axis=axis)
    for logits in (3.0, ["a"], [[1.0], [1.0, 2.0]], [True], [1j], None, np.array(["1"])):
        with pytest.raises(InputError, match="The 'logits' of softmax must be"):
            ops.softmax(logits)
    with pytest.raises(InputError, match=r"The 'where' of softmax must be of a shape that stretches to \[2\]; got"):
        ops.softmax([1.0, 2.0], where=[True, True, False])
    with pytest.raises(InputError, match="The 'where' of softmax must be booleans; got int64"):
        ops.softmax([1.0, 2.0], where=np.array([1, 0]))
