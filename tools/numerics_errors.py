"""How far each function of ops is from the exact result, in ulp: measured against extended precision.

The reference computes with 64-bit mantissas and is itself compared with mpmath at 50 digits. An ulp is the distance
from the exact value to the next number of the result's type; subnormal numbers are all as far apart as the smallest.
Where a result is a difference that may cancel, its ulp is that of the larger of the two terms: `Measure.size` says so.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mpmath
import numpy as np
from numerics_exact import MEASURES, exact

CLASSES = (2, 3, 10, 31, 32, 1000, 32_768, 262_144)
SPREADS = (1.0, 10.0, 100.0)
DTYPES = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
SMALLEST = {"float64": (52, -1022), "float32": (23, -126), "float16": (10, -14), "bfloat16": (7, -126)}
LOGITS = 20_000  # in a case, at least


def ulps(result: Any, right: Any, size: Any, dtype: np.dtype[Any]) -> float:
    """Return the largest distance of a result from the right one, in ulp of `dtype` at `size`."""
    bits, lowest = SMALLEST[dtype.name]
    _, exponent = np.frexp(np.abs(size))
    spacing = np.ldexp(np.longdouble(1), np.maximum(exponent - 1, lowest) - bits)
    with np.errstate(invalid="ignore"):
        error = np.abs(np.asarray(result).astype(np.longdouble) - right) / spacing
    return float(np.max(error))


def measure(only: tuple[str, ...] = (), classes: tuple[int, ...] = CLASSES) -> dict[tuple[str, str, int, float], float]:
    """Return the largest error for each function, dtype, C and spread."""
    found = {}
    for C in classes:
        for spread in SPREADS:
            rng = np.random.default_rng([C, int(spread)])
            drawn = rng.normal(0.0, spread, (max(1, LOGITS // C), C))
            labels = rng.integers(0, C, len(drawn))
            for dtype in DTYPES:
                logits = drawn.astype(dtype)
                reference = exact(logits, labels)
                for one in MEASURES:
                    if not only or one.name in only:
                        right = one.exact(reference)
                        size = right if one.size is None else one.size(reference)
                        result = one.call(logits, labels)
                        found[one.name, dtype.name, C, spread] = ulps(result, right, size, dtype)
    return found


def check_reference() -> float:
    """Return how far the references are from mpmath at 50 digits, in ulp of float64: it should be far below 1."""
    worst = 0.0
    for spread in SPREADS:
        logits = np.random.default_rng(int(spread)).normal(0.0, spread, (1, 1000))
        reference = exact(logits, np.zeros(1, int))
        with mpmath.workdps(50):
            z = [mpmath.mpf(float(value)) for value in logits[0]]
            total = mpmath.fsum(mpmath.exp(value) for value in z)
            pairs = [(mpmath.exp(value) / total, value - mpmath.log(total)) for value in z]
            probs, logs = (
                np.array([[np.longdouble(mpmath.nstr(v, 30)) for v in half]]) for half in zip(*pairs, strict=True)
            )
        for right, found in ((probs, reference.probs), (logs, reference.log_probs)):
            worst = max(worst, ulps(found, right, right, np.dtype(np.float64)))
    return worst
