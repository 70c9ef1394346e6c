"""Cross-entropy of `A x + b` over rows, with its slopes in A and b, in one pass and without the logits in memory.

For the matrices of calibration, a few hundred classes wide: a tile of four rows stays in the first cache and the matrix
in the second, so that four rows share each of its loads. A BLAS does as many operations a second in large products, but
these are small, and its threads wait for each other on a busy machine: 3 ms a product became 100.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit
from logitkit.kernels.exp import exp_shifted, largest
from logitkit.kernels.pointers import pointer

__all__ = ["affine_cross_entropy"]

TILE = 4


@jit
def _multiply(x: Any, matrix: Any, bias: Any, tile_out: Any) -> None:
    """Write matrixᵀ x + bias of four rows; `matrix` [k, j] has the weight of input k for output j."""
    C = bias.shape[0]
    b, w = pointer(bias), pointer(matrix)
    z0, z1, z2, z3 = pointer(tile_out[0]), pointer(tile_out[1]), pointer(tile_out[2]), pointer(tile_out[3])
    for j in range(C):
        z0[j] = z1[j] = z2[j] = z3[j] = b[j]
    for k in range(0, C - 1, 2):
        a0, a1, a2, a3 = x[0, k], x[1, k], x[2, k], x[3, k]
        c0, c1, c2, c3 = x[0, k + 1], x[1, k + 1], x[2, k + 1], x[3, k + 1]
        at = k * C
        for j in range(C):
            u, v = w[at + j], w[at + C + j]
            z0[j] += a0 * u + c0 * v
            z1[j] += a1 * u + c1 * v
            z2[j] += a2 * u + c2 * v
            z3[j] += a3 * u + c3 * v
    if C % 2:
        k = C - 1
        a0, a1, a2, a3 = x[0, k], x[1, k], x[2, k], x[3, k]
        for j in range(C):
            u = w[k * C + j]
            z0[j] += a0 * u
            z1[j] += a1 * u
            z2[j] += a2 * u
            z3[j] += a3 * u


@jit
def _add_products(x: Any, gradients: Any, slopes_out: Any) -> None:
    """Add x gradientᵀ of four rows to `slopes_out` [k, j]."""
    C = slopes_out.shape[0]
    s = pointer(slopes_out)
    g0, g1, g2, g3 = pointer(gradients[0]), pointer(gradients[1]), pointer(gradients[2]), pointer(gradients[3])
    for k in range(C):
        a0, a1, a2, a3 = x[0, k], x[1, k], x[2, k], x[3, k]
        at = k * C
        for j in range(C):
            s[at + j] += (a0 * g0[j] + a1 * g1[j]) + (a2 * g2[j] + a3 * g3[j])


@jit
def affine_cross_entropy(
    x: Any, labels: Any, weights: Any, matrix: Any, bias: Any, rows_scratch: Any, tile_scratch: Any,
    matrix_slopes_out: Any, bias_slopes_out: Any,
) -> float:  # fmt: skip
    """Return the weighted sum of cross-entropies, and add the slopes in `matrix` [k, j] and `bias` to the outputs.

    Args:
        x: `[n, C]` contiguous, finite.
        labels: `[n]`.
        weights: `[n]` float64, or empty: each row counts once.
        matrix: `[C, C]` of x's type; row k holds the weights of input k.
        bias: `[C]` of x's type.
        rows_scratch: `[4, C]` of x's type.
        tile_scratch: `[4, C]` of x's type.
        matrix_slopes_out: `[C, C]` of x's type.
        bias_slopes_out: `[C]` float64.
    """
    N, C = x.shape
    loss = 0.0
    for first in range(0, N, TILE):
        n = min(TILE, N - first)
        for i in range(TILE):  # rows that are not there count nothing
            for k in range(C):
                rows_scratch[i, k] = x[first + i, k] if i < n else 0.0
        _multiply(rows_scratch, matrix, bias, tile_scratch)
        for i in range(TILE):
            z = tile_scratch[i]
            if i >= n:
                z[:] = 0.0
                continue
            weight = weights[first + i] if weights.shape[0] else 1.0
            label = labels[first + i]
            top = largest(z)
            gap = np.float64(z[label]) - top
            total = 0.0
            for j in range(C):
                e = exp_shifted(z[j], top, 1.0)
                total += e
                z[j] = e
            scale = weight / total
            for j in range(C):
                p = scale * z[j]
                z[j] = p
                bias_slopes_out[j] += p
            z[label] -= weight
            bias_slopes_out[label] -= weight
            loss += weight * (np.log(total) - gap)
        _add_products(rows_scratch, tile_scratch, matrix_slopes_out)
    return loss
