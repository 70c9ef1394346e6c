"""Fits stretched and shifted logits by regularised cross-entropy.

    minimise  mean CE(A x + b) + λ_b |b|² + λ_d |diag(A) - 1|² + λ_o |off-diagonal of A|²

    λ_b = λ_d = C / n,   λ_o = C (C - 1) / n

This is the structured matrix scaling of Berta, Holzmüller, Jordan and Bach ("Structured matrix scaling for multi-class
calibration", AISTATS 2026): the temperature is fitted first and without a penalty, and each further part is held to
what it adds to it, the more the more numbers it has. Leaving out the off-diagonal gives their structured vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.calibrators.affine import AffineCalibrator, mixed_log_probs
from logitkit.trust.calibrators.affine_objective import Coordinates, Objective, scale_of
from logitkit.trust.calibrators.base import Array
from logitkit.trust.calibrators.descent import descend
from logitkit.trust.calibrators.fit_bend import fit_bend
from logitkit.trust.temperature import fit_temperature

__all__ = ["fit_affine"]

Vector = NDArray[np.float64]

_LOSS_TOLERANCE = {4: 1e-5, 8: 1e-10}  # of the loss, in one iteration, by the bytes of a logit
_HARDLY = 1e-2


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which numbers are free, and their penalties. A penalty of None fixes what it is for at its start."""

    bias: float | None = None
    scale: float | None = None  # one number for all classes
    diagonal: float | None = None
    off_diagonal: float | None = None

    def penalties(self) -> dict[str, float]:
        """Return the penalties of the parts that are free."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: float(penalty) for name, penalty in found.items() if penalty is not None}


def fit_affine(
    method: str, logits: Array, labels: NDArray[np.intp], sample_weights: Vector | None = None
) -> AffineCalibrator:
    """Return the calibrator of this method; the arguments are checked already.

    Args:
        method: one that `AffineCalibrator` names; "beta" for two classes.
        logits: `[N, C]` contiguous float32 or float64, no NaN.
        labels: `[N]`.
        sample_weights: `[N]` or None.
    """
    C = logits.shape[1]
    if method == "half structured matrix":
        whole = fit_affine("structured matrix", logits, labels, sample_weights)
        return whole.half_way(method)
    if method == "none":
        return AffineCalibrator.plain(method, C)
    n = float(len(labels)) if sample_weights is None else float(sample_weights.sum())
    if method in ("dirichlet", "beta"):
        T = 1.0
    else:
        T = fit_temperature(logits, labels, sample_weights=sample_weights)
    if method == "temperature" or n == 0.0 or C == 1:
        return AffineCalibrator.plain(method, C, T)
    mix = 1.0 / (n + 1.0)
    bend = None
    if method in ("shared beta", "shared beta matrix"):
        T, bend = fit_bend(logits, labels, sample_weights, T)
    if method == "shared beta":
        return AffineCalibrator(method, C, T, mix, np.ones(()), np.zeros(C), bend)
    x = mixed_log_probs(logits, T, mix, bend)
    shape = {
        "bias-corrected temperature": _Shape(scale=0.0, bias=C / n),
        "vector": _Shape(diagonal=C / n, bias=C / n),
        "structured matrix": _Shape(diagonal=C / n, bias=C / n, off_diagonal=C * (C - 1) / n),
        "shared beta matrix": _Shape(diagonal=C / n, bias=C / n, off_diagonal=C * (C - 1) / n),
        # Dirichlet calibration penalises the off-diagonal and the bias alone; their strengths are those of above.
        "dirichlet": _Shape(diagonal=0.0, bias=C / n, off_diagonal=C * (C - 1) / n),
        # Beta calibration has no penalty; this one keeps rows that are all right from sending it to infinity.
        "beta": _Shape(diagonal=_HARDLY / n, bias=_HARDLY / n),
    }[method]
    scale, bias = _minimise(x, labels, sample_weights, shape)
    if method == "beta" and (scale < 0.0).any():  # a probability that rises must not fall: the other one alone decides
        kept = scale >= 0.0
        scale, bias = _minimise(np.ascontiguousarray(x * kept.astype(x.dtype)), labels, sample_weights, shape)
        scale = np.where(kept, np.maximum(scale, 0.0), 0.0)
    return AffineCalibrator(method, C, T, mix, scale, bias, bend)


def _minimise(
    x: Array, labels: NDArray[np.intp], sample_weights: Vector | None, shape: _Shape
) -> tuple[Vector, Vector]:
    """Return scale and bias at the least penalised loss."""
    coordinates = Coordinates(x, shape.penalties())
    objective = Objective(x, labels, np.empty(0) if sample_weights is None else sample_weights, coordinates)
    parts = coordinates.parts(descend(objective, np.zeros(coordinates.size), _LOSS_TOLERANCE[x.dtype.itemsize]))
    return scale_of(parts), np.array(parts["bias"])
