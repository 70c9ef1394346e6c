"""What the fit of stretched and shifted logits minimises: the penalised loss, and coordinates that suit it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.kernels import run_blocks, split
from logitkit.ops import cross_entropy, softmax
from logitkit.trust.calibrators.base import Array

__all__ = ["Coordinates", "Objective", "scale_of"]

Vector = NDArray[np.float64]

_BLOCKS = 16  # of rows, each with slopes of its own


class Coordinates:
    """Coordinates in which the curvature at the start is about 1 in every direction.

    Each part is divided by the root of its curvature, so that a bias, which all rows know, and the far corner of a
    matrix, which hardly any row knows, take steps that fit them.

    Args:
        x: `[N, C]`.
        penalties: of the parts that are free: "bias", "scale" (one number), "diagonal", "off_diagonal".
    """

    def __init__(self, x: Array, penalties: dict[str, float]) -> None:
        C = x.shape[1]
        sizes = {"bias": (C,), "scale": (), "diagonal": (C,), "off_diagonal": (C, C)}
        self.penalties = penalties
        p = softmax(x)
        spread = p * (1.0 - p)
        second: dict[str, Any] = {"bias": spread.mean(axis=0)}
        if "scale" in penalties:
            mean = np.einsum("nc,nc->n", p, x)
            second["scale"] = np.einsum("nc,nc,nc->", p, x, x) / len(x) - float((mean * mean).mean())
        if "diagonal" in penalties:
            second["diagonal"] = np.einsum("nc,nc,nc->c", spread, x, x) / len(x)
        if "off_diagonal" in penalties:
            second["off_diagonal"] = np.outer(second["bias"], np.einsum("nc,nc->c", x, x) / len(x))
        self._root = {
            name: np.sqrt(np.asarray(second[name], np.float64) + 2.0 * penalty + 1e-12).reshape(sizes[name])
            for name, penalty in penalties.items()
        }
        self.size = sum(int(root.size) for root in self._root.values())

    def parts(self, u: Vector) -> dict[str, Vector]:
        """Return what is added to the bias 0 and the matrix 1."""
        parts, start = {}, 0
        for name, root in self._root.items():
            parts[name] = u[start : start + root.size].reshape(root.shape) / root
            start += root.size
        if "off_diagonal" in parts:
            np.fill_diagonal(parts["off_diagonal"], 0.0)
        return parts

    def slopes(self, slopes: dict[str, Vector]) -> Vector:
        """Return the slopes in these coordinates of what has these slopes in the parts."""
        if "off_diagonal" in slopes:
            np.fill_diagonal(slopes["off_diagonal"], 0.0)
        return np.concatenate([(slopes[name] / root).ravel() for name, root in self._root.items()])


class Objective:
    """The mean weighted cross-entropy of `A x + b` and the penalties, with slopes, as a function of the coordinates.

    Args:
        x: `[N, C]` contiguous float32 or float64, finite.
        labels: `[N]`.
        weights: `[N]`, or empty.
        coordinates: which parts are free, and their penalties.
    """

    def __init__(self, x: Array, labels: NDArray[np.intp], weights: Vector, coordinates: Coordinates) -> None:
        self.coordinates = coordinates
        self._x, self._labels, self._weights = read_only(x), read_only(labels), read_only(np.ascontiguousarray(weights))
        self._total = float(weights.sum()) if weights.size else float(len(x))
        self._matrix = "off_diagonal" in coordinates.penalties
        room = x[:0] if self._matrix else x
        self._z, self._gradient = np.empty_like(room), np.empty_like(room)

    def __call__(self, u: Vector) -> tuple[float, Vector]:
        """Return the penalised loss at these coordinates, and its slopes."""
        parts = self.coordinates.parts(u)
        loss, slopes = self._with_matrix(parts) if self._matrix else self._with_scale(parts)
        for name, part in parts.items():
            penalty = self.coordinates.penalties[name]
            loss += penalty * float((part * part).sum())
            slopes[name] = slopes[name] + 2.0 * penalty * part
        return loss, self.coordinates.slopes(slopes)

    def _with_matrix(self, parts: dict[str, Vector]) -> tuple[float, dict[str, Vector]]:
        from logitkit.kernels.affine import TILE, affine_cross_entropy

        x, labels, weights = self._x, self._labels, self._weights
        N, C = x.shape
        blocks = split(N, -(-N // (_BLOCKS * TILE)) * TILE)
        transposed = read_only(np.ascontiguousarray(scale_of(parts).T, x.dtype))
        bias = read_only(parts["bias"].astype(x.dtype))

        def work(start: int, stop: int) -> tuple[float, Array, Vector]:
            matrix_slopes, bias_slopes = np.zeros((C, C), x.dtype), np.zeros(C)
            scratch = np.empty((2, TILE, C), x.dtype)
            loss = affine_cross_entropy(
                x[start:stop], labels[start:stop], weights[start:stop], transposed, bias, scratch[0], scratch[1],
                matrix_slopes, bias_slopes,
            )  # fmt: skip
            return loss, matrix_slopes, bias_slopes

        found = run_blocks(work, blocks)
        matrix_slopes = np.zeros((C, C))
        for one in found:
            matrix_slopes += one[1]
        matrix_slopes = np.ascontiguousarray(matrix_slopes.T) / self._total
        bias_slopes = np.array([one[2] for one in found]).sum(axis=0) / self._total
        diagonal = np.diagonal(matrix_slopes).copy()
        slopes = {"bias": bias_slopes, "diagonal": diagonal, "off_diagonal": matrix_slopes}
        return math.fsum(one[0] for one in found) / self._total, {name: slopes[name] for name in parts}

    def _with_scale(self, parts: dict[str, Vector]) -> tuple[float, dict[str, Vector]]:
        z, gradient = self._z, self._gradient
        np.multiply(self._x, scale_of(parts).astype(z.dtype), out=z)
        z += parts["bias"].astype(z.dtype)
        weights: Any = self._weights if self._weights.size else None
        loss = float(cross_entropy(z, self._labels, sample_weights=weights, grad=True, grad_out=gradient)[0])
        slopes: dict[str, Vector] = {"bias": gradient.sum(axis=0, dtype=np.float64)}
        along = np.einsum("nc,nc->c", gradient, self._x).astype(np.float64)
        slopes["diagonal"], slopes["scale"] = along, np.asarray(along.sum())
        return loss, {name: slopes[name] for name in parts}


def scale_of(parts: dict[str, Vector]) -> Vector:
    """Return the scale `[]` or `[C]`, or the matrix `[C, C]`, that the parts come to."""
    scale = np.asarray(1.0 + parts.get("scale", parts.get("diagonal", np.zeros(()))))
    return scale if "off_diagonal" not in parts else np.diag(scale) + parts["off_diagonal"]
