"""Penalties on tokens that went before: repetition, then presence and frequency, as the samplers of the field do."""

from __future__ import annotations

from typing import Any

import numpy as np

from logitkit.kernels import jit

__all__ = ["penalise_block"]


@jit
def penalise_block(
    logits: Any, indptr: Any, previous: Any, repetition: float, presence: float, frequency: float, counts: Any
) -> None:
    """Lower, in place, the logits of the tokens that went before: row i has previous[indptr[i] : indptr[i + 1]].

    `counts` [V] is zero, and zero again afterwards. A negative token stands for none.
    """
    for row in range(logits.shape[0]):
        tokens = previous[indptr[row] : indptr[row + 1]]
        for token in tokens:
            if token >= 0:
                counts[token] += 1
        for token in tokens:
            if token >= 0 and counts[token] > 0:
                logit = np.float64(logits[row, token])
                logit = logit * repetition if logit < 0.0 else logit / repetition
                if np.isfinite(logit):
                    logit -= presence + frequency * counts[token]
                logits[row, token] = logit
                counts[token] = 0
