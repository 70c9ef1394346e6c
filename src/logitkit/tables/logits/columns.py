"""Which columns of a table are the logits, the labels and the groups: what was named, or what names say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from logitkit.errors import InputError
from logitkit.tables.logits.cells import is_list, is_text
from logitkit.tables.logits.names import LABEL_NAMES, LABELS_OPTION, LIST_NAMES, LOGITS_OPTION, Wanted, named, shown

__all__ = ["Columns", "choose_columns", "column_kinds"]

_LOGIT_PREFIXES = ("logit_", "logits_")
_PROB_PREFIXES = ("prob_", "probs_", "probability_")
_LABEL_PREFIXES = ("label_", "labels_")


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes:
        logits: One list column, or one column of numbers a class.
        listed: Whether it is one list column.
        class_names: What the columns of numbers are called, without `logit_`; None for a list.
        labels: None, one, or one a class.
        group: The column of groups, or None.
    """

    logits: tuple[str, ...]
    listed: bool
    class_names: tuple[str, ...] | None
    labels: tuple[str, ...]
    group: str | None

    @property
    def all(self) -> list[str]:
        """Every column once."""
        return list(dict.fromkeys([*self.logits, *self.labels, *([self.group] if self.group else [])]))


def column_kinds(schema: pa.Schema, some: pa.RecordBatch | None) -> dict[str, str]:
    """Return what each column holds: "float", "integer", "lists" of numbers, "other lists" or "other".

    Args:
        schema: The columns.
        some: Of a table without types, some rows to look at; None where the types say it.

    Example:
        >>> column_kinds(pa.schema([("a", pa.float32()), ("b", pa.list_(pa.int64()))]), None)
        {'a': 'float', 'b': 'lists'}
    """
    if some is None:
        return {field.name: _kind_of_type(field.type) for field in schema}
    return {field.name: _kind_of_cells(some.column(index)) for index, field in enumerate(schema)}


def choose_columns(name: str, kinds: Mapping[str, str], wanted: Wanted, *, typed: bool) -> Columns:
    """Return which columns are which.

    The logits are what was asked for, or the column `logits` if it holds lists, or the only one that holds lists, or
    all that begin with `logit_`, or all that hold floats. A table without types where integers stand beside floats
    needs a name: they may be logits too, or a number of the row.

    Args:
        name: What messages call the table.
        kinds: The columns in order, and what each holds.
        wanted: What was asked for.
        typed: Whether the table has types; CSV has none, and JSON knows no difference of 1 and 1.0.

    Raises:
        InputError: if a column is not there, or nothing says which are the logits.

    Example:
        >>> kinds = {"logit_no": "float", "logit_yes": "float", "label": "other"}
        >>> choose_columns("news.parquet", kinds, Wanted(), typed=True).class_names
        ('no', 'yes')
    """
    names = list(kinds)
    labels = named(name, names, wanted.labels, LABELS_OPTION)
    usual = [label for label in LABEL_NAMES if label in kinds]
    by_class = _with_prefix(names, _LABEL_PREFIXES)
    if not labels and wanted.with_labels:
        labels = tuple(usual[:1]) or by_class
    group = wanted.group if wanted.group in kinds else None
    chosen = named(name, names, wanted.logits, LOGITS_OPTION)
    if chosen:
        lists = [column for column in chosen if kinds[column] in ("lists", "other lists")]
        if lists and len(chosen) > 1:
            raise InputError(f"{name} holds lists in column {lists[0]!r}; name one such column, or one column a class.")
        logits, listed = chosen, bool(lists)
    else:
        taken = {*labels, *usual, *by_class, group}
        free = {column: kind for column, kind in kinds.items() if column not in taken}
        logits, listed = _usual_logits(name, free, wanted.probs, typed)
    return Columns(logits, listed, None if listed else _class_names(logits), labels, group)


def _usual_logits(name: str, kinds: Mapping[str, str], probs: bool, typed: bool) -> tuple[tuple[str, ...], bool]:
    """Return the columns of logits where none were asked for, and whether they are one column of lists."""
    lists = [column for column, kind in kinds.items() if kind == "lists"]
    best = [column for column in LIST_NAMES[probs] if column in lists][:1] or lists
    if len(best) > 1:
        raise InputError(
            f"{name} holds lists in the columns {shown(best)}; pass {LOGITS_OPTION} to say which is meant."
        )
    if best:
        return tuple(best), True
    chosen = _with_prefix(list(kinds), (_PROB_PREFIXES if probs else ()) + _LOGIT_PREFIXES)
    if chosen:
        return _by_number(chosen), False
    if all(map(_is_number, kinds)) and not all(column.strip().isdigit() for column in kinds):
        raise InputError(f"{name} begins with numbers, and its first row must hold the names of the columns; add them.")
    floats = tuple(column for column, kind in kinds.items() if kind == "float")
    integers = [column for column, kind in kinds.items() if kind == "integer"]
    if integers and not typed and (floats or len(integers) > 1):
        raise InputError(
            f"{name} holds integers in {shown(integers)}, which may be logits or not; pass {LOGITS_OPTION} with the"
            " columns that are the logits."
        )
    if not floats:
        raise InputError(
            f"{name} has no column that holds logits beside {shown(list(kinds))}; pass {LOGITS_OPTION} with a list"
            " column or with one column a class, in their order."
        )
    return floats, False


def _kind_of_type(kind: pa.DataType) -> str:
    if is_list(kind):
        inner = _kind_of_type(kind.value_type)
        return "lists" if inner in ("float", "integer") else "other lists"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float"
    return "integer" if pa.types.is_integer(kind) else "other"


def _kind_of_cells(column: pa.Array) -> str:
    """Return what all cells of a column can be read as."""
    if not is_text(column.type):
        return _kind_of_type(column.type)
    if len(column) and re.match(r"\s*\[\s*[-+\d.]", column[0].as_py() or ""):
        return "lists"  # as `logitkit predict --logits` writes them into CSV
    text = pc.utf8_trim_whitespace(column)
    for kind, word in ((pa.int64(), "integer"), (pa.float64(), "float")):
        try:
            text.cast(kind)
        except pa.ArrowInvalid:
            continue
        return word
    return "other"


def _with_prefix(columns: Sequence[str], prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns, two or more, that begin with the first such beginning."""
    for prefix in prefixes:
        found = tuple(column for column in columns if column.startswith(prefix) and column != prefix)
        if len(found) > 1:
            return found
    return ()


def _by_number(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return columns that are numbered from 0 in the order of their numbers, and others as they stand."""
    place = {number: column for number, column in zip(_class_names(columns), columns, strict=True)}
    numbers = [str(index) for index in range(len(columns))]
    return tuple(place[number] for number in numbers) if place.keys() == set(numbers) else columns


def _class_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the columns are called, without the beginning that is usual for logits if all have it."""
    for prefix in (*_LOGIT_PREFIXES, *_PROB_PREFIXES):
        if all(column.startswith(prefix) and column != prefix for column in columns):
            return tuple(column.removeprefix(prefix) for column in columns)
    return columns


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
