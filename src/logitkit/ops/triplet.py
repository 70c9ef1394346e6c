"""The triplet loss with triplets mined from the batch itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, to_numpy
from logitkit.checks import check_at_least_zero, check_choice
from logitkit.kernels import run_blocks, split
from logitkit.kernels.triplets import ALL, HARD, SEMI_HARD, mine_triplets
from logitkit.kinds import returns_callers_kind
from logitkit.ops import _token_chunks as sizes
from logitkit.ops._pair_tiles import as_class_ids, as_embeddings
from logitkit.ops._products import multiply

__all__ = ["triplet_loss"]

Array = NDArray[Any]
_NAME = "triplet_loss"
_MINING = {"hard": HARD, "semi_hard": SEMI_HARD, "all": ALL}
_DISTANCES = ("euclidean", "squared_euclidean", "cosine")


@returns_callers_kind
def triplet_loss(
    embeddings: Any,
    labels: Any,
    *,
    margin: float = 0.2,
    mining: str = "semi_hard",
    distance: str = "euclidean",
    reduction: str = "mean",
    grad: bool = False,
) -> Any:
    r"""Return the triplet loss of a batch, and its gradient on request, without the N × N distances, let alone N³.

    .. math:: \ell_{apn} = \max(0, m + d(a, p) - d(a, n))

    p has the label of the anchor a and is not a; n has another label. Every row is an anchor.

    Args:
        embeddings: `[N, D]`, float types or integers; one column or more.
        labels: `[N]` integers of any value.
        margin: m, finite, at least 0.
        mining: which triplets count. "hard": of each anchor, the farthest positive and the nearest negative.
            "semi_hard": of each anchor and positive, the nearest negative that is farther than the positive, or where
            there is none, the farthest. "all": every triplet whose loss is above 0.
        distance: "euclidean", "squared_euclidean", or "cosine", which is 1 - cos.
        reduction: "mean" divides the sum by the number of triplets that count, "sum" adds up, "none" keeps the sum of
            each anchor.
        grad: return the gradient too, with respect to the embeddings, the choice of triplets held fixed.

    Returns:
        The loss: a float, or with "none" a float64 array `[N]`; an anchor without a positive or a negative has no
        triplet, and the mean of none is 0.0. With `grad=True`, a pair of it and the gradient of the mean or of the sum
        ("none" too), of the embeddings' shape and type. Two embeddings at one place have the gradient 0, not NaN.

        Products are those of BLAS in float64 or float32, as the embeddings are. Squared Euclidean distances come from
        products of centred embeddings: their error is a few roundings of the squared lengths, however near two are.
        It takes at most 64 MB beside the embeddings, their centred copy and the gradient, for N up to 1,000,000, the
        time of three matrix products, and N² log N for the mining. NaN or an infinity in an embedding makes every
        anchor NaN.

    Raises:
        InputError: if shapes disagree or labels are no integers.
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import ops
        >>> embeddings, labels = [[0.0, 0.0], [3.0, 4.0], [0.0, 5.0]], [0, 0, 1]
        >>> ops.triplet_loss(embeddings, labels, margin=1.0, mining="hard", reduction="none").round(3).tolist()
        [1.0, 2.838, 0.0]

    References:
        Schroff et al., "FaceNet", 2015. Hermans et al., "In defense of the triplet loss for person re-identification",
        2017.
    """
    array = to_numpy(embeddings, "embeddings", _NAME)
    cosine = check_choice(distance, _DISTANCES, "distance", _NAME) == "cosine"
    x = as_embeddings(array, "embeddings", _NAME, compute_dtype(array.dtype), cosine, None)
    N, D = x.rows.shape
    classes = as_class_ids(labels, N, _NAME)
    kind = _MINING[check_choice(mining, tuple(_MINING), "mining", _NAME)]
    room = check_at_least_zero(margin, "margin", _NAME)
    check_choice(reduction, ("mean", "sum", "none"), "reduction", _NAME)
    with np.errstate(all="ignore"):
        rows = x.rows if cosine or N == 0 else x.rows - x.rows.mean(axis=0, dtype=np.float64).astype(x.rows.dtype)
        squares = np.einsum("nd,nd->n", rows, rows)
    losses, counts = np.empty((2, N))
    total = np.zeros_like(rows) if grad else np.empty((0, D), rows.dtype)
    pulls = np.zeros(N)  # Σ_j K_ij of each row, where the gradient is Σ_j K_ij (x_i - x_j)
    n = max(1, min(N, sizes.CHUNK_BYTES // (2 * rows.itemsize * max(N, 1))))
    memory = np.empty((n, N), rows.dtype)
    for start, stop in split(N, n):
        chunk = memory[: stop - start]
        multiply(rows[start:stop], rows.T, chunk)

        def work(a: int, b: int, chunk: Array = chunk, start: int = start) -> None:
            block, at = chunk[a:b], slice(start + a, start + b)
            with np.errstate(all="ignore"):
                if cosine:
                    np.subtract(1.0, block, out=block)
                else:
                    block *= -2.0
                    block += squares[at, None]
                    block += squares
                    np.maximum(block, 0.0, out=block)
                if distance == "euclidean":
                    np.sqrt(block, out=block)
            inverse = distance == "euclidean"
            mine_triplets(block, start + a, classes, kind, room, inverse, losses[at], counts[at])

        run_blocks(work, split(stop - start, max(1, sizes.PIECE // N)))
        if grad:
            multiply(chunk, rows, total[start:stop], add=True)
            multiply(chunk.T, rows[start:stop], total, add=True)
            pulls[start:stop] -= chunk.sum(axis=1, dtype=np.float64)
            pulls -= chunk.sum(axis=0, dtype=np.float64)
    found = float(counts.sum())
    divisor = found if reduction == "mean" and found > 0.0 else 1.0
    value: Any = losses if reduction == "none" else float(losses.sum()) / divisor
    if not grad:
        return value
    if not cosine:
        total += rows * pulls.astype(rows.dtype)[:, None]
    total *= rows.dtype.type((2.0 if distance == "squared_euclidean" else 1.0) / divisor)
    return value, x.gradient(total)
