"""What the model said of texts that its weights had not seen: what every promise of a trained classifier rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.ops import argmax, energy
from logitkit.trust.abstention import fit_abstention
from logitkit.trust.abstention_rule import AbstentionRule
from logitkit.trust.outlier_rule import OutlierRule, fit_outlier_threshold
from logitkit.trust.rows import measure_rows
from logitkit.trust.temperature import fit_temperature

__all__ = ["HeldOutRows", "cross_temperatures"]

_MOST_ROWS = 20_000  # kept in a model file; more would hardly move a threshold
_OUTLIERS = "energy"


def cross_temperatures(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return a temperature for each row, `[N]`: that which the other half of the rows gives."""
    temperatures = np.ones(len(labels))
    if len(labels) > 1:
        for half in (0, 1):
            temperatures[half::2] = fit_temperature(logits[1 - half :: 2], labels[1 - half :: 2])
    return temperatures


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRows:
    """Held-out texts as a layer that had not seen them judged them, at a temperature that had not seen them either.

    Attributes:
        confidence: `[H]` float32 in [0, 1].
        predicted: `[H]` int32 class indices.
        correct: `[H]` booleans.
        energy: `[H]` float32, the free energy of the raw logits.
    """

    confidence: NDArray[np.float32]
    predicted: NDArray[np.int32]
    correct: NDArray[np.bool_]
    energy: NDArray[np.float32]

    @classmethod
    def of(cls, logits: NDArray[np.float32], labels: NDArray[np.intp]) -> HeldOutRows:
        """Judge held-out logits `[H, C]`; of more than 20,000 rows, that many evenly spaced ones are kept."""
        if len(labels) > _MOST_ROWS:
            kept = np.linspace(0, len(labels) - 1, _MOST_ROWS).astype(np.intp)
            logits, labels = logits[kept], labels[kept]
        scaled = logits / cross_temperatures(logits, labels)[:, None].astype(np.float32)
        measured = measure_rows(labels, logits=scaled)
        predicted = argmax(logits) if len(labels) else np.empty(0, np.intp)
        return cls(
            measured.confidence.astype(np.float32),
            predicted.astype(np.int32),
            predicted == labels,
            energy(logits),
        )

    def abstention(self, max_error: float, certainty: float, *, n_classes: int | None = None) -> AbstentionRule:
        """Return the rule that keeps wrong answers below `max_error`; with `n_classes`, one threshold a class."""
        return fit_abstention(
            self.confidence, self.correct, max_error=max_error, certainty=certainty,
            predicted=None if n_classes is None else self.predicted, n_classes=n_classes,
        )  # fmt: skip

    def outlier_rule(self, false_alarm_rate: float) -> OutlierRule:
        """Return the rule that takes at most this share of texts like these for unknown."""
        threshold = fit_outlier_threshold(self.energy, false_alarm_rate=false_alarm_rate)
        return OutlierRule(_OUTLIERS, 1.0, threshold, false_alarm_rate, len(self.energy))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays as a model file holds them."""
        return {f"held_out_{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, tensors: dict[str, NDArray[Any]], n_classes: int) -> HeldOutRows:
        """Return what `tensors` took apart.

        Raises:
            KeyError or ValueError: if the arrays are not such, or do not fit together.
        """
        kinds = {"confidence": np.float32, "predicted": np.int32, "correct": np.bool_, "energy": np.float32}
        arrays = {name: tensors[f"held_out_{name}"] for name in kinds}
        H = arrays["confidence"].size
        if not all(arrays[name].dtype == kind and arrays[name].shape == (H,) for name, kind in kinds.items()):
            raise ValueError("its held-out rows do not fit together")
        confidence, predicted, energy = arrays["confidence"], arrays["predicted"], arrays["energy"]
        in_range = (confidence >= 0.0) & (confidence <= 1.0) & (predicted >= 0) & (predicted < n_classes)
        if not (in_range.all() and np.isfinite(energy).all()):
            raise ValueError("a held-out row is out of range")
        return cls(**arrays)
