"""Saved logits that are open: what they are, and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from logitkit.tables.stored import StoredRows

__all__ = ["LogitsFile"]


@dataclass(frozen=True)
class LogitsFile:
    """Logits on the disk and what belongs to them; `open_logits` makes it.

    Attributes:
        name: What messages call it.
        rows: The logits `[N, C]`; probabilities come as their logarithms, or log-odds if multi-label.
        labels: Class indices `[N]`; 0 and 1 in int8 `[N, C]` if multi-label; None where there are none.
        class_names: The names of the C classes, or None.
        groups: The group of each row, `[N]`, as an index of `group_names`; None where none was asked for.
        group_names: The names of the groups in order, or None.
        multilabel: Whether several classes can be right in a row.
        probs: Whether the file holds probabilities.

    Example:
        >>> import pathlib, tempfile
        >>> from logitkit.tables import open_logits
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "logits.npz"
        >>> np.savez(path, logits=np.array([[2.0, 1.0, 0.1], [0.5, 0.0, -1.0]], np.float32), labels=[0, 1])
        >>> with open_logits(path) as file:
        ...     file.rows.shape, file.rows.dtype, file.labels
        ((2, 3), dtype('float32'), array([0, 1]))
    """

    name: str
    rows: StoredRows
    labels: NDArray[Any] | None
    class_names: tuple[str, ...] | None
    groups: NDArray[np.intp] | None
    group_names: tuple[str, ...] | None
    multilabel: bool
    probs: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; a temporary one is gone then. It also closes when nobody holds the rows any more."""
        self.rows.close()
