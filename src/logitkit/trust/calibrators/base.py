"""What every calibrator is: logits in, calibrated log-probabilities out, and a way into a file and back."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from logitkit.arrays import compute_dtype, read_only
from logitkit.checks import as_logits, input_error
from logitkit.model_file import write_model_file

__all__ = ["KIND", "Calibrator", "check_no_nan"]

KIND = "calibrator"

Array = NDArray[Any]


class Calibrator(ABC):
    """Maps the logits of one model to probabilities that can be believed.

    `trust.fit_calibrator` makes one, `trust.load_calibrator` reads one.

    Attributes:
        method: how it was fitted, such as "temperature".
        n_classes: C.

    Example:
        >>> from logitkit import trust
        >>> calibrator = trust.fit_calibrator([[4.0, 0.0]] * 4, [0, 0, 0, 1], method="temperature")
        >>> calibrator.method, calibrator.n_classes, calibrator.log_probs([[0.0, 0.0]]).round(2).tolist()
        ('temperature', 2, [[-0.69, -0.69]])
    """

    method: str
    n_classes: int
    layout: ClassVar[str]
    """What a file calls this class, so that `load_calibrator` finds it."""

    def log_probs(self, logits: Any) -> Array:
        """Return calibrated log-probabilities `[N, C]`; rows of their exponentials sum to 1.

        They are logits too: whatever takes `logits=` takes them. A class that cannot be has -inf.

        Args:
            logits: `[N, C]` of the same model; float16 and bfloat16 compute in float32, integers in float64.

        Raises:
            InputError: if the shape does not fit or a logit is NaN; the first such row is named.
        """
        z = as_logits(logits, "log_probs", ndim=2)
        if z.shape[1] != self.n_classes:
            constraint = f"of {self.n_classes} classes, as in fitting"
            raise input_error("logits", "log_probs", constraint, f"the shape {list(z.shape)}")
        z = np.ascontiguousarray(z, compute_dtype(z.dtype))
        check_no_nan(z, "log_probs")
        return self._log_probs(read_only(z))

    def probs(self, logits: Any) -> Array:
        """Return calibrated probabilities `[N, C]`, each in [0, 1], rows that sum to 1. Arguments as `log_probs`."""
        log_probs = self.log_probs(logits)
        return np.exp(log_probs, out=log_probs)

    @abstractmethod
    def _log_probs(self, logits: Array) -> Array:
        """The same for logits that are checked: contiguous, read-only, float32 or float64."""

    @abstractmethod
    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the facts (JSON) that `restore` takes."""

    @classmethod
    @abstractmethod
    def restore(cls, method: str, n_classes: int, tensors: dict[str, Array], facts: dict[str, Any]) -> Calibrator:
        """Return what `parts` took apart.

        Raises:
            KeyError, TypeError or ValueError: if the parts are not such, do not fit together, or are not finite.
        """

    def file_parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the tensors and the manifest of a model file that holds this calibrator."""
        tensors, facts = self.parts()
        layout = {"layout": self.layout, "method": self.method, "n_classes": self.n_classes, "facts": facts}
        return tensors, {"kind": KIND, **layout}

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the calibrator to one file; the same calibrator gives the same bytes.

        Raises:
            OutputError: if the path is refused or the disk is full.
        """
        tensors, manifest = self.file_parts()
        write_model_file(path, tensors, manifest, force=force)


def check_no_nan(logits: Array, function: str) -> None:
    """Refuse logits `[N, C]` with a NaN, and name its row."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(logits.sum()):  # a NaN goes into every sum; +inf and -inf together make one too
            return
    rows = np.flatnonzero(np.isnan(logits).any(axis=1))
    if rows.size:
        raise input_error("logits", function, "free of NaN", f"NaN in row {rows[0]}")
