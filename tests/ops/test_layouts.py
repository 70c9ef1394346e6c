"""A temperature for each row, masks, and memory that overlaps or does not lie in one piece."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logitkit import ops
from logitkit.errors import InputError, OptionError

FUNCTIONS = (ops.softmax, ops.log_softmax, ops.logsumexp)
OUT = {ops.softmax: "probs_out", ops.log_softmax: "log_probs_out"}


# A temperature for each row


@pytest.mark.parametrize("C", [3, 40])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_temperature_for_each_row_is_that_of_the_row_alone(function, C, rng):
    logits, temperatures = rng.normal(0, 5, (90, C)).astype(np.float32), rng.uniform(0.1, 4, 90)
    together = function(logits, temperature=temperatures)
    alone = [function(row, temperature=t) for row, t in zip(logits, temperatures, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=3e-7, atol=1e-7)
    columns = function(np.ascontiguousarray(logits.T), axis=0, temperature=temperatures)
    np.testing.assert_allclose(columns.T, alone, rtol=3e-7, atol=1e-7)
    for layout in (np.asfortranarray(logits), logits[:, ::-1], logits.astype(np.float16)):
        expected = [function(row, temperature=t) for row, t in zip(layout, temperatures, strict=True)]
        tolerance = 2e-3 if layout.dtype == np.float16 else 3e-7
        np.testing.assert_allclose(function(layout, temperature=temperatures), expected, rtol=tolerance, atol=tolerance)


def test_temperatures_stretch_to_the_rows(rng):
    logits = rng.normal(0, 3, (4, 5, 6, 9)).astype(np.float32)
    for shape in ((4, 5, 6), (6,), (5, 1), (4, 1, 1), (1,)):
        temperatures = rng.uniform(0.5, 2, shape)
        whole = np.broadcast_to(temperatures, (4, 5, 6))
        expected = ops.softmax(logits.astype(float) / whole[..., None])
        np.testing.assert_allclose(ops.softmax(logits, temperature=temperatures), expected, rtol=3e-7, atol=1e-30)
        turned = ops.softmax(logits.transpose(0, 3, 1, 2), axis=1, temperature=temperatures)
        np.testing.assert_allclose(turned, expected.transpose(0, 3, 1, 2), rtol=3e-7, atol=1e-30)
    assert ops.softmax([1.0, 2.0], temperature=np.array(0.5)).tolist() == ops.softmax([2.0, 4.0]).tolist()
    assert ops.softmax([[1.0, 2.0]], temperature=[2]).tolist() == ops.softmax([[0.5, 1.0]]).tolist()


def test_infinite_logits_beside_a_temperature_for_each_row():
    logits = np.array([[np.inf, 0, np.inf], [-np.inf, -np.inf, -np.inf], [0, np.nan, 1]])
    probs = ops.softmax(logits, temperature=[0.5, 2, 1])
    np.testing.assert_allclose(probs, [[0.5, 0, 0.5], [1 / 3] * 3, [np.nan] * 3])
    mask = [True, False, True]
    shared = ops.softmax(logits[:2], temperature=[0.5, 2], where=mask)
    assert shared.tolist() == [[0.5, 0, 0.5], [0.5, 0, 0.5]]


def test_temperatures_out_of_range_or_shape():
    logits = np.zeros((3, 2))
    for bad, found in (([1, -1, 1], "-1.0 in row 1"), ([1, 1, np.nan], "nan in row 2"), ([1e-320, 1, 1], "in row 0")):
        with pytest.raises(
            InputError, match=f"The 'temperature' of softmax must be greater than 0 and finite; .*{found}"
        ):
            ops.softmax(logits, temperature=bad)
    with pytest.raises(InputError, match=r"a number or of a shape that stretches to \[3\]; got the shape \[2\]"):
        ops.log_softmax(logits, temperature=[1, 1])
    with pytest.raises(InputError, match="The 'temperature' of logsumexp must be numbers; got bool"):
        ops.logsumexp(logits, temperature=[True, True, True])
    with pytest.raises(OptionError, match="The 'temperature' option of softmax must be greater than 0 and finite"):
        ops.softmax(logits, temperature=np.array(-1.0))


# Masks


@given(st.data())
def test_a_wide_row_of_which_a_mask_leaves_few(data):
    """What is left of a row is shared by work on few classes, though the row has many."""
    mask = data.draw(hnp.arrays(bool, (3, 40)))
    logits = np.full((3, 40), -np.inf, np.float32)
    probs = ops.softmax(logits, where=mask)
    expected = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(probs, expected, rtol=1e-7)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_masks_of_every_form(function, rng):
    logits = rng.normal(0, 3, (4, 6, 50)).astype(np.float32)
    for mask in (
        rng.random((4, 6, 50)) < 0.5,
        rng.random(50) < 0.5,
        rng.random((6, 1)) < 0.5,
        np.asfortranarray(logits > 0),
    ):
        whole = np.broadcast_to(mask, logits.shape)
        expected = function(np.where(whole, logits, np.float32(-np.inf)))
        dead = ~whole.any(axis=-1)
        result = function(logits, where=mask)
        if function is ops.logsumexp:
            assert np.array_equal(result, expected)
            continue
        expected[dead] = 0 if function is ops.softmax else -np.inf
        assert np.array_equal(result, expected)
        moved = function(np.moveaxis(logits, -1, 0), axis=0, where=np.moveaxis(whole, -1, 0))
        assert np.array_equal(np.moveaxis(moved, 0, -1), expected)


# Memory


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_a_buffer_that_overlaps_the_logits(function, dtype, rng):
    """Work on one block must not overwrite what another block has yet to read."""
    memory = rng.normal(0, 3, (40_001, 5)).astype(dtype)
    for logits, out in ((memory[:-1], memory[1:]), (memory[1:], memory[:-1]), (memory[:-1][::-1], memory[:-1])):
        before = memory.copy()
        expected = function(logits)
        function(logits, **{OUT[function]: out})
        assert np.array_equal(out, expected)
        memory[...] = before
    columns = np.ascontiguousarray(memory.T).reshape(-1)
    logits, out = columns[: 5 * 40_000].reshape(5, -1), columns[5:].reshape(5, -1)
    expected = function(logits, axis=0)
    function(logits, axis=0, **{OUT[function]: out})
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_in_place_is_the_same_as_into_a_buffer(function, rng):
    for shape in ((30_000, 4), (200, 500), (2, 40, 70)):
        logits = rng.normal(0, 3, shape).astype(np.float32)
        expected = function(logits)
        function(logits, **{OUT[function]: logits})
        assert np.array_equal(logits, expected)


def test_results_into_memory_of_any_layout(rng):
    logits = rng.normal(0, 3, (60, 7, 20)).astype(np.float32)
    expected = ops.softmax(logits)
    for out in (
        np.empty((60, 7, 20), np.float32, order="F"),
        np.empty((20, 7, 60), np.float32).T,
        np.empty((60, 7, 40), np.float32)[..., ::2],
    ):
        ops.softmax(logits, probs_out=out)
        assert np.array_equal(out, expected)
