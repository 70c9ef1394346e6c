"""Several labels a row: each is a question of its own, and is calibrated on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from logitkit.trust.calibrators.base import Array, Calibrator
from logitkit.trust.calibrators.restore import restore_layout

__all__ = ["MultilabelCalibrator", "two_classes"]


def two_classes(column: Array) -> Array:
    """Return the logits `[N, 2]` of "no" and "yes" whose softmax is the sigmoid of `column` `[N]`."""
    pair = np.zeros((len(column), 2), column.dtype)
    pair[:, 1] = column
    return pair


@dataclass(frozen=True, eq=False)
class MultilabelCalibrator(Calibrator):
    """A calibrator of two classes for each label.

    `log_probs` and `probs` are those of "yes": each in itself, so rows need not sum to 1.

    Attributes:
        method: the one that was asked for, such as "auto".
        n_classes: K, the number of labels.
        calibrators: `[K]`, each of two classes.
    """

    method: str
    n_classes: int
    calibrators: tuple[Calibrator, ...]

    layout: ClassVar[str] = "multi-label"

    def _log_probs(self, logits: Array) -> Array:
        found = np.empty_like(logits)
        for k, calibrator in enumerate(self.calibrators):
            found[:, k] = calibrator.log_probs(two_classes(logits[:, k]))[:, 1]
        return found

    def log_odds(self, logits: Any) -> Array:
        """Return the calibrated logits `[N, K]`, whose sigmoids are `probs`. Arguments and errors as `log_probs`."""
        yes = self.log_probs(logits)
        with np.errstate(divide="ignore"):
            return yes - np.log(-np.expm1(yes))

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the facts (JSON) that `restore` takes."""
        tensors: dict[str, Array] = {}
        labels = []
        for k, calibrator in enumerate(self.calibrators):
            own, facts = calibrator.parts()
            tensors |= {f"{k}.{name}": tensor for name, tensor in own.items()}
            labels.append({"layout": calibrator.layout, "method": calibrator.method, "facts": facts})
        return tensors, {"labels": labels}

    @classmethod
    def restore(
        cls, method: str, n_classes: int, tensors: dict[str, Array], facts: dict[str, Any]
    ) -> MultilabelCalibrator:
        """Return what `parts` took apart, once it is checked."""
        labels = facts["labels"]
        if not isinstance(labels, list) or len(labels) != n_classes:
            raise ValueError(f"it has {n_classes} labels and other calibrators")
        split: list[dict[str, Array]] = [{} for _ in labels]
        for name, tensor in tensors.items():
            k, _, own = name.partition(".")
            split[int(k)][own] = tensor
        found = [restore_layout({**one, "n_classes": 2}, own) for one, own in zip(labels, split, strict=True)]
        if any(isinstance(one, cls) for one in found):
            raise ValueError("a label of it is multi-label itself")
        return cls(method, n_classes, tuple(found))


def column_labels(targets: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the labels, 0 or 1, of each column of `targets` `[N, K]`."""
    return [np.ascontiguousarray(targets[:, k], np.intp) for k in range(targets.shape[1])]
