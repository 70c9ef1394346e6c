"""How logits are audited: few options, and a default for all data."""

from __future__ import annotations

from dataclasses import dataclass

from logitkit.checks import check_choice, check_count, check_fraction, option_error
from logitkit.trust.binomial import check_open_fraction
from logitkit.trust.calibrators.methods import METHODS

__all__ = ["AuditOptions"]


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Options of `audit_logits`.

    Attributes:
        method: the calibrator to use, one of `trust.METHODS`; "auto" lets cross-validation choose.
        split: the share of the rows that calibrators are fitted on, in (0, 1); the others judge. At most 25,000 rows
            (and 16 million logits) are taken for fitting: more would not move a calibrator.
        max_error: the share of answers that may be wrong, in (0, 1).
        certainty: of that promise, in (0, 1).
        alpha: how often a prediction set may miss the label, in (0, 1); of a multi-label model, the share of true
            labels that may be missed.
        false_alarm_rate: the share of known inputs that may be taken for unknown, in (0, 1).
        compare: whether all methods are tried, or only the chosen one.
        seed: of the split, the folds and the intervals.

    Raises:
        OptionError: if an option is out of its range.

    Example:
        >>> from logitkit.audit.options import AuditOptions
        >>> AuditOptions(max_error=0.01).certainty
        0.95
    """

    method: str = "auto"
    split: float = 0.5
    max_error: float = 0.05
    certainty: float = 0.95
    alpha: float = 0.1
    false_alarm_rate: float = 0.05
    compare: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice(self.method, ("auto", *METHODS), "method", "audit_logits")
        if not 0.0 < check_fraction(self.split, "split", "audit_logits") < 1.0:
            raise option_error("split", "audit_logits", "above 0 and below 1", self.split)
        for name in ("max_error", "certainty", "alpha", "false_alarm_rate"):
            check_open_fraction(getattr(self, name), name, "audit_logits")
        check_count(self.seed, 0, 2**63 - 1, "seed", "audit_logits")
