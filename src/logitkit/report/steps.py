"""Every step from one row of logits to probabilities, the textbook's way and the stable way, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.checks import as_logits, check_temperature, input_error, option_error
from logitkit.ops import argmax, softmax

__all__ = ["SoftmaxSteps", "softmax_steps"]


@dataclass(frozen=True, eq=False, slots=True)
class SoftmaxSteps:
    """The numbers of every step, arrays `[C]` in float64.

    Textbook: `scaled` = logits / temperature, `exponentials` = exp(scaled), `exponentials_sum`, `naive_probs` =
    exponentials / sum. They overflow to inf near 710, and inf / inf is NaN; below -745 all are 0, and 0 / 0 is NaN.
    Stable: `shifted` = (logits - max(logits)) / temperature, at most 0; `shifted_exponentials` in [0, 1]; their sum
    in [1, C]; `probs`. The shift cancels in the quotient, so both ways mean the same numbers; only the second always
    finds them.
    """

    class_names: tuple[str, ...]
    logits: NDArray[np.float64]
    temperature: float
    scaled: NDArray[np.float64]
    exponentials: NDArray[np.float64]
    exponentials_sum: float
    naive_probs: NDArray[np.float64]
    shifted: NDArray[np.float64]
    shifted_exponentials: NDArray[np.float64]
    shifted_exponentials_sum: float
    probs: NDArray[np.float64]

    @property
    def naive_fails(self) -> bool:
        """Whether the textbook's way gives a NaN here."""
        return bool(np.isnan(self.naive_probs).any())

    @property
    def arg_max(self) -> int:
        """The index of the largest logit, the first of equals."""
        return int(argmax(self.logits))

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists. What JSON cannot say is a string: "Infinity", "-Infinity" or "NaN".

        Python's `float`, JavaScript's `Number` and protobuf's JSON read these three back.

        Example:
            >>> from logitkit.report.steps import softmax_steps
            >>> softmax_steps([1000.0, 1001.0]).to_json()["exponentials"]
            ['Infinity', 'Infinity']
        """
        record: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                record[name] = [_json_number(one) for one in value.tolist()]
            else:
                record[name] = _json_number(value) if isinstance(value, float) else list(value)
        return record


def softmax_steps(logits: Any, *, class_names: Sequence[str] | None = None, temperature: float = 1.0) -> SoftmaxSteps:
    """Return every step of softmax(logits / temperature) for one row.

    Args:
        logits: `[C]`, at least one; infinities are allowed.
        class_names: C names; "class 0", "class 1", … if not given.
        temperature: divides the logits; greater than 0.

    Raises:
        InputError: if there are no logits, more than one row, or a NaN.
        OptionError: if `class_names` are not C names, or `temperature` is out of range.

    Example:
        >>> from logitkit.report.steps import softmax_steps
        >>> steps = softmax_steps([2.0, 1.0, 0.1], class_names=["News", "Entertainment", "Technology"])
        >>> steps.exponentials.round(2).tolist(), round(steps.exponentials_sum, 2), steps.probs.round(2).tolist()
        ([7.39, 2.72, 1.11], 11.21, [0.66, 0.24, 0.1])
    """
    z = np.array(as_logits(logits, "softmax_steps", ndim=1), np.float64)
    temperature = check_temperature(temperature, "softmax_steps")
    if np.isnan(z).any():
        found = f"NaN at position {int(np.isnan(z).argmax())}"
        raise input_error("logits", "softmax_steps", "free of NaN", found)
    names = tuple(f"class {j}" for j in range(z.size)) if class_names is None else tuple(class_names)
    if len(names) != z.size:
        raise option_error("class_names", "softmax_steps", f"{z.size} names, one for each logit", names)
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        scaled = z / temperature
        exponentials = np.exp(scaled)
        total = float(exponentials.sum())
        # What ties at an infinite maximum is 0 away from it; all -inf is a tie too.
        shifted = np.where(z == z.max(), 0.0, (z - z.max()) / temperature)
        shifted_exponentials = np.exp(shifted)
        return SoftmaxSteps(
            class_names=names,
            logits=z,
            temperature=temperature,
            scaled=scaled,
            exponentials=exponentials,
            exponentials_sum=total,
            naive_probs=exponentials / total,
            shifted=shifted,
            shifted_exponentials=shifted_exponentials,
            shifted_exponentials_sum=float(shifted_exponentials.sum()),
            probs=softmax(z, temperature=temperature),
        )


def _json_number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0.0 else "-Infinity"
    return value
