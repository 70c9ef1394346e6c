"""How a classifier is trained: few options, and a default for all data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from logitkit.checks import check_count, check_fraction, check_temperature, option_error
from logitkit.text import Column, NgramSpec
from logitkit.trust.binomial import check_open_fraction

__all__ = ["TrainOptions", "default_ngrams"]

_LONG_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of `TextClassifier`. None means: let the training data decide.

    Attributes:
        ngrams: which n-grams are features; by default words and word pairs, and characters too where texts are short.
        rare: keep n-grams that one text alone has; by default what gives the lower log loss on held-out texts.
        l2: strength of ½ l2 ‖W‖², above 0; by default 0.1 / N, or 0.3 / N and 0.9 / N as
            long as the stronger is better on held-out texts.
        label_smoothing: the share of each target that goes to all classes alike, in [0, 1).
        class_weights: how much each class counts, by name (1 for the others), or "balanced": inversely to how often it
            occurs.
        epochs: passes over the texts, 1 to 1000; by default 5, up to 40 where there are few.
        patience: passes with a held-out log loss above the lowest after which training stops, at least 1.
        max_error: do not answer where more than this share of answers would be wrong (see `abstention`), in (0, 1);
            None answers always.
        certainty: of that promise, in (0, 1).
        false_alarm_rate: take at most this share of texts like those of training for outliers, which are not answered,
            in [0, 1); 0 takes none.
        seed: of the order of the texts and of the held-out split.

    Raises:
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit import TrainOptions
        >>> TrainOptions(seed=7).seed
        7
    """

    ngrams: NgramSpec | None = None
    rare: bool | None = None
    l2: float | None = None
    label_smoothing: float = 0.0
    class_weights: Mapping[str, float] | Literal["balanced"] | None = None
    epochs: int | None = None
    patience: int = 2
    max_error: float | None = None
    certainty: float = 0.95
    false_alarm_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.l2 is not None and not 0.0 < check_fraction(self.l2, "l2", "TrainOptions") < 1.0:
            raise option_error("l2", "TrainOptions", "above 0 and below 1", self.l2)
        if check_fraction(self.label_smoothing, "label_smoothing", "TrainOptions") == 1.0:
            raise option_error("label_smoothing", "TrainOptions", "below 1", self.label_smoothing)
        if self.epochs is not None:
            check_count(self.epochs, 1, 1000, "epochs", "TrainOptions")
        check_count(self.patience, 1, 1000, "patience", "TrainOptions")
        check_count(self.seed, 0, 2**63 - 1, "seed", "TrainOptions")
        if self.max_error is not None:
            check_open_fraction(self.max_error, "max_error", "TrainOptions")
        check_open_fraction(self.certainty, "certainty", "TrainOptions")
        if check_fraction(self.false_alarm_rate, "false_alarm_rate", "TrainOptions") == 1.0:
            raise option_error("false_alarm_rate", "TrainOptions", "below 1", self.false_alarm_rate)
        if isinstance(self.class_weights, str):
            if self.class_weights != "balanced":
                raise option_error(
                    "class_weights", "TrainOptions", "'balanced' or a weight by name", self.class_weights
                )
        else:
            for name, weight in (self.class_weights or {}).items():
                check_temperature(weight, "TrainOptions", f"class_weights[{name!r}]")


def default_ngrams(column: Column) -> NgramSpec:
    """Return words and word pairs, and the characters inside words too where texts are short.

    Texts of 1,000 bytes and more on average have words enough: characters then cost much and tell little.
    """
    size = int(column.offsets[-1]) - int(column.offsets[0])
    if size > _LONG_BYTES * column.rows:
        return NgramSpec(chars=(1, 0))
    return NgramSpec()
