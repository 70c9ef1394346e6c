"""A policy for tables of which every row counts: none may be left out, since labels in another file would go astray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logitkit.errors import InputError
from logitkit.tables.bad_rows import BadRows

__all__ = ["WholeRows"]


class WholeRows(BadRows):
    """Refuses the first row that cannot be used.

    Args:
        name: What messages call the table.

    Example:
        >>> WholeRows("logits.csv").add(7, "2 fields instead of 3", "0.1,0.2")
        Traceback (most recent call last):
        logitkit.errors.InputError: logits.csv, row 7: 2 fields instead of 3; correct it, since every row counts here.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def add(self, row: int, reason: str, content: str | Mapping[str, Any]) -> None:  # noqa: ARG002  (not kept)
        """Refuses the row."""
        raise InputError(f"{self._name}, row {row:,}: {reason}; correct it, since every row counts here.")
