"""Fits stretched and shifted logits by regularised cross-entropy.

    minimise  mean CE(A x + b) + λ_b |b|² + λ_d |diag(A) - 1|² + λ_o |off-diagonal of A|²

    λ_b = λ_d = C / n,   λ_o = C (C - 1) / n

This is the structured matrix scaling of Berta, Holzmüller, Jordan and Bach ("Structured matrix scaling for multi-class
calibration", AISTATS 2026): the temperature is fitted first and without a penalty, and each further part is held to
what it adds to it, the more the more numbers it has. Leaving out the off-diagonal gives their structured vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.ops import cross_entropy, softmax
from logitkit.trust.calibrators.affine import AffineCalibrator, mixed_log_probs
from logitkit.trust.calibrators.base import Array
from logitkit.trust.temperature import fit_temperature

__all__ = ["fit_affine"]

Vector = NDArray[np.float64]

_MAX_ITERATIONS = 300
_LOSS_TOLERANCE = {4: 1e-7, 8: 1e-10}  # of the loss, in one iteration, by the bytes of a logit
_CORRECTIONS = 10
_HARDLY = 1e-2


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which numbers are free, and their penalties. A penalty of None fixes what it is for at its start."""

    bias: float | None = None
    scale: float | None = None  # one number for all classes
    diagonal: float | None = None
    off_diagonal: float | None = None


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
    x = mixed_log_probs(logits, T, mix)
    shape = {
        "bias-corrected temperature": _Shape(scale=0.0, bias=C / n),
        "vector": _Shape(diagonal=C / n, bias=C / n),
        "structured matrix": _Shape(diagonal=C / n, bias=C / n, off_diagonal=C * (C - 1) / n),
        # Dirichlet calibration penalises the off-diagonal and the bias alone; their strengths are those of above.
        "dirichlet": _Shape(diagonal=0.0, bias=C / n, off_diagonal=C * (C - 1) / n),
        # Beta calibration has no penalty; this one keeps rows that are all right from sending it to infinity.
        "beta": _Shape(diagonal=_HARDLY / n, bias=_HARDLY / n),
    }[method]
    scale, bias = _minimise(x, labels, sample_weights, shape, positive=method == "beta")
    return AffineCalibrator(method, C, T, mix, scale, bias)


def _minimise(
    x: Array, labels: NDArray[np.intp], sample_weights: Vector | None, shape: _Shape, *, positive: bool
) -> tuple[Vector, Vector]:
    """Return scale and bias at the least penalised loss, by L-BFGS in the coordinates of `_Coordinates`."""
    from scipy.optimize import minimize

    coordinates = _Coordinates(x, shape)
    z, gradient = np.empty_like(x), np.empty_like(x)

    def loss_and_slopes(u: Vector) -> tuple[float, Vector]:
        parts = coordinates.parts(u)
        _apply(x, parts, z)
        loss = cross_entropy(z, labels, sample_weights=sample_weights, grad=True, grad_out=gradient)[0]
        slopes = {}
        for name, part in parts.items():
            penalty = coordinates.penalties[name]
            loss += penalty * float(np.vdot(part, part))
            slopes[name] = _slope(name, gradient, x) + 2.0 * penalty * part
        return float(loss), coordinates.slopes(slopes)

    start = np.zeros(coordinates.size)
    first = loss_and_slopes(start)
    # L-BFGS-B begins with a step of length 1. The curvature is about 1 here, so the slope's own length is right.
    length = float(np.linalg.norm(first[1])) or 1.0

    def scaled(u: Vector) -> tuple[float, Vector]:
        loss, slopes = loss_and_slopes(length * u) if u.any() else first
        return loss, length * slopes

    bounds = [(lowest / length, np.inf) for lowest in coordinates.lowest()] if positive else None
    tolerance = _LOSS_TOLERANCE[x.dtype.itemsize]
    options = {"maxiter": _MAX_ITERATIONS, "ftol": tolerance, "gtol": 0.0, "maxcor": _CORRECTIONS}
    found = minimize(scaled, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    parts = coordinates.parts(length * np.asarray(found.x))
    return _matrix(parts), np.array(parts["bias"])


class _Coordinates:
    """Coordinates in which the curvature at the start is about 1 in every direction.

    The biases and the diagonal are divided by the root of their curvature. The curvature of the off-diagonal of row j
    is about h_j S + 2 λ_o, h_j = mean p_j (1 - p_j) and S = mean x xᵀ: it is turned to the axes of S first. Without
    that, the common fall of all log-probabilities, which acts like a bias, hides what each of them says.
    """

    def __init__(self, x: Array, shape: _Shape) -> None:
        C = x.shape[1]
        sizes = {"bias": (C,), "scale": (), "diagonal": (C,), "off_diagonal": (C, C)}
        self.penalties: dict[str, float] = {
            name: getattr(shape, name) for name in sizes if getattr(shape, name) is not None
        }
        self._shapes = {name: sizes[name] for name in self.penalties}
        p = softmax(x)
        spread = p * (1.0 - p)
        second: dict[str, Any] = {"bias": spread.mean(axis=0)}
        if "scale" in self.penalties:
            mean = np.einsum("nc,nc->n", p, x)
            second["scale"] = np.einsum("nc,nc,nc->", p, x, x) / len(x) - float(mean @ mean) / len(x)
        if "diagonal" in self.penalties:
            second["diagonal"] = np.einsum("nc,nc,nc->c", spread, x, x) / len(x)
        if "off_diagonal" in self.penalties:
            along, self._axes = np.linalg.eigh(np.dot(x.T, x).astype(np.float64) / len(x))
            second["off_diagonal"] = np.outer(second["bias"], np.maximum(along, 0.0))
        self._root = {
            name: np.sqrt(np.asarray(second[name], np.float64) + 2.0 * penalty + 1e-12)
            for name, penalty in self.penalties.items()
        }
        self.size = sum(int(root.size) for root in self._root.values())

    def parts(self, u: Vector) -> dict[str, Vector]:
        """Return what is added to the bias 0 and the matrix 1."""
        parts, start = {}, 0
        for name, root in self._root.items():
            part = u[start : start + root.size].reshape(self._shapes[name]) / root
            if name == "off_diagonal":
                part = part @ self._axes.T
                np.fill_diagonal(part, 0.0)
            parts[name] = part
            start += root.size
        return parts

    def slopes(self, slopes: dict[str, Vector]) -> Vector:
        """Return the slopes in these coordinates of what has these slopes in the parts."""
        found = []
        for name, root in self._root.items():
            slope = slopes[name]
            if name == "off_diagonal":
                np.fill_diagonal(slope, 0.0)
                slope = slope @ self._axes
            found.append((slope / root).ravel())
        return np.concatenate(found)

    def lowest(self) -> Vector:
        """Return the lowest coordinates at which no class is turned round: its scale stays at least 0."""
        return np.concatenate([
            (-root if name == "diagonal" else np.full(root.shape, -np.inf)).ravel() for name, root in self._root.items()
        ])  # fmt: skip


def _matrix(parts: dict[str, Vector]) -> Vector:
    """Return the scale `[]` or `[C]`, or the matrix `[C, C]`, that the parts come to."""
    scale = np.asarray(1.0 + parts.get("scale", parts.get("diagonal", np.zeros(()))))
    return scale if "off_diagonal" not in parts else np.diag(scale) + parts["off_diagonal"]


def _apply(x: Array, parts: dict[str, Vector], z_out: Array) -> None:
    """Write x stretched and shifted by the parts."""
    scale = _matrix(parts).astype(x.dtype)
    if scale.ndim == 2:
        np.dot(x, scale.T, out=z_out)
    else:
        np.multiply(x, scale, out=z_out)
    z_out += parts["bias"].astype(x.dtype)


def _slope(name: str, gradient: Array, x: Array) -> Vector:
    """Return the slope of the mean loss in one of the parts, from its gradient in the logits."""
    if name == "bias":
        slope = gradient.sum(axis=0, dtype=np.float64)
    elif name == "scale":
        slope = np.array(float(np.vdot(gradient, x)))
    elif name == "diagonal":
        slope = np.einsum("nc,nc->c", gradient, x).astype(np.float64)
    else:
        slope = np.dot(gradient.T, x).astype(np.float64)
    return np.asarray(slope)
