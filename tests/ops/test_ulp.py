"""How far results are from the exact ones, in units in the last place, against mpmath and extended precision."""

import mpmath
import numpy as np
import pytest

from logitkit import ops

SIZES = (2, 3, 31, 32, 1000, 262_144)
SPREADS = (1.0, 10.0, 100.0)
extended = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no extended precision here")


def ulps(result, exact, dtype):
    """Distance in ulps of `dtype` at the exact value; the subnormal ones are all as far apart as the smallest."""
    spacing = np.spacing(np.maximum(np.abs(exact).astype(dtype), np.finfo(dtype).tiny)).astype(np.longdouble)
    return float(np.max(np.abs(result.astype(np.longdouble) - exact) / spacing))


def exact_rows(logits):
    """Softmax, log-softmax and logsumexp in extended precision."""
    z = logits.astype(np.longdouble)
    at = z.argmax(axis=1)[:, None]
    maximum = np.take_along_axis(z, at, 1)
    exps = np.exp(z - maximum)
    np.put_along_axis(exps, at, 0, 1)
    rest = exps.sum(axis=1, keepdims=True)
    np.put_along_axis(exps, at, 1, 1)
    return exps / (1 + rest), z - maximum - np.log1p(rest), (maximum + np.log1p(rest))[:, 0]


@extended
@pytest.mark.parametrize("C", SIZES)
@pytest.mark.parametrize("spread", SPREADS)
def test_float32(C, spread, rng):
    logits = rng.normal(0, spread, (max(1, 20_000 // C), C)).astype(np.float32)
    probs, log_probs, sums = exact_rows(logits)
    assert ulps(ops.softmax(logits), probs, np.float32) <= 1.6
    assert ulps(ops.log_softmax(logits), log_probs, np.float32) <= 1.6
    # A logsumexp near 0 is a difference of larger numbers: its error is counted at the size of 1.
    np.testing.assert_allclose(ops.logsumexp(logits), sums.astype(float), rtol=6.2e-8, atol=1e-8)
    loss, grad = ops.cross_entropy(logits, logits.argmax(1), reduction="none", grad=True)
    np.testing.assert_allclose(loss, -log_probs.max(axis=1).astype(float), rtol=2e-7, atol=1e-44 * C)
    one_hot = np.zeros_like(probs)
    one_hot[np.arange(len(logits)), logits.argmax(1)] = 1
    np.testing.assert_allclose(grad.astype(float), (probs - one_hot).astype(float), rtol=2e-7, atol=6e-8)


@extended
@pytest.mark.parametrize("C", SIZES)
@pytest.mark.parametrize("spread", SPREADS)
def test_float64(C, spread, rng):
    logits = rng.normal(0, spread, (max(1, 20_000 // C), C))
    probs, log_probs, sums = exact_rows(logits)
    # logit - maximum is rounded once, and exp magnifies that by the distance.
    distance = np.minimum(logits.max(axis=1, keepdims=True) - logits, 746).max()
    assert ulps(ops.softmax(logits), probs, np.float64) <= 4 + distance
    # A relative error of the total, a few ulp, is an absolute one of its logarithm: 8 ulp of 1.
    atol = 8 * np.finfo(float).eps
    np.testing.assert_allclose(ops.log_softmax(logits), log_probs.astype(float), rtol=4e-16, atol=atol)
    np.testing.assert_allclose(ops.logsumexp(logits), sums.astype(float), rtol=4e-16, atol=1e-15)


@pytest.mark.parametrize("spread", SPREADS)
def test_float32_against_mpmath(spread, rng):
    logits = rng.normal(0, spread, (1, 300)).astype(np.float32)
    with mpmath.workdps(50):
        exps = [mpmath.exp(mpmath.mpf(float(z))) for z in logits[0]]
        total = mpmath.fsum(exps)
        probs = np.array([[np.longdouble(mpmath.nstr(e / total, 25)) for e in exps]])
        log_probs = np.array([[np.longdouble(mpmath.nstr(mpmath.log(e / total), 25)) for e in exps]])
    assert ulps(ops.softmax(logits), probs, np.float32) <= 1.6
    assert ulps(ops.log_softmax(logits), log_probs, np.float32) <= 0.6


@pytest.mark.parametrize(("dtype", "ulp"), [(np.float32, 2**-23), (np.float64, 2**-52)])
def test_every_size_of_exponential(dtype, ulp):
    """Sweep the distance from the maximum over all that is not 0, subnormal numbers included."""
    steps = np.linspace(0, -110 if dtype == np.float32 else -750, 30_001).astype(dtype)
    logits = np.stack([np.zeros_like(steps), steps], axis=1)
    exact = exact_rows(logits)[0]
    result = ops.softmax(logits)
    normal = exact[:, 1] > np.finfo(dtype).tiny
    bound = 1.0 if dtype == np.float32 else 3.0
    assert np.max(np.abs(result[normal, 1] / exact[normal, 1] - 1)) <= bound * ulp
    smallest = np.finfo(dtype).smallest_subnormal
    assert np.max(np.abs(result[~normal, 1] - exact[~normal, 1])) <= 1.01 * smallest
