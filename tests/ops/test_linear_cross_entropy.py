"""The loss of a linear layer in chunks of tokens: equal to the loss of its logits, in any cut, with bounded memory."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logitkit import ops
from logitkit.errors import InputError, OptionError
from logitkit.ops import _token_chunks as chunks
from logitkit.ops.linear_cross_entropy import linear_cross_entropy

INF, NAN = np.inf, np.nan
SMALL = {"CHUNK_BYTES": 40_000, "GROUP": 3_000, "PIECE": 1_000, "PRODUCT": 500, "VALUE_TOKENS": 24}


@pytest.fixture
def small_tiles(monkeypatch):
    """Cut small problems as large ones are cut: several chunks, groups, pieces and products."""
    for name, size in SMALL.items():
        monkeypatch.setattr(chunks, name, size)


def problem(rng, N, D, V, dtype=np.float64):
    hidden, weights = rng.normal(0, 1, (N, D)).astype(dtype), rng.normal(0, 1, (V, D)).astype(dtype)
    return hidden, weights, rng.integers(0, V, N), rng.normal(0, 1, V).astype(dtype)


def by_logits(hidden, weights, labels, bias=None, *, z_loss=0.0, soft_cap=None, reduction="mean", **options):
    """Return the loss and its three gradients by way of the logits [N, V], in float64."""
    hidden, weights = hidden.astype(np.float64), weights.astype(np.float64)
    products = hidden @ weights.T + (0.0 if bias is None else bias.astype(np.float64))
    logits = products if soft_cap is None else soft_cap * np.tanh(products / soft_cap)
    counts = options.pop("counts", np.ones(len(labels)))
    options["sample_weights"] = counts
    loss, grad = ops.cross_entropy(logits, labels, reduction=reduction, grad=True, **options)
    divisor = counts.sum() if reduction == "mean" else 1.0
    log_sums = ops.logsumexp(logits)
    terms = z_loss * log_sums**2 * counts
    loss = loss + (terms if reduction == "none" else terms.sum() / divisor)
    grad = grad + ops.softmax(logits) * (2 * z_loss * log_sums * counts / divisor)[:, None]
    if soft_cap is not None:
        grad = grad * (1 - (logits / soft_cap) ** 2)
    return loss, grad @ weights, grad.T @ hidden, grad.sum(axis=0)


def check(ours, reference, tolerance):
    loss, grads = ours
    for name, a, b in zip(("loss", *grads._fields), (loss, *grads), reference, strict=True):
        if a is not None:
            scale = np.abs(b).max(initial=1e-300)
            np.testing.assert_allclose(np.float64(a), b, rtol=tolerance, atol=tolerance * scale, err_msg=name)


# Relations


@pytest.mark.parametrize("options", [
    {},
    {"label_smoothing": 0.1, "reduction": "sum"},
    {"z_loss": 1e-2, "reduction": "none"},
    {"soft_cap": 3.0},
    {"label_smoothing": 1.0, "z_loss": 0.1, "soft_cap": 5.0},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 2), (90, 40, 101), (150, 8, 400), (61, 70, 130)])
def test_it_is_the_cross_entropy_of_the_logits(rng, small_tiles, shape, options):
    hidden, weights, labels, bias = problem(rng, *shape)
    for b in (None, bias):
        ours = linear_cross_entropy(hidden, weights, labels, bias=b, grad=True, **options)
        check(ours, by_logits(hidden, weights, labels, b, **options), 1e-12)
        value = linear_cross_entropy(hidden, weights, labels, bias=b, **options)
        np.testing.assert_allclose(value, ours[0], rtol=1e-12, atol=1e-15)


@given(
    st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 40), st.integers(1, 90),
    st.sampled_from([0.0, 0.2]), st.sampled_from([0.0, 0.1]), st.sampled_from([None, 2.0]),
)  # fmt: skip
def test_any_shape(seed, N, D, V, smoothing, z_loss, soft_cap):
    hidden, weights, labels, bias = problem(np.random.default_rng(seed), N, D, V)
    options = {"label_smoothing": smoothing, "z_loss": z_loss, "soft_cap": soft_cap}
    ours = linear_cross_entropy(hidden, weights, labels, bias=bias, grad=True, **options)
    check(ours, by_logits(hidden, weights, labels, bias, **options), 1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_short_floats_are_rounded_once(rng, small_tiles, dtype):
    dtype = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    hidden, weights, labels, bias = problem(rng, 100, 40, 130, dtype)
    loss, grads = linear_cross_entropy(hidden, weights, labels, bias=bias, grad=True)
    assert [grad.dtype for grad in grads] == [np.dtype(dtype)] * 3
    wide = [array.astype(np.float32) for array in (hidden, weights, bias)]
    exact, *wide_grads = by_logits(*wide[:2], labels, wide[2])
    np.testing.assert_allclose(loss, exact, rtol=2e-6)
    unit = {2: 2.0**-11, 4: 3e-6}[np.dtype(dtype).itemsize] * (8 if np.dtype(dtype).kind == "V" else 1)
    for a, b in zip(grads, wide_grads, strict=True):
        np.testing.assert_allclose(a.astype(np.float64), b, rtol=unit * 1.1, atol=2e-7 * np.abs(b).max() + 6e-8)


def test_types_mix(rng):
    hidden, weights, labels, _ = problem(rng, 20, 4, 9, np.float32)
    loss, grads = linear_cross_entropy(hidden, weights.astype(np.float64), labels, grad=True)
    assert (grads.hidden.dtype, grads.weights.dtype, grads.bias) == (np.float32, np.float64, None)
    np.testing.assert_allclose(loss, by_logits(hidden, weights, labels)[0], rtol=1e-14)


def test_tokens_that_do_not_count_are_as_if_they_were_not_there(rng, small_tiles):
    hidden, weights, labels, bias = problem(rng, 90, 12, 50)
    gone = rng.random(90) < 0.4
    hidden[gone] = NAN
    reference = linear_cross_entropy(hidden[~gone], weights, labels[~gone], bias=bias, grad=True)
    for ignored in (-100, 49):
        marked = np.where(gone, ignored, labels % 49)
        kept = linear_cross_entropy(hidden[~gone], weights, marked[~gone], bias=bias, grad=True)
        loss, grads = linear_cross_entropy(hidden, weights, marked, bias=bias, ignore_index=ignored, grad=True)
        np.testing.assert_allclose(loss, kept[0], rtol=1e-14)
        np.testing.assert_array_equal(grads.hidden[~gone], kept[1].hidden)
        np.testing.assert_array_equal(grads.weights, kept[1].weights)
        np.testing.assert_array_equal(grads.bias, kept[1].bias)
        assert not grads.hidden[gone].any()
    weighted = linear_cross_entropy(hidden, weights, labels, bias=bias, sample_weights=~gone * 1.0, grad=True)
    np.testing.assert_allclose(weighted[0], reference[0], rtol=1e-14)
    np.testing.assert_array_equal(weighted[1].weights, reference[1].weights)


def test_weights_are_repetition(rng, small_tiles):
    hidden, weights, labels, _ = problem(rng, 60, 12, 50)
    times = rng.integers(0, 4, 60)
    again = np.repeat(np.arange(60), times)
    options = {"z_loss": 0.1, "label_smoothing": 0.1, "grad": True}
    loss, grads = linear_cross_entropy(hidden, weights, labels, sample_weights=times, **options)
    same, repeated = linear_cross_entropy(hidden[again], weights, labels[again], **options)
    np.testing.assert_allclose(loss, same, rtol=1e-13)
    np.testing.assert_allclose(grads.weights, repeated.weights, rtol=1e-10, atol=1e-15)


def test_the_number_of_threads_changes_no_bit(rng, small_tiles, threads):
    hidden, weights, labels, bias = problem(rng, 90, 40, 300, np.float32)
    results = []
    for n in (1, 2, 5):
        threads(n)
        loss, grads = linear_cross_entropy(hidden, weights, labels, bias=bias, label_smoothing=0.1, grad=True)
        results.append((loss, *(grad.tobytes() for grad in grads)))
    assert results[0] == results[1] == results[2]


def test_layouts_and_buffers(rng, small_tiles, frozen):
    hidden, weights, labels, bias = map(frozen, problem(rng, 90, 40, 130))
    loss, grads = linear_cross_entropy(hidden, weights, labels, bias=bias, grad=True)
    strided = [np.repeat(array, 2, axis=-1)[..., ::2] for array in (hidden, weights, bias)]
    columns = [np.asfortranarray(array) for array in (hidden, weights)]
    shaped = hidden.reshape(9, 10, 40)
    for h, w, y, b in (
        (strided[0], strided[1], labels, strided[2]),
        (*columns, labels, bias),
        (hidden[::-1][::-1], np.concatenate([weights, weights])[:130], labels[::-1].copy()[::-1], bias),
        (shaped, weights, labels.reshape(9, 10), bias),
        (hidden.astype(">f8"), weights.astype(">f8"), labels.astype(np.int8) if labels.max() < 128 else labels, bias),
    ):
        out = np.full((*h.shape[:-1], 80), NAN)[..., ::2]
        result = linear_cross_entropy(h, w, y, bias=b, hidden_grad_out=out)
        assert result[1].hidden is out
        np.testing.assert_allclose(result[0], loss, rtol=1e-14)
        for got, grad in zip(result[1], grads, strict=True):
            np.testing.assert_allclose(got.reshape(grad.shape), grad, rtol=1e-10, atol=1e-15)
    in_place = [np.array(array) for array in (hidden, weights, bias)]
    names = ("hidden_grad_out", "weights_grad_out", "bias_grad_out")
    linear_cross_entropy(in_place[0], in_place[1], labels, bias=in_place[2], **dict(zip(names, in_place, strict=True)))
    for a, b in zip(in_place, grads, strict=True):
        np.testing.assert_array_equal(a, b)


# Oracles


def test_finite_differences(rng):
    hidden, weights, labels, bias = problem(rng, 4, 3, 5)
    options = {"label_smoothing": 0.1, "z_loss": 0.05, "soft_cap": 2.0, "ignore_index": 0}
    labels[0] = 0
    _, grads = linear_cross_entropy(hidden, weights, labels, bias=bias, grad=True, **options)
    arrays = [hidden, weights, bias]
    for k, grad in enumerate(grads):
        for index in np.ndindex(grad.shape):
            slopes = []
            for step in (1e-5, -1e-5):
                moved = [array.copy() for array in arrays]
                moved[k][index] += step
                slopes.append(linear_cross_entropy(moved[0], moved[1], labels, bias=moved[2], **options))
            np.testing.assert_allclose(grad[index], (slopes[0] - slopes[1]) / 2e-5, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_pytorch(rng, small_tiles, reduction):
    torch = pytest.importorskip("torch")
    hidden, weights, labels, bias = problem(rng, 70, 20, 90)
    labels[::7] = -100
    leaves = [torch.from_numpy(array.copy()).requires_grad_() for array in (hidden, weights, bias)]
    logits = torch.nn.functional.linear(*leaves)
    theirs = torch.nn.functional.cross_entropy(
        logits, torch.from_numpy(labels), label_smoothing=0.1, reduction=reduction
    )
    theirs.sum().backward()
    options = {"bias": bias, "ignore_index": -100, "label_smoothing": 0.1, "reduction": reduction}
    loss, grads = linear_cross_entropy(hidden, weights, labels, grad=True, **options)
    np.testing.assert_allclose(loss, theirs.detach().numpy(), rtol=1e-13, atol=1e-14)
    for grad, leaf in zip(grads, leaves, strict=True):
        np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_the_gradient_of_a_confident_token_keeps_its_size():
    weights = np.array([[40.0], [0.0], [0.0]])
    _, grads = linear_cross_entropy([[1.0]], weights, [0], grad=True)
    np.testing.assert_allclose(grads.weights[1, 0], np.exp(-40), rtol=1e-12)


# Edges


def test_nothing_counts(rng):
    hidden, weights, labels, bias = problem(rng, 5, 3, 4)
    zeros = np.zeros_like
    for reduction, value in (("mean", 0.0), ("sum", 0.0), ("none", zeros(hidden[:, 0]))):
        for y, options in ((labels * 0 - 1, {"ignore_index": -1}), (labels, {"sample_weights": np.zeros(5)})):
            loss, grads = linear_cross_entropy(hidden, weights, y, bias=bias, reduction=reduction, grad=True, **options)
            np.testing.assert_array_equal(loss, value)
            for grad, array in zip(grads, (hidden, weights, bias), strict=True):
                np.testing.assert_array_equal(grad, zeros(array))
    loss, grads = linear_cross_entropy(np.empty((0, 3)), weights, [], grad=True)
    assert (loss, grads.hidden.shape, grads.weights.any(), grads.bias) == (0.0, (0, 3), False, None)
    assert linear_cross_entropy(np.empty((2, 0, 3)), weights, np.empty((2, 0)), reduction="none").shape == (2, 0)


def test_one_class_costs_nothing(rng):
    hidden, weights, labels, bias = problem(rng, 5, 3, 1)
    loss, grads = linear_cross_entropy(hidden, weights, labels, bias=bias, label_smoothing=0.1, grad=True)
    assert loss == 0.0
    assert not any(grad.any() for grad in grads)


def test_bias_of_minus_infinity_takes_classes_out(rng, small_tiles):
    hidden, weights, labels, bias = problem(rng, 90, 12, 300)
    bias[40:] = -INF
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-5)):
        h, w, b = hidden.astype(dtype), weights.astype(dtype), bias.astype(dtype)
        ours = linear_cross_entropy(h, w, labels % 40, bias=b, grad=True)
        loss, dh, dw, db = by_logits(hidden, weights[:40], labels % 40, bias[:40])
        check(ours, (loss, dh, np.pad(dw, ((0, 260), (0, 0))), np.pad(db, (0, 260))), tolerance)
        assert not ours[1].weights[40:].any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("bias", "label"), [
    ([INF, 0.0, 1.0], 0), ([INF, INF, 1.0], 1), ([INF, 0.0, 1.0], 2), ([-INF] * 3, 1), ([0.0, -INF, 1.0], 1),
])  # fmt: skip
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_infinite_logits(bias, label, smoothing, dtype):
    bias = np.array(bias, dtype)
    loss, grads = linear_cross_entropy(
        np.ones((1, 1), dtype), np.zeros((3, 1), dtype), [label], bias=bias, label_smoothing=smoothing, grad=True
    )
    expected, expected_grad = ops.cross_entropy(bias[None], [label], label_smoothing=smoothing, grad=True)
    np.testing.assert_allclose(loss, expected, rtol=1e-7)
    np.testing.assert_allclose(grads.bias, expected_grad[0], rtol=1e-6, atol=1e-9)


def test_nan_stays_with_its_token(rng, small_tiles):
    hidden, weights, labels, _ = problem(rng, 90, 12, 50)
    clean, clean_grads = linear_cross_entropy(hidden, weights, labels, reduction="none", grad=True)
    hidden[7, 3] = NAN
    for soft_cap in (None, 1e9):
        loss, grads = linear_cross_entropy(hidden, weights, labels, soft_cap=soft_cap, reduction="none", grad=True)
        assert np.flatnonzero(np.isnan(loss)).tolist() == [7]
        assert np.flatnonzero(np.isnan(grads.hidden).any(axis=1)).tolist() == [7]
        others = np.arange(90) != 7
        np.testing.assert_allclose(loss[others], clean[others], rtol=1e-5)
        np.testing.assert_allclose(grads.hidden[others], clean_grads.hidden[others], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("change", "said"), [
    ({"labels": [0, 3]}, "'labels'.*in row 1|3 in row 1"),
    ({"labels": [0, -100]}, "-100 in row 1"),
    ({"labels": [0]}, "shape"),
    ({"hidden": np.zeros((2, 5))}, "as wide as the weights"),
    ({"weights": np.zeros((0, 2))}, "one class or more"),
    ({"weights": np.zeros(2)}, "2 dimensions"),
    ({"bias": np.zeros(2)}, r"of the shape \[3\]"),
    ({"sample_weights": [1.0, -1.0]}, "at least 0"),
    ({"hidden_grad_out": np.zeros((2, 2), np.float32)}, "hidden_grad_out"),
])  # fmt: skip
def test_wrong_data_is_named(change, said):
    data = {"hidden": np.zeros((2, 2)), "weights": np.zeros((3, 2)), "labels": [0, 1]}
    with pytest.raises(InputError, match=said):
        linear_cross_entropy(**{**data, **change})


@pytest.mark.parametrize("options", [
    {"label_smoothing": 1.1}, {"z_loss": -1.0}, {"z_loss": NAN}, {"z_loss": INF}, {"z_loss": True}, {"soft_cap": 0.0},
    {"soft_cap": INF}, {"reduction": "max"}, {"ignore_index": 0.5}, {"bias_grad_out": np.zeros(3)},
], ids=str)  # fmt: skip
def test_wrong_options_are_named(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        linear_cross_entropy(np.zeros((2, 2)), np.zeros((3, 2)), [0, 1], **options)


# Memory

MEMORY = """
import sys
import numpy as np
from pathlib import Path
from logitkit.ops.linear_cross_entropy import linear_cross_entropy

def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

N, D, V = 2048, 64, 131072
rng = np.random.default_rng(0)
hidden, weights = rng.normal(size=(N, D)).astype("f"), rng.normal(size=(V, D)).astype("f")
labels = rng.integers(0, V, N)
labels[::9] = -100
grads = {"hidden_grad_out": np.zeros_like(hidden), "weights_grad_out": np.zeros_like(weights)}
if sys.argv[1] == "value":
    grads = {}
# BLAS takes its own buffers once, at its first large product.
linear_cross_entropy(hidden, weights[:9000], np.minimum(labels, 8999), ignore_index=-100, grad=bool(grads))
before = held("VmRSS")
linear_cross_entropy(hidden, weights, labels, ignore_index=-100, **grads)
print(held("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of this process from /proc")
@pytest.mark.parametrize("what", ["value", "gradients"])
def test_extra_memory_is_bounded(what):
    """The logits of this problem are 1 GB."""
    done = subprocess.run([sys.executable, "-c", MEMORY, what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 64e6
