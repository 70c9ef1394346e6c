"""Softmax, log-softmax and logsumexp of rows that each have a scale, 1 / temperature, of their own.

Each row goes through the loops that all rows share. They are made for rows of many classes: a row of few classes would
fill one lane of a tile, so few classes go through `columns`, whose lanes have scales of their own.
"""

from __future__ import annotations

from typing import Any

from logitkit.kernels import jit
from logitkit.kernels.exp_tiles import Scratch
from logitkit.kernels.softmax import log_softmax_block, logsumexp_block, softmax_block

__all__ = ["log_softmax_scaled", "logsumexp_scaled", "softmax_scaled"]


@jit
def softmax_scaled(logits: Any, scales: Any, scratch: Scratch, probs_out: Any) -> None:
    """Write the softmax of every row; `scales` [N] are its scales."""
    for row in range(logits.shape[0]):
        softmax_block(logits[row : row + 1], scales[row], scratch, probs_out[row : row + 1])


@jit
def log_softmax_scaled(logits: Any, scales: Any, scratch: Scratch, log_probs_out: Any) -> None:
    """Write the log-softmax of every row."""
    for row in range(logits.shape[0]):
        log_softmax_block(logits[row : row + 1], scales[row], scratch, log_probs_out[row : row + 1])


@jit
def logsumexp_scaled(logits: Any, scales: Any, scratch: Scratch, values_out: Any) -> None:
    """Write the logsumexp of every row into `values_out` [N]."""
    for row in range(logits.shape[0]):
        logsumexp_block(logits[row : row + 1], scales[row], scratch, values_out[row : row + 1])
