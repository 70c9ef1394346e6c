"""Calibrators that stretch and shift logits: temperature, bias, one scale a class, a whole matrix.

    log_probs = log_softmax(A x + b),   x = log((1 - ε) softmax(z / T) + ε / C)

One formula serves them all: A is one number, a vector or a matrix, and the softmax may be bent first (`fit_bend`). The
share ε that every class gets keeps x within reach of what the rows of fitting can tell: no class is further down than
log(ε / C), whatever the logits are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import check_finite, check_fraction, check_temperature
from logitkit.ops import log_softmax
from logitkit.trust.calibrators.base import Array, Calibrator

__all__ = ["LOG_ONE", "AffineCalibrator", "Bend", "mixed_log_probs"]

Bend = tuple[float, float]
"""(b, k) of log σ(log p + b - k log(1 - p))."""

LOG_ONE = -1e-6
"""No log-probability counts as larger than this where log(1 - p) is wanted."""


def mixed_log_probs(logits: Array, temperature: float, mix: float, bend: Bend | None = None) -> Array:
    """Return log((1 - mix) softmax(logits / temperature) + mix / C), in the logits' type; -inf only where mix is 0."""
    x: Array = log_softmax(logits, temperature=temperature)
    if bend is not None:
        knee, lean = (x.dtype.type(value) for value in bend)
        rest = np.log(-np.expm1(np.minimum(x, x.dtype.type(LOG_ONE))))
        x = np.asarray(log_softmax(-np.logaddexp(x.dtype.type(0.0), -(x + knee - lean * rest))))
    if mix > 0.0:
        np.exp(x, out=x)
        x *= x.dtype.type(1.0 - mix)
        x += x.dtype.type(mix / x.shape[1])
        np.log(x, out=x)
    return x


@dataclass(frozen=True, eq=False)
class AffineCalibrator(Calibrator):
    """log_probs = log_softmax(scale * x + bias), or with `scale @ x`.

    Attributes:
        method: "none", "temperature", "bias-corrected temperature", "vector", "beta", "shared beta", "half structured
            matrix", "structured matrix", "shared beta matrix" or "dirichlet".
        n_classes: C.
        temperature: T, which divides the logits; greater than 0.
        mix: ε in [0, 1), the share that all classes get alike before they are stretched and shifted.
        scale: float64 `[]`, `[C]` or `[C, C]`.
        bias: float64 `[C]`.
        bend: what is done to the softmax first, or None.
    """

    method: str
    n_classes: int
    temperature: float
    mix: float
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    bend: Bend | None = None

    layout: ClassVar[str] = "affine"

    @classmethod
    def plain(cls, method: str, n_classes: int, temperature: float = 1.0) -> AffineCalibrator:
        """Return one that only divides by a temperature."""
        return cls(method, n_classes, float(temperature), 0.0, np.ones(()), np.zeros(n_classes))

    def half_way(self, method: str) -> AffineCalibrator:
        """Return what lies half-way between the temperature alone and this one: half of each stretch and shift."""
        identity = np.eye(self.n_classes) if self.scale.ndim == 2 else 1.0
        scale = np.asarray(0.5 * (self.scale + identity))
        return replace(self, method=method, scale=scale, bias=0.5 * self.bias)

    @property
    def only_divides(self) -> bool:
        """Whether it does no more than to divide the logits by the temperature."""
        return (
            self.bend is None and self.mix == 0.0 and self.scale.ndim == 0 and self.scale == 1.0 and not self.bias.any()
        )

    def _log_probs(self, logits: Array) -> Array:
        x = mixed_log_probs(logits, self.temperature, self.mix, self.bend)
        if self.scale.ndim == 0 and self.scale == 1.0 and not self.bias.any():
            return x
        scale, bias = self.scale.astype(x.dtype), self.bias.astype(x.dtype)
        z = x @ scale.T if scale.ndim == 2 else np.multiply(x, scale, out=x)
        z += bias
        return np.asarray(log_softmax(z))

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the facts (JSON) that `restore` takes."""
        return {"scale": self.scale, "bias": self.bias}, {
            "temperature": self.temperature,
            "mix": self.mix,
            "bend": None if self.bend is None else list(self.bend),
        }

    @classmethod
    def restore(cls, method: str, n_classes: int, tensors: dict[str, Array], facts: dict[str, Any]) -> AffineCalibrator:
        """Return what `parts` took apart, once it is checked."""
        scale, bias = tensors["scale"], tensors["bias"]
        shapes = ((), (n_classes,), (n_classes, n_classes))
        if set(tensors) != {"scale", "bias"} or scale.shape not in shapes or bias.shape != (n_classes,):
            raise ValueError("its tensors do not fit together")
        if not all(array.dtype == np.float64 and np.isfinite(array).all() for array in (scale, bias)):
            raise ValueError("a number of it is not a finite float64")
        temperature, mix = facts["temperature"], facts["mix"]
        if check_fraction(mix, "mix", "load_calibrator") == 1.0:
            raise ValueError("mix must be below 1")
        temperature, bend = check_temperature(temperature, "load_calibrator"), facts["bend"]
        if bend is not None:
            knee, lean = (check_finite(value, "bend", "load_calibrator") for value in bend)
            bend = (knee, lean)
        return cls(method, n_classes, temperature, float(mix), scale, bias, bend)
