"""The supervised contrastive loss: embeddings of one label together, all others apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only, to_numpy
from logitkit.checks import check_temperature
from logitkit.kernels.pair_tiles import same_label_gradients, same_label_sums
from logitkit.kernels.token_columns import column_totals
from logitkit.kinds import returns_callers_kind
from logitkit.ops._pair_tiles import PairTiles, as_class_ids, as_embeddings, log_of_totals, reduced, row_factors

__all__ = ["SupervisedContrastiveGrads", "supervised_contrastive_loss"]

Array = NDArray[Any]
_NAME = "supervised_contrastive_loss"


class SupervisedContrastiveGrads(NamedTuple):
    """The gradients of the supervised contrastive loss, of the embeddings' shape and type and a number.

    Example:
        >>> from logitkit import ops
        >>> rows = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        >>> _, grads = ops.supervised_contrastive_loss(rows, [0, 0, 1], temperature=0.5, grad=True)
        >>> grads.embeddings.round(3).tolist(), round(grads.temperature, 3)
        ([[-0.238, 0.119], [-0.238, 0.119], [0.238, 0.0]], 0.477)
    """

    embeddings: Any
    temperature: float


@returns_callers_kind
def supervised_contrastive_loss(
    embeddings: Any,
    labels: Any,
    *,
    temperature: float = 0.07,
    normalize: bool = False,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
) -> Any:
    r"""Return the supervised contrastive loss of a batch, and its gradients on request, without the N × N logits.

    .. math:: z_{ij} = x_i \cdot x_j / \tau, \quad
              \ell_i = \log \sum_{j \ne i} \exp z_{ij} - \frac{1}{|P_i|} \sum_{j \in P_i} z_{ij}

    P_i are the others with the label of i. The mean is outside the logarithm, as its authors advise.

    Args:
        embeddings: `[N, D]`, float types or integers; one column or more. Several views of a sample are several rows.
        labels: `[N]` integers of any value; equal ones belong together.
        temperature: τ, greater than 0 and finite. The authors scale the loss by it as well: multiply if you want that.
        normalize: divide each embedding by its length first, so that products are cosines; a row of zeros stays.
        sample_weights: one weight an anchor, finite, at least 0. A row of weight 0 is still compared with.
        reduction: "mean" divides the sum by the sum of weights of the rows that have a positive, "sum" adds up, "none"
            keeps a loss for each row.
        grad: return the gradients too.

    Returns:
        The loss: a float, or with "none" a float64 array `[N]`; a row without a positive costs 0. With `grad=True`, a
        pair of it and `SupervisedContrastiveGrads(embeddings, temperature)`, those of the mean or of the sum ("none"
        too). Types, memory, NaN and no rows as for `info_nce`; the time is that of four matrix products.

    Raises:
        InputError: if shapes disagree, labels are no integers, or a weight is negative or not finite.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> embeddings = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
        >>> ops.supervised_contrastive_loss(embeddings, [0, 0, 1], temperature=0.5, reduction="none").round(3).tolist()
        [0.153, 0.184, 0.0]

    References:
        Khosla et al., "Supervised contrastive learning", 2020, equation 2.
    """
    array = to_numpy(embeddings, "embeddings", _NAME)
    x = as_embeddings(array, "embeddings", _NAME, compute_dtype(array.dtype), normalize, None)
    N = len(x.rows)
    classes = as_class_ids(labels, N, _NAME)
    scale = 1.0 / check_temperature(temperature, _NAME)
    weights, _ = row_factors(sample_weights, N, reduction, _NAME)
    tiles = PairTiles(x.rows, x.rows, scale)
    maxima, totals, sums, counts = tiles.by_piece(4)
    logs, means, sizes = np.empty((3, N))
    none, no_sums = np.empty(0, x.rows.dtype), np.empty(0)

    def scan(tile: Array, piece: int, row: int, column: int) -> None:
        R, n = tile.shape
        rows, columns = classes[row : row + R], classes[column : column + n]
        same_label_sums(tile, row - column, rows, columns, sums[piece, :n], counts[piece, :n])
        column_totals(tile, none, 0.0, maxima[piece, :n], totals[piece, :n], no_sums)

    def combine(start: int, stop: int) -> None:
        n = stop - start
        logs[start:stop] = log_of_totals(maxima[:, :n], totals[:, :n])
        sizes[start:stop] = counts[:, :n].sum(axis=0)
        means[start:stop] = sums[:, :n].sum(axis=0) / np.maximum(sizes[start:stop], 1.0)

    tiles.each(scan, combine)
    weights = np.where(sizes > 0.0, weights, 0.0)
    total = float(weights.sum())
    divisor = total if reduction == "mean" and total > 0.0 else 1.0
    counted = weights > 0.0
    with np.errstate(all="ignore"):
        value = reduced(np.where(counted, (logs - means) * weights, 0.0), divisor, reduction)
    if not grad:
        return value
    scales = read_only(weights / divisor)
    shares = scales / np.maximum(sizes, 1.0)
    logs[~counted] = np.inf  # its exponentials are 0, whatever its logits are

    def turn(tile: Array, _: int, row: int, column: int) -> None:
        rows, columns = slice(row, row + tile.shape[0]), slice(column, column + tile.shape[1])
        same_label_gradients(
            *(tile, row - column, classes[rows], classes[columns]), logs[columns], scales[columns], shares[columns]
        )

    as_left, as_right = np.empty_like(x.rows), np.empty_like(x.rows)
    tiles.each(turn, grads=(as_left, as_right))
    slope = -scale * float(np.einsum("nd,nd->n", as_left, x.rows, dtype=np.float64).sum())
    return value, SupervisedContrastiveGrads(x.gradient(as_left + as_right), slope)
