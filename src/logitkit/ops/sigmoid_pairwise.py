"""The sigmoid loss of all pairs of embeddings: which belong together, each pair judged by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, to_numpy
from logitkit.checks import check_finite, check_temperature, input_error
from logitkit.kernels.pair_tiles import sigmoid_pairs
from logitkit.kinds import returns_callers_kind
from logitkit.ops._pair_tiles import PairTiles, as_embeddings, reduced, row_factors

__all__ = ["SigmoidPairwiseGrads", "sigmoid_pairwise_loss"]

Array = NDArray[Any]
_NAME = "sigmoid_pairwise_loss"


class SigmoidPairwiseGrads(NamedTuple):
    """The gradients of the sigmoid loss, of the shapes and types of what they are of.

    Example:
        >>> from logitkit import ops
        >>> _, grads = ops.sigmoid_pairwise_loss([[1.0, 0.0]], [[1.0, 0.0]], temperature=0.5, bias=0.0, grad=True)
        >>> grads.anchors.round(3).tolist(), round(grads.bias, 3)
        ([[-0.238, 0.0]], -0.119)
    """

    anchors: Any
    positives: Any
    temperature: float
    bias: float


@returns_callers_kind
def sigmoid_pairwise_loss(
    anchors: Any,
    positives: Any,
    *,
    temperature: float = 0.1,
    bias: float = -10.0,
    normalize: bool = False,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
) -> Any:
    r"""Return SigLIP's loss of pairs of embeddings, and its gradients on request, without the N × N logits.

    .. math:: z_{ij} = a_i \cdot p_j / \tau + b, \quad
              \ell_i = \mathrm{softplus}(-z_{ii}) + \sum_{j \ne i} \mathrm{softplus}(z_{ij})

    Args:
        anchors: `[N, D]`, float types or integers; one column or more.
        positives: `[N, D]`: row i belongs with anchor i and with no other.
        temperature: τ, greater than 0 and finite. SigLIP learns log(1 / τ): its gradient is -τ times that of τ.
        bias: b, finite. It starts at -10, since nearly all pairs do not belong together.
        normalize: divide each embedding by its length first, so that products are cosines; a row of zeros stays.
        sample_weights: one weight an anchor, finite, at least 0.
        reduction: "mean" divides the sum by the sum of weights, "sum" adds up, "none" keeps a loss for each anchor.
        grad: return the gradients too.

    Returns:
        The loss: a float, or with "none" a float64 array `[N]`. With `grad=True`, a pair of it and
        `SigmoidPairwiseGrads(anchors, positives, temperature, bias)`, those of the mean or of the sum ("none" too).
        Types, memory, NaN and no pairs as for `info_nce`; the time is that of three matrix products.

    Raises:
        InputError: if shapes disagree, or a weight is negative or not finite.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> pairs = [[1.0, 0.0], [0.0, 1.0]]
        >>> loss, grads = ops.sigmoid_pairwise_loss(pairs, pairs, temperature=0.1, bias=-5.0, grad=True)
        >>> round(loss, 4), round(grads.bias, 4)
        (0.0134, 0.0)

    References:
        Zhai et al., "Sigmoid loss for language image pre-training", 2023.
    """
    given = [to_numpy(values, name, _NAME) for name, values in (("anchors", anchors), ("positives", positives))]
    dtype = np.result_type(*(compute_dtype(array.dtype) for array in given))
    a = as_embeddings(given[0], "anchors", _NAME, dtype, normalize, None)
    p = as_embeddings(given[1], "positives", _NAME, dtype, normalize, a.rows)
    N = len(a.rows)
    if p.rows.shape != a.rows.shape:
        raise input_error("positives", _NAME, f"of the shape {[*a.rows.shape]}", f"the shape {[*p.rows.shape]}")
    scale = 1.0 / check_temperature(temperature, _NAME)
    offset = check_finite(bias, "bias", _NAME)
    weights, divisor = row_factors(sample_weights, N, reduction, _NAME)
    scales = weights / divisor if grad else np.empty(0)
    tiles = PairTiles(a.rows, p.rows, scale)
    parts = tiles.by_piece(2)
    sums = np.empty((2, N))  # of each anchor: the loss, and the gradient of the bias

    def work(tile: Array, piece: int, row: int, column: int) -> None:
        n = tile.shape[1]
        sigmoid_pairs(
            *(tile, row - column, offset, scales[column : column + n]), parts[0, piece, :n], parts[1, piece, :n]
        )

    def combine(start: int, stop: int) -> None:
        sums[:, start:stop] = parts[:, :, : stop - start].sum(axis=1)

    grads = (np.empty_like(a.rows), np.empty_like(p.rows)) if grad else None
    tiles.each(work, combine, grads)
    value = reduced(np.where(weights > 0.0, sums[0] * weights, 0.0), divisor, reduction)
    if grads is None:
        return value
    with np.errstate(all="ignore"):
        slope = -scale * float(np.einsum("nd,nd->n", grads[0], a.rows, dtype=np.float64).sum())
    return value, SigmoidPairwiseGrads(a.gradient(grads[0]), p.gradient(grads[1]), slope, float(sums[1].sum()))
