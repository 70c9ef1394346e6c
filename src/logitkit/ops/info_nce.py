"""InfoNCE: tell each anchor's positive from all others, one way or both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, to_numpy
from logitkit.checks import check_temperature, input_error, option_error
from logitkit.kernels.pair_tiles import both_ways_gradients, row_totals
from logitkit.kernels.token_columns import column_totals
from logitkit.kinds import returns_callers_kind
from logitkit.ops._pair_tiles import PairTiles, as_embeddings, log_of_totals, pairs_in, reduced, row_factors
from logitkit.ops._token_chunks import Gradients, Loss, losses_in_chunks

__all__ = ["InfoNCEGrads", "info_nce"]

Array = NDArray[Any]
_NAME = "info_nce"


class InfoNCEGrads(NamedTuple):
    """The gradients of InfoNCE, of the shapes and types of what they are of; `negatives` is None where there are none.

    Example:
        >>> from logitkit import ops
        >>> _, grads = ops.info_nce([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], temperature=0.5, grad=True)
        >>> grads.anchors.round(3).tolist(), round(grads.temperature, 3)
        ([[-0.119, 0.119], [0.119, -0.119]], 0.477)
    """

    anchors: Any
    positives: Any
    negatives: Any
    temperature: float


@returns_callers_kind
def info_nce(
    anchors: Any,
    positives: Any,
    *,
    negatives: Any = None,
    temperature: float = 0.07,
    symmetric: bool = False,
    normalize: bool = False,
    sample_weights: Any = None,
    reduction: str = "mean",
    grad: bool = False,
) -> Any:
    r"""Return the contrastive loss of pairs of embeddings, and its gradients on request, without the N × N logits.

    .. math:: z_{ij} = a_i \cdot p_j / \tau, \quad \ell_i = \log \sum_j \exp z_{ij} - z_{ii}

    `symmetric` is CLIP's loss: the mean of this and of the same with anchors and positives exchanged.

    Args:
        anchors: `[N, D]`, float types or integers; one column or more.
        positives: `[N, D]`: row i belongs with anchor i, all others are its negatives.
        negatives: `[M, D]`: more negatives for every anchor, one way only.
        temperature: τ, greater than 0 and finite. CLIP learns log(1 / τ): its gradient is -τ times that of τ.
        symmetric: both ways.
        normalize: divide each embedding by its length first, so that products are cosines; a row of zeros stays.
        sample_weights: one weight a pair, finite, at least 0. A pair of weight 0 is still a negative of the others.
        reduction: "mean" divides the sum by the sum of weights, "sum" adds up, "none" keeps a loss for each pair.
        grad: return the gradients too.

    Returns:
        The loss: a float, or with "none" a float64 array `[N]`. With `grad=True`, a pair of it and
        `InfoNCEGrads(anchors, positives, negatives, temperature)`, those of the mean or of the sum ("none" too).

        Products are those of BLAS in float64 if an input is, else in float32; sums of exponentials are float64. It
        takes at most 64 MB beside the embeddings, their copies if they are normalised or short, and their gradients,
        and the time of three matrix products, symmetric of four. The mean of no pairs is 0.0; a pair alone costs 0. NaN
        in an anchor gives its loss NaN, NaN in a positive all that it is compared with; an infinity counts as NaN.

    Raises:
        InputError: if shapes disagree, or a weight is negative or not finite.
        OptionError: if an option is out of its range, or `negatives` are given both ways.

    Example:
        >>> from logitkit import ops
        >>> loss, grads = ops.info_nce([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.1, 1.0]], temperature=0.5, grad=True)
        >>> round(loss, 3), grads.anchors.round(2).tolist(), round(grads.temperature, 2)
        (0.168, [[-0.13, 0.11], [0.15, -0.13]], 0.52)

    References:
        van den Oord et al., "Representation learning with contrastive predictive coding", 2018. Radford et al.,
        "Learning transferable visual models from natural language supervision" (CLIP), 2021.
    """
    given = [to_numpy(values, name, _NAME) for name, values in (("anchors", anchors), ("positives", positives))]
    if negatives is not None:
        if symmetric:
            raise option_error("negatives", _NAME, "None where symmetric is True", "embeddings")
        given.append(to_numpy(negatives, "negatives", _NAME))
    dtype = np.result_type(*(compute_dtype(array.dtype) for array in given))
    a = as_embeddings(given[0], "anchors", _NAME, dtype, normalize, None)
    p = as_embeddings(given[1], "positives", _NAME, dtype, normalize, a.rows)
    q = as_embeddings(given[2], "negatives", _NAME, dtype, normalize, a.rows) if len(given) > 2 else None
    N = len(a.rows)
    if p.rows.shape != a.rows.shape:
        raise input_error("positives", _NAME, f"of the shape {[*a.rows.shape]}", f"the shape {[*p.rows.shape]}")
    scale = 1.0 / check_temperature(temperature, _NAME)
    weights, divisor = row_factors(sample_weights, N, reduction, _NAME)
    grads = None
    if symmetric:
        losses, grads = _both_ways(a.rows, p.rows, scale, weights / divisor if grad else None)
        grad_p = grads[1] if grads else None
    else:
        candidates = p.rows if q is None else np.concatenate([p.rows, q.rows])
        fill = None
        if grad:
            fill = Gradients(weights / divisor, np.empty_like(a.rows), np.empty_like(candidates), np.empty(0))
            grads = fill.hidden, fill.weights
        labels, none = np.arange(N), np.empty(0, dtype)
        losses = losses_in_chunks(a.rows, candidates, labels, none, Loss(scale=scale), dtype, grads=fill)
        grad_p = grads[1][:N] if grads else None
    value = reduced(np.where(weights > 0.0, losses * weights, 0.0), divisor, reduction)
    if grads is None or grad_p is None:
        return value
    # Σ_ij (∂ℓ/∂z_ij) z_ij, in which 1/τ is a factor of every z, is what the anchors' gradient holds along the anchors.
    with np.errstate(all="ignore"):
        slope = -scale * float(np.einsum("nd,nd->n", grads[0], a.rows, dtype=np.float64).sum())
    grad_q = None if q is None else q.gradient(grads[1][N:])
    return value, InfoNCEGrads(a.gradient(grads[0]), p.gradient(grad_p), grad_q, slope)


def _both_ways(
    a: Array, p: Array, scale: float, row_scales: Array | None
) -> tuple[NDArray[np.float64], tuple[Array, Array] | None]:
    """Return the mean loss of the two ways for each pair, and the gradients, for which logits are computed again."""
    N = len(a)
    tiles = PairTiles(a, p, scale)
    down_maxima, down_totals = tiles.by_piece(2)
    along = np.full((2, N), -np.inf)  # of each positive: the maximum so far, and the total
    along[1] = 0.0
    here, pairs, down = np.empty((2, N)), np.empty(N), np.empty(N)
    none, no_sums = np.empty(0, a.dtype), np.empty(0)

    def scan(tile: Array, piece: int, row: int, column: int) -> None:
        R, n = tile.shape
        own, logits = pairs_in(tile, row, column)
        pairs[own] = logits
        column_totals(tile, none, 0.0, down_maxima[piece, :n], down_totals[piece, :n], no_sums)
        row_totals(tile, here[0, row : row + R], here[1, row : row + R])

    def combine(start: int, stop: int) -> None:
        down[start:stop] = log_of_totals(down_maxima[:, : stop - start], down_totals[:, : stop - start])
        with np.errstate(all="ignore"):
            maximum = np.maximum(along[0], here[0])
            along[1] = along[1] * np.exp(along[0] - maximum) + here[1] * np.exp(here[0] - maximum)
            along[0] = maximum

    tiles.each(scan, combine)
    with np.errstate(all="ignore"):
        across = along[0] + np.log(along[1])
        losses = 0.5 * (down - pairs) + 0.5 * (across - pairs)
    if row_scales is None:
        return losses, None
    half = 0.5 * row_scales

    def turn(tile: Array, _: int, row: int, column: int) -> None:
        rows, columns = slice(row, row + tile.shape[0]), slice(column, column + tile.shape[1])
        both_ways_gradients(tile, row - column, down[columns], half[columns], across[rows], half[rows])

    grads = np.empty_like(a), np.empty_like(p)
    tiles.each(turn, grads=grads)
    return losses, grads
