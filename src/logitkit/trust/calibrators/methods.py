"""Every way to calibrate, by name, from the simplest to the richest, and what each can be used for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logitkit.errors import OptionError
from logitkit.trust.calibrators.base import Array, Calibrator

__all__ = ["METHODS", "candidates", "fit_method"]

METHODS = (
    "none", "temperature", "shared beta", "bias-corrected temperature", "vector", "beta", "half structured matrix",
    "structured matrix", "shared beta matrix", "dirichlet", "isotonic", "histogram", "venn-abers",
)  # fmt: skip
"""The names that `fit_calibrator` takes, beside "auto"."""

MATRIX_CLASSES = 200  # a matrix of more would take minutes to fit: `auto` leaves it out, the name still brings it
_ISOTONIC_ROWS = 2_000  # with fewer, a step function follows the noise


def candidates(n_classes: int, n_rows: float) -> tuple[str, ...]:
    """Return the methods among which `auto` chooses, the simplest first.

    A few that differ: the structured matrix holds the vector and the biases in itself, and its penalties draw it to
    them. Among methods that are nearly the same, cross-validation draws lots.

    Example:
        >>> from logitkit.trust.calibrators.methods import candidates
        >>> candidates(3, 500)
        ('none', 'temperature', 'shared beta', 'half structured matrix', 'structured matrix', 'shared beta matrix')
        >>> candidates(1000, 50_000)
        ('none', 'temperature', 'shared beta', 'vector')
    """
    if n_classes < 2:
        return ("none",)
    if n_classes == 2:
        richer = ("isotonic",) if n_rows >= _ISOTONIC_ROWS else ()
        return ("none", "temperature", "beta", *richer)
    if n_classes > MATRIX_CLASSES:
        return ("none", "temperature", "shared beta", "vector")
    matrices = ("half structured matrix", "structured matrix", "shared beta matrix")
    return ("none", "temperature", "shared beta", *matrices)


def fit_method(method: str, logits: Array, labels: NDArray[np.intp], sample_weights: Any = None) -> Calibrator:
    """Return a calibrator of this method; the arrays are checked already.

    Raises:
        OptionError: if the method cannot be used for so many classes, or not with weights.
    """
    C = logits.shape[1]
    if method == "beta" and C != 2:
        raise OptionError(f"The method 'beta' is for two classes; got {C}: use 'vector' or 'structured matrix'.")
    if method == "isotonic":
        from logitkit.trust.calibrators.one_vs_rest import fit_isotonic

        return fit_isotonic(logits, labels, sample_weights=sample_weights)
    if method == "histogram":
        from logitkit.trust.calibrators.one_vs_rest import fit_histogram

        return fit_histogram(logits, labels, sample_weights=sample_weights)
    if method == "venn-abers":
        from logitkit.trust.calibrators.venn_abers import fit_venn_abers

        if sample_weights is not None:
            raise OptionError("The method 'venn-abers' knows no sample weights; leave them out or use 'isotonic'.")
        return fit_venn_abers(logits, labels)
    from logitkit.trust.calibrators.fit_affine import fit_affine

    return fit_affine(method, logits, labels, sample_weights)
