"""Logits in a table → rows on the disk or in memory, batch by batch, with the labels and groups beside them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from logitkit.errors import InputError
from logitkit.tables.logits.cells import is_list, list_matrix, number_matrix
from logitkit.tables.logits.columns import Columns, choose_columns, column_kinds
from logitkit.tables.logits.label_values import FoundLabels, compact, labels_from_columns
from logitkit.tables.logits.names import Wanted
from logitkit.tables.logits.whole_rows import WholeRows
from logitkit.tables.reader import read_batches
from logitkit.tables.sources import table_format
from logitkit.tables.stored.bytes import Spool
from logitkit.tables.stored.rows import FileRows

__all__ = ["LogitTable", "read_logit_table"]

_NARROW = (pa.float16(), pa.float32())


@dataclass(frozen=True)
class LogitTable:
    """What a table holds: `rows` [N, C], what else was found in it, and the `names` of all its columns."""

    rows: FileRows
    labels: FoundLabels | None
    groups: FoundLabels | None
    class_names: tuple[str, ...] | None
    names: tuple[str, ...]


def read_logit_table(
    path: str | os.PathLike[str],
    wanted: Wanted,
    *,
    format: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> LogitTable:
    """Reads a table once, in batches; what does not fit in memory is kept in a temporary file.

    Numbers are kept in float32 if all columns hold that or less, else in float64, as numbers written in text are.

    Args:
        path: The table, or `-`.
        wanted: Which columns are which.
        format: As in `read_batches`.
        progress: As in `read_batches`.

    Raises:
        InputError: If the table is missing or damaged, a cell is no number, or nothing says which are the logits.
        OptionError: If the format is unknown.
    """
    name = "standard input" if str(path) == "-" else str(path)
    typed = table_format(path, format)[0] not in ("csv", "tsv", "jsonl")
    reader = read_batches(path, format=format, bad_rows=WholeRows(name), progress=progress)
    with reader:
        names = reader.schema.names
        some = None if typed else next(reader, None)
        if some is None and not typed:
            raise _no_rows(name)
        columns = choose_columns(name, column_kinds(reader.schema, some), wanted, typed=typed)
        if some is not None or str(path) == "-":  # a pipe can be read but once
            return _read(name, itertools.chain([] if some is None else [some], reader), columns, names)
    with read_batches(path, columns=columns.all, format=format, bad_rows=WholeRows(name), progress=progress) as reader:
        return _read(name, reader, columns, names)


def _read(name: str, batches: Iterable[pa.RecordBatch], columns: Columns, names: Sequence[str]) -> LogitTable:
    spool, rows, C = Spool(name), 0, 0 if columns.listed else len(columns.logits)
    dtype = np.dtype(np.float64)
    others: dict[str, list[pa.Array]] = {column: [] for column in columns.all if column not in columns.logits}
    for batch in batches:
        logits = [batch.column(column) for column in columns.logits]
        dtype = _dtype(logits)
        if columns.listed:
            block = list_matrix(logits[0], columns.logits[0], C, dtype, name, rows + 1)
            C = block.shape[1]
        else:
            block = np.empty((batch.num_rows, C), dtype)
            number_matrix(logits, columns.logits, block, name, rows + 1)
        spool.write(block)
        rows += batch.num_rows
        for column, parts in others.items():
            parts.append(compact(batch.column(column)))
    if not rows:
        raise _no_rows(name)
    found = {column: pa.chunked_array(parts) for column, parts in others.items()}

    def values(chosen: Sequence[str]) -> FoundLabels | None:
        return labels_from_columns([found[column] for column in chosen], chosen, name) if chosen else None

    stored_rows = FileRows(spool.stored(), 0, (rows, C), dtype, first_row=1)
    groups = values([columns.group] if columns.group is not None else [])
    return LogitTable(stored_rows, values(columns.labels), groups, columns.class_names, tuple(names))


def _dtype(logits: Sequence[pa.Array]) -> np.dtype[Any]:
    kinds = [column.type.value_type if is_list(column.type) else column.type for column in logits]
    return np.dtype(np.float32 if all(kind in _NARROW for kind in kinds) else np.float64)


def _no_rows(name: str) -> InputError:
    return InputError(f"{name} has no rows; the logits of some samples are needed.")
