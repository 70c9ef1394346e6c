"""A calibrator from the parts that a file holds."""

from __future__ import annotations

import importlib
import os
from typing import Any

from logitkit.errors import ModelFileError
from logitkit.model_file import read_model_file
from logitkit.trust.calibrators.base import KIND, Array, Calibrator

__all__ = ["load_calibrator", "restore_calibrator", "restore_layout"]

_LAYOUTS = {
    "affine": ("affine", "AffineCalibrator"),
    "one-vs-rest": ("one_vs_rest", "OneVsRestCalibrator"),
    "venn-abers": ("venn_abers", "VennAbersCalibrator"),
    "multi-label": ("multilabel", "MultilabelCalibrator"),
}
_AGAIN = "fetch the file again or fit the calibrator again"


def restore_layout(manifest: dict[str, Any], tensors: dict[str, Array]) -> Calibrator:
    """Return the calibrator that these parts make.

    Raises:
        KeyError, TypeError or ValueError: if they make none.
    """
    layout, method, n_classes = manifest["layout"], manifest["method"], manifest["n_classes"]
    if layout not in _LAYOUTS:
        raise ValueError(f"it has the unknown layout {str(layout)!r:.40}")
    if not isinstance(method, str) or type(n_classes) is not int or not 1 <= n_classes <= 10**7:
        raise ValueError("its method or its number of classes is none")
    module, name = _LAYOUTS[layout]
    kind: type[Calibrator] = getattr(importlib.import_module(f"logitkit.trust.calibrators.{module}"), name)
    return kind.restore(method, n_classes, tensors, manifest["facts"])


def load_calibrator(path: str | os.PathLike[str]) -> Calibrator:
    """Read a calibrator that `save` or `logitkit audit -o` wrote.

    Nothing in the file is executed, and nothing is believed unchecked.

    Raises:
        ModelFileError: if it is truncated, altered, foreign, of a newer version, or inconsistent.
        InputError: if there is no such file.

    Example:
        >>> import pathlib, tempfile
        >>> from logitkit import trust
        >>> calibrator = trust.fit_calibrator([[4.0, 0.0]] * 4, [0, 0, 0, 1], method="temperature")
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.logitkit"
        >>> calibrator.save(path)
        >>> trust.load_calibrator(path).probs([[4.0, 0.0]]).round(2).tolist()
        [[0.75, 0.25]]
    """
    return restore_calibrator(path, *read_model_file(path))


def restore_calibrator(path: str | os.PathLike[str], tensors: dict[str, Array], manifest: dict[str, Any]) -> Calibrator:
    """Return the calibrator in a file that is read already; errors are those of `load_calibrator`."""
    if manifest.get("kind") != KIND:
        raise ModelFileError(
            f"{path} holds {str(manifest.get('kind'))!r:.60}, not a calibrator: "
            "give a file that `logitkit audit -o` wrote."
        )
    try:
        return restore_layout(manifest, tensors)
    except KeyError as error:
        raise ModelFileError(f"{path} is not a consistent calibrator: it lacks {error}; {_AGAIN}.") from error
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        said = str(error)[:200].rstrip(".")
        raise ModelFileError(f"{path} is not a consistent calibrator: {said}; {_AGAIN}.") from error
