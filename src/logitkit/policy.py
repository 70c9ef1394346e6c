"""From the logits of one model to decisions: calibrator, abstention, outliers and prediction sets in one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.decision import Decision, DecisionColumns, decide_columns
from logitkit.errors import ModelFileError, OptionError
from logitkit.model_file import read_model_file, write_model_file
from logitkit.trust.abstention_rule import AbstentionRule
from logitkit.trust.calibrators.base import Calibrator
from logitkit.trust.calibrators.multilabel import MultilabelCalibrator
from logitkit.trust.calibrators.restore import restore_calibrator
from logitkit.trust.conformal_predictor import ConformalPredictor
from logitkit.trust.outlier_rule import OutlierRule

__all__ = ["DecisionPolicy"]

_KEY = "policy"


@dataclass(frozen=True)
class DecisionPolicy:
    """What to make of a model's logits; `logitkit audit -o` writes one.

    Each part but the calibrator may be None. The file is a calibrator's too: `trust.load_calibrator` reads it.

    Attributes:
        calibrator: logits → probabilities.
        class_names: C.
        abstention: below which probability not to answer.
        outliers: which inputs are unlike what the model knows; judged on the raw logits.
        prediction_sets: which classes cannot be ruled out.

    Raises:
        OptionError: if the numbers of classes differ, or there is a rule that several labels a row cannot have.

    Example:
        >>> from logitkit import DecisionPolicy, trust
        >>> calibrator = trust.fit_calibrator([[4.0, 0.0]] * 4, [0, 0, 0, 1], method="temperature")
        >>> policy = DecisionPolicy(calibrator, ("ham", "spam"))
        >>> [(d.label, round(d.probability, 2)) for d in policy.decide([[4.0, 0.0], [0.0, 8.0]])]
        [('ham', 0.75), ('spam', 0.9)]
    """

    calibrator: Calibrator
    class_names: tuple[str, ...]
    abstention: AbstentionRule | None = None
    outliers: OutlierRule | None = None
    prediction_sets: ConformalPredictor | None = None

    def __post_init__(self) -> None:
        C = self.calibrator.n_classes
        classes = [len(self.class_names)]
        classes += [len(self.abstention.thresholds)] if self.abstention and self.abstention.by_class else []
        classes += [self.prediction_sets.n_classes] if self.prediction_sets else []
        if any(count != C for count in classes):
            raise OptionError(
                f"The parts of a DecisionPolicy must be of {C} classes, as its calibrator; got {classes}."
            )
        if isinstance(self.calibrator, MultilabelCalibrator) and (self.abstention or self.prediction_sets):
            raise OptionError("A DecisionPolicy of a multi-label model has no abstention and no prediction sets.")

    def decide_columns(self, logits: Any) -> DecisionColumns:
        """Return the decisions of every row of logits `[N, C]` as columns of class indices.

        Raises:
            InputError: if the shape does not fit or a logit is NaN.
            OptionError: if the model is multi-label: its rows have no one label.
        """
        if isinstance(self.calibrator, MultilabelCalibrator):
            raise OptionError("A row of a multi-label model has no one label; take the labels by their probabilities.")
        outliers = None if self.outliers is None else self.outliers.is_outlier(logits)
        threshold = 0.0 if self.abstention is None else self.abstention.threshold
        return decide_columns(self.calibrator.log_probs(logits), threshold=threshold, outliers=outliers)

    def decide(self, logits: Any) -> list[Decision]:
        """Return one decision a row: label or None, probability, and the reason. Errors as `decide_columns`."""
        return self.decide_columns(logits).named(self.class_names)

    def predict_sets(self, logits: Any) -> NDArray[np.bool_]:
        """Return which classes cannot be ruled out, booleans `[N, C]`.

        Raises:
            OptionError: if the policy has no prediction sets.
        """
        if self.prediction_sets is None:
            raise OptionError("This DecisionPolicy has no prediction sets; audit again with --sets.")
        return self.prediction_sets.predict_sets(logits=self.calibrator.log_probs(logits))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the policy to one file; the same policy gives the same bytes.

        Raises:
            OutputError: if the path is refused or the disk is full.
        """
        tensors, manifest = self.calibrator.file_parts()
        parts = {name: getattr(self, name) for name in ("abstention", "outliers", "prediction_sets")}
        rules = {name: None if part is None else part.parts() for name, part in parts.items()}
        policy = {"class_names": list(self.class_names), **rules}
        write_model_file(path, tensors, {**manifest, _KEY: policy}, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DecisionPolicy:
        """Read what `save` wrote; of a calibrator's file, classes are named by their numbers.

        Raises:
            ModelFileError: if it is truncated, altered, foreign, of a newer version, or inconsistent.
            InputError: if there is no such file.
        """
        tensors, manifest = read_model_file(path)
        calibrator = restore_calibrator(path, tensors, manifest)
        try:
            return cls._restored(calibrator, manifest.get(_KEY))
        except KeyError as error:
            raise _inconsistent(path, f"it lacks {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise _inconsistent(path, str(error)[:200].rstrip(".")) from error

    @classmethod
    def _restored(cls, calibrator: Calibrator, policy: Any) -> DecisionPolicy:
        if policy is None:
            return cls(calibrator, tuple(map(str, range(calibrator.n_classes))))
        names: Sequence[str] = policy["class_names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("class_names must be strings")
        kinds = {"abstention": AbstentionRule, "outliers": OutlierRule, "prediction_sets": ConformalPredictor}
        rules: dict[str, Any] = {
            name: None if policy[name] is None else kind.restore(policy[name])  # type: ignore[attr-defined]
            for name, kind in kinds.items()
        }
        return cls(calibrator, tuple(names), **rules)


def _inconsistent(path: str | os.PathLike[str], what: str) -> ModelFileError:
    return ModelFileError(f"{path} is not a consistent policy: {what}; fetch the file again or audit again.")
