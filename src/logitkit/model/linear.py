"""The last layer: features → logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logitkit.kernels import run_blocks, split
from logitkit.kernels.linear import linear_logits
from logitkit.text.features import Features

__all__ = ["LinearModel"]

_BLOCK_ROWS = 512


@dataclass(frozen=True)
class LinearModel:
    """logits = features · weights + bias.

    Attributes:
        weights: `[F, C]` float32.
        bias: `[C]` float32.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(
        self,
        features: Features,
        rows: NDArray[np.int64] | None = None,
        logits_out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return the logits of `features`, or of some of their rows.

        Args:
            features: `[N, F]` sparse.
            rows: indices of the rows wanted; all if None.
            logits_out: buffer of the result's shape; made if None.

        Returns:
            `[N, C]` or `[len(rows), C]` float32, the same bits at any number of threads and in any batches.
        """
        wanted = np.arange(len(features.indptr) - 1) if rows is None else rows
        logits = np.empty((len(wanted), len(self.bias)), np.float32) if logits_out is None else logits_out

        def work(start: int, stop: int) -> None:
            linear_logits(
                features.indptr, features.indices, features.data, self.weights, self.bias,
                wanted[start:stop], logits[start:stop],
            )  # fmt: skip

        run_blocks(work, split(len(wanted), _BLOCK_ROWS))
        return logits
