"""What training did, kept in the model file: choices, held-out figures before and after calibration, and the course."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from logitkit.model.held_out import cross_temperatures
from logitkit.model.selection import Trial
from logitkit.model.trainer import TrainingStep
from logitkit.trust.calibration_error import expected_calibration_error
from logitkit.trust.metrics import accuracy, log_loss

__all__ = ["HeldOut", "TrainingRecord", "judge_calibration"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Figures on texts that the weights had not seen; after calibration, that the temperature had not seen either.

    Attributes:
        rows: how many texts.
        accuracy: in [0, 1]; calibration does not change it.
        log_loss_before: mean cross-entropy, in nats, of the raw logits.
        log_loss_after: the same at the temperature that the other half of the rows gives.
        calibration_error_before: expected calibration error in [0, 1], 15 equal-width bins, of the raw logits.
        calibration_error_after: the same after calibration.
    """

    rows: int
    accuracy: float
    log_loss_before: float
    log_loss_after: float
    calibration_error_before: float
    calibration_error_after: float


@dataclass(frozen=True)
class TrainingRecord:
    """How a classifier came to be.

    Attributes:
        rows: texts.
        class_counts: texts of each class.
        features: F.
        rare: whether n-grams that one text alone has are features.
        l2: strength of the regularisation.
        label_smoothing: as in `TrainOptions`.
        epochs: passes over the texts.
        seed: as in `TrainOptions`.
        trials: what was tried on held-out texts.
        held_out: figures on held-out texts, or None where none could be held out.
        steps: loss, gradient norm and logit scale over the final training, ten times an epoch.
        warnings: what a person should know, in words.
    """

    rows: int
    class_counts: tuple[int, ...]
    features: int
    rare: bool
    l2: float
    label_smoothing: float
    epochs: int
    seed: int
    trials: tuple[Trial, ...]
    held_out: HeldOut | None
    steps: tuple[TrainingStep, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, which `from_json` takes."""
        record = asdict(self)
        for name in ("class_counts", "trials", "steps", "warnings"):
            record[name] = list(record[name])
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> TrainingRecord:
        """Return the record that `to_json` wrote.

        Raises:
            TypeError, KeyError or ValueError: if it is not one.
        """
        held_out = record["held_out"]
        lists = ("class_counts", "trials", "steps", "warnings")
        if not all(isinstance(record[name], list) for name in lists):
            raise TypeError(f"{', '.join(lists)} must be lists")
        return _made(
            cls,
            {
                **record,
                "class_counts": tuple(record["class_counts"]),
                "trials": tuple(_made(Trial, trial) for trial in record["trials"]),
                "held_out": None if held_out is None else _made(HeldOut, held_out),
                "steps": tuple(_made(TrainingStep, step) for step in record["steps"]),
                "warnings": tuple(record["warnings"]),
            },
        )


def _made(kind: type[R], values: dict[str, Any]) -> R:
    """Return a record of this kind, once every field is there and what the kind says."""
    for name, hint in get_type_hints(kind).items():
        if not _is(values[name], hint):
            raise TypeError(f"{name} of its {kind.__name__} is {values[name]!r:.40}")
    return kind(**values)


def _is(value: Any, hint: Any) -> bool:
    """Say whether a value that came from JSON is what an annotation promises; a whole number is a float too."""
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_is(item, get_args(hint)[0]) for item in value)
    kinds = get_args(hint) or (hint,)
    if type(value) is float and not math.isfinite(value):
        return False
    return type(value) in kinds or (type(value) is int and float in kinds)


def judge_calibration(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> HeldOut | None:
    """Return what a temperature is worth, each half of the rows judged at the temperature of the other half."""
    if len(labels) < 2:
        return None
    scaled = logits / cross_temperatures(logits, labels)[:, None].astype(np.float32)
    return HeldOut(
        rows=len(labels),
        accuracy=accuracy(labels, logits.argmax(axis=1)),
        log_loss_before=log_loss(labels, logits=logits),
        log_loss_after=log_loss(labels, logits=scaled),
        calibration_error_before=expected_calibration_error(labels, logits=logits),
        calibration_error_after=expected_calibration_error(labels, logits=scaled),
    )
