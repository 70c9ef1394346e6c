"""Logits or probabilities as they were given, block by block as float64 probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import read_only
from logitkit.checks import input_error
from logitkit.kernels import split
from logitkit.ops import sigmoid, softmax
from logitkit.trust.rows import given_values

__all__ = ["ProbRows"]

_BLOCK = 2**17  # probabilities that are held at a time, for each thread


@dataclass(frozen=True, slots=True)
class ProbRows:
    """Rows `[N, C]` whose probabilities are wanted.

    Attributes:
        values: what was given.
        name: "logits" or "probs".
        function: what errors call the function that they were given to.
        several: whether a row may have several labels, so that each has a probability of its own.
    """

    values: NDArray[Any]
    name: str
    function: str
    several: bool

    @classmethod
    def of(cls, logits: Any, probs: Any, function: str, *, several: bool = False) -> ProbRows:
        """Return what was given, logits or probabilities; both or neither is an error."""
        name, values = given_values(logits, probs, function)
        return cls(values, name, function, several)

    def blocks(self) -> list[tuple[int, int]]:
        """Return ranges of rows; they depend on the shape alone."""
        N, C = self.values.shape
        return split(N, _BLOCK // C)

    def block(self, start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return rows as they were given and as probabilities, both in float64; a bad row is an error."""
        given = np.array(self.values[start:stop], np.float64, order="C")
        probs = given
        if self.name == "logits":
            probs = sigmoid(given) if self.several else softmax(given)
        spreads = self.name == "logits" and not self.several  # a NaN anywhere makes all of its softmax NaN
        nan = np.flatnonzero(np.isnan(probs[:, :1] if spreads else probs).any(axis=1))
        if nan.size:
            raise input_error(self.name, self.function, "free of NaN", f"NaN in row {start + nan[0]}")
        if self.name == "probs":
            self._check(probs, start)
        return read_only(given), read_only(probs)

    def _check(self, probs: NDArray[np.float64], start: int) -> None:
        with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs have no sum
            low, high, total = probs.min(axis=1), probs.max(axis=1), probs.sum(axis=1)
        wrong = (low < 0.0) | (high > 1.0)
        constraint = "in [0, 1] (logits are passed as logits)"
        if not self.several:
            wrong |= ~(abs(total - 1.0) <= 1e-3)
            constraint = "in [0, 1] with rows that sum to 1 (logits are passed as logits)"
        if wrong.any():
            row = int(np.argmax(wrong))
            values = f"values in [{low[row]:.6g}, {high[row]:.6g}] with sum {total[row]:.6g} in row {start + row}"
            raise input_error("probs", self.function, constraint, values)
