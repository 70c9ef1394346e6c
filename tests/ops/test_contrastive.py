"""Contrastive losses in tiles: equal to plain loops and to PyTorch, in any cut, with all gradients."""

import subprocess
import sys

import numpy as np
import pytest

import naive_contrastive as naive
from logitkit.errors import InputError, OptionError
from logitkit.ops import _token_chunks as sizes
from logitkit.ops.info_nce import info_nce
from logitkit.ops.linear_cross_entropy import linear_cross_entropy
from logitkit.ops.sigmoid_pairwise import sigmoid_pairwise_loss
from logitkit.ops.supervised_contrastive import supervised_contrastive_loss

NAN, INF = np.nan, np.inf
PAIRS = {
    "one way": (info_nce, {}),
    "both ways": (info_nce, {"symmetric": True}),
    "sigmoid": (sigmoid_pairwise_loss, {"temperature": 0.5, "bias": -1.0}),
}
SHAPES = [(1, 1), (2, 3), (23, 4), (61, 5), (100, 3)]


@pytest.fixture
def small_tiles(monkeypatch):
    """Cut small batches as large ones are cut."""
    for name, size in {"CHUNK_BYTES": 9_000, "GROUP": 300, "PIECE": 100, "PRODUCT": 50, "VALUE_TOKENS": 17}.items():
        monkeypatch.setattr(sizes, name, size)


def pairs(rng, N, D, dtype=np.float64):
    return rng.normal(0, 0.5, (N, D)).astype(dtype), rng.normal(0, 0.5, (N, D)).astype(dtype)


def by_loops(name, a, p, options):
    if name == "sigmoid":
        return naive.sigmoid_pairwise(a, p, options["temperature"], options["bias"])
    tau = options.get("temperature", 0.07)
    down = naive.info_nce(a, p, tau)
    return down if name == "one way" else np.mean([down, naive.info_nce(p, a, tau)], axis=0)


def check_slopes(function, arrays, scalars, grads, **options):
    """Compare every gradient with finite differences of the mean."""
    fields = grads._asdict()
    for name in (*arrays, *scalars):
        grad = np.asarray(fields[name])
        for index in np.ndindex(grad.shape):
            slopes = []
            for step in (1e-5, -1e-5):
                moved = {k: np.array(v) for k, v in arrays.items()}
                numbers = dict(scalars)
                if name in arrays:
                    moved[name][index] += step
                else:
                    numbers[name] += step
                slopes.append(
                    function(*list(moved.values())[:2], **dict(list(moved.items())[2:]), **numbers, **options)
                )
            np.testing.assert_allclose(grad[index], (slopes[0] - slopes[1]) / 2e-5, rtol=1e-6, atol=1e-8, err_msg=name)


# Pairs


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_plain_loops(rng, small_tiles, name, shape):
    function, options = PAIRS[name]
    a, p = pairs(rng, *shape)
    reference = by_loops(name, a.tolist(), p.tolist(), options)
    rows = function(a, p, reduction="none", **options)
    np.testing.assert_allclose(rows, reference, rtol=1e-11, atol=1e-13)
    for reduction, value in (("mean", np.mean(reference)), ("sum", np.sum(reference))):
        alone = function(a, p, reduction=reduction, **options)
        loss, _ = function(a, p, reduction=reduction, grad=True, **options)
        np.testing.assert_allclose([loss, alone], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("normalize", [False, True])
def test_slopes_of_pairs(rng, small_tiles, name, normalize):
    function, options = PAIRS[name]
    a, p = pairs(rng, 20, 2)
    scalars = {"temperature": 0.3} | ({"bias": -0.5} if name == "sigmoid" else {})
    options = {k: v for k, v in options.items() if k not in scalars} | {"normalize": normalize}
    options["sample_weights"] = np.arange(20) % 3
    _, grads = function(a, p, grad=True, **scalars, **options)
    check_slopes(function, {"anchors": a, "positives": p}, scalars, grads, **options)


def test_negatives_of_all(rng, small_tiles):
    a, p = pairs(rng, 20, 2)
    q = rng.normal(size=(7, 2))
    rows = info_nce(a, p, negatives=q, reduction="none")
    np.testing.assert_allclose(rows, naive.info_nce(a, p, 0.07, q), rtol=1e-11)
    _, grads = info_nce(a, p, negatives=q, temperature=0.3, normalize=True, grad=True)
    arrays = {"anchors": a, "positives": p, "negatives": q}
    check_slopes(info_nce, arrays, {"temperature": 0.3}, grads, normalize=True)


def test_one_way_is_a_linear_cross_entropy(rng):
    a, p = pairs(rng, 30, 4)
    loss, grads = info_nce(a, p, temperature=0.5, grad=True)
    same, linear = linear_cross_entropy(a / 0.5, p, np.arange(30), grad=True)
    np.testing.assert_allclose(loss, same, rtol=1e-13)
    np.testing.assert_allclose(grads.anchors, linear.hidden / 0.5, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(grads.positives, linear.weights, rtol=1e-11, atol=1e-15)


def test_both_ways_is_the_mean_of_two(rng, small_tiles):
    a, p = pairs(rng, 45, 4)
    loss, grads = info_nce(a, p, symmetric=True, grad=True)
    down, down_grads = info_nce(a, p, grad=True)
    up, up_grads = info_nce(p, a, grad=True)
    np.testing.assert_allclose(loss, (down + up) / 2, rtol=1e-12)
    np.testing.assert_allclose(grads.anchors, (down_grads.anchors + up_grads.positives) / 2, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(grads.positives, (down_grads.positives + up_grads.anchors) / 2, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(grads.temperature, (down_grads.temperature + up_grads.temperature) / 2, rtol=1e-11)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_clip_in_pytorch(rng, small_tiles, symmetric, dtype):
    torch = pytest.importorskip("torch")
    a, p = pairs(rng, 70, 6, dtype)
    tensors = [torch.from_numpy(array.astype("f8")).requires_grad_() for array in (a, p)]
    tau = torch.tensor(0.07, dtype=torch.float64, requires_grad=True)
    x, y = (torch.nn.functional.normalize(tensor, dim=1) for tensor in tensors)
    logits, labels = x @ y.T / tau, torch.arange(70)
    theirs = torch.nn.functional.cross_entropy(logits, labels)
    if symmetric:
        theirs = (theirs + torch.nn.functional.cross_entropy(logits.T, labels)) / 2
    theirs.backward()
    loss, grads = info_nce(a, p, symmetric=symmetric, normalize=True, grad=True)
    tolerance = {"float64": 1e-11, "float32": 1e-4, "float16": 2e-3}[dtype]
    np.testing.assert_allclose(loss, theirs.item(), rtol=min(tolerance, 1e-5))
    np.testing.assert_allclose(grads.temperature, tau.grad.item(), rtol=min(tolerance, 1e-4))
    for grad, tensor, array in zip(grads, tensors, (a, p), strict=False):
        assert grad.dtype == array.dtype
        exact = tensor.grad.numpy()
        np.testing.assert_allclose(grad.astype("f8"), exact, rtol=tolerance, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("name", PAIRS)
def test_threads_change_no_bit(rng, small_tiles, threads, name):
    function, options = PAIRS[name]
    a, p = pairs(rng, 100, 8, np.float32)
    results = []
    for n in (1, 2, 5):
        threads(n)
        loss, grads = function(a, p, grad=True, **options)
        results.append((loss, grads.anchors.tobytes(), grads.positives.tobytes(), grads.temperature))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", PAIRS)
def test_large_products_neither_overflow_nor_lose_the_gradient(rng, name):
    function, options = PAIRS[name]
    a, p = pairs(rng, 9, 3, np.float32)
    loss, grads = function(a * 1e3, p * 1e3, grad=True, **options)
    assert np.isfinite(loss)
    assert all(np.isfinite(grad).all() for grad in grads if grad is not None)
    exact = by_loops(name, (a * 1e3).astype("f8"), (p * 1e3).astype("f8"), options)
    np.testing.assert_allclose(loss, np.mean(exact), rtol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_no_pairs_and_nan(rng, small_tiles, name):
    function, options = PAIRS[name]
    loss, grads = function(np.empty((0, 3)), np.empty((0, 3)), grad=True, **options)
    assert (loss, grads.anchors.shape, grads.temperature) == (0.0, (0, 3), 0.0)
    assert function(np.empty((0, 3)), np.empty((0, 3)), reduction="none", **options).shape == (0,)
    a, p = pairs(rng, 40, 3)
    clean = function(a, p, reduction="none", **options)
    a[7] = NAN
    rows = function(a, p, reduction="none", **options)
    if name == "both ways":
        assert np.isnan(rows).all()
    else:
        assert np.flatnonzero(np.isnan(rows)).tolist() == [7]
        np.testing.assert_allclose(np.delete(rows, 7), np.delete(clean, 7), rtol=1e-12)
    assert np.isnan(function(a, p, grad=True, **options)[1].anchors[7]).all()


def test_a_row_of_zeros_stays(rng):
    a, p = pairs(rng, 5, 3)
    a[2] = 0.0
    loss, grads = info_nce(a, p, normalize=True, grad=True)
    assert np.isfinite(loss)
    assert not grads.anchors[2].any()


# Labels


@pytest.mark.parametrize("shape", SHAPES)
def test_supervised_by_loops(rng, small_tiles, shape):
    x, labels = rng.normal(0, 0.5, shape), rng.integers(-3, 9, shape[0])
    reference, counted = naive.supervised_contrastive(x.tolist(), labels.tolist(), 0.2)
    rows = supervised_contrastive_loss(x, labels, temperature=0.2, reduction="none")
    np.testing.assert_allclose(rows, reference, rtol=1e-11, atol=1e-13)
    loss, grads = supervised_contrastive_loss(x, labels, temperature=0.2, grad=True)
    np.testing.assert_allclose(loss, np.sum(reference) / max(counted, 1), rtol=1e-12)
    assert np.isfinite(grads.embeddings).all()


@pytest.mark.parametrize("normalize", [False, True])
def test_slopes_of_supervised(rng, small_tiles, normalize):
    x, labels = rng.normal(0, 0.5, (23, 2)), rng.integers(0, 7, 23)
    labels[4] = 99
    options = {"normalize": normalize, "sample_weights": np.arange(23) % 4}
    _, grads = supervised_contrastive_loss(x, labels, temperature=0.3, grad=True, **options)

    def loss(x, _, **more):
        return supervised_contrastive_loss(x, labels, **more)

    fields = {"embeddings": x, "unused": np.empty(0)}
    grads_with_unused = type("G", (), {"_asdict": lambda self: {**grads._asdict(), "unused": np.empty(0)}})()
    check_slopes(loss, fields, {"temperature": 0.3}, grads_with_unused, **options)


def test_labels_that_are_all_different_cost_nothing(rng):
    loss, grads = supervised_contrastive_loss(rng.normal(size=(6, 2)), np.arange(6), grad=True)
    assert loss == 0.0
    assert not grads.embeddings.any()


def test_two_views_of_each_are_symmetric_info_nce_without_the_rest(rng):
    """With one positive each, the loss is the cross-entropy over all others."""
    x = rng.normal(0, 0.5, (12, 3))
    labels = np.repeat(np.arange(6), 2)
    logits = x @ x.T / 0.07
    np.fill_diagonal(logits, -np.inf)
    partner = np.arange(12) ^ 1
    rows = supervised_contrastive_loss(x, labels, reduction="none")
    exact = np.log(np.exp(logits).sum(1)) - logits[np.arange(12), partner]
    np.testing.assert_allclose(rows, exact, rtol=1e-10, atol=1e-13)


# Errors and memory


@pytest.mark.parametrize(("function", "data", "said"), [
    (info_nce, ([[1.0]], [[1.0, 2.0]]), "1 wide"),
    (info_nce, ([[1.0]], [[1.0], [2.0]]), "shape"),
    (info_nce, ([1.0], [1.0]), "2 dimensions"),
    (sigmoid_pairwise_loss, ([[1.0]], [[1.0], [2.0]]), "shape"),
    (supervised_contrastive_loss, ([[1.0]], [1, 2]), "labels"),
    (supervised_contrastive_loss, ([[1.0]], [0.5]), "integers"),
])  # fmt: skip
def test_wrong_data_is_named(function, data, said):
    with pytest.raises(InputError, match=said):
        function(*data)


@pytest.mark.parametrize(("function", "options"), [
    (info_nce, {"temperature": 0.0}), (info_nce, {"temperature": INF}), (info_nce, {"reduction": "all"}),
    (info_nce, {"negatives": [[1.0]], "symmetric": True}), (sigmoid_pairwise_loss, {"bias": NAN}),
    (sigmoid_pairwise_loss, {"temperature": -1.0}), (sigmoid_pairwise_loss, {"reduction": None}),
], ids=str)  # fmt: skip
def test_wrong_options_are_named(function, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        function([[1.0]], [[1.0]], **options)


MEMORY = """
import sys
import numpy as np
from pathlib import Path
from logitkit.ops.info_nce import info_nce
from logitkit.ops.sigmoid_pairwise import sigmoid_pairwise_loss

def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

work = {
    "one way": lambda a: info_nce(a, a, grad=True),
    "both ways": lambda a: info_nce(a, a, symmetric=True, grad=True),
    "sigmoid": lambda a: sigmoid_pairwise_loss(a, a, grad=True),
}[sys.argv[1]]
a = np.random.default_rng(0).normal(size=(12000, 16)).astype("f")
work(a[:2000])
before = held("VmRSS")
work(a)
print(held("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of this process from /proc")
@pytest.mark.parametrize("name", PAIRS)
def test_extra_memory_is_bounded(name):
    """The logits of this problem are 576 MB. What BLAS keeps for itself counts here too."""
    done = subprocess.run([sys.executable, "-c", MEMORY, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 85e6
