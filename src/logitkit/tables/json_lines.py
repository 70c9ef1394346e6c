"""JSON Lines: parsed by Arrow wherever the lines allow it, line by line where they do not."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson

from logitkit.errors import InputError
from logitkit.tables.bad_rows import BadRows
from logitkit.tables.json_types import coerced, joined, plain_type, type_of_value
from logitkit.tables.records import chunks, last_line_end, valid_utf8
from logitkit.tables.sources import Source

__all__ = ["JsonLinesReader"]


class JsonLinesReader:
    """Batches of a JSON Lines file, with the number of each row.

    A first pass over the file finds the columns and the type of each, so that a field that comes late or changes its
    type is not lost: a column of several types is read as strings. A pipe is kept on the disk for that.
    """

    def __init__(self, source: Source, bad_rows: BadRows, chunk_bytes: int, progress: Callable[[], None]) -> None:
        self.source = source
        self.bad_rows = bad_rows
        self.replaced = 0
        self.rows = 0
        self.hint = ""
        self._chunk_bytes = chunk_bytes
        source.spool()
        types: dict[str, pa.DataType] = {}
        fault = ""
        for text, _ in self._chunks():
            valid = valid_utf8(text)[0]
            found = _types(valid)
            for name, kind in found.items():
                types[name] = joined(types[name], kind) if name in types else kind
            if not found and not fault:
                fault = next((_object(line)[1] for line in _lines(valid)), "")
            progress()
        if not types:
            raise InputError(f"{source.name} has no row with a field: in row 1 {fault or 'the object is empty'}.")
        source.rewind()
        self._types = types
        self.names = list(types)

    def _chunks(self) -> Iterator[tuple[bytes, bool]]:
        first = True
        for text, is_open in chunks(self.source, self._chunk_bytes, last_line_end):
            if first and text.lstrip()[:1] == b"[":
                raise InputError(
                    f"{self.source.name} is a JSON array, and JSON Lines is needed: one object on each line;"
                    f" `jq -c '.[]' {self.source.name}` makes it."
                )
            first = False
            yield text, is_open

    def select(self, columns: list[str], strings: set[str]) -> pa.Schema:
        """Chooses the columns to read and returns their schema."""
        self._strings = strings.intersection(columns)
        kinds = [(name, pa.string() if name in strings else self._types[name]) for name in columns]
        self.schema = pa.schema(kinds)
        self._plan = self.schema
        return self.schema

    def batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        """Yields each batch with the row numbers of its rows."""
        for text, _ in self._chunks():
            valid, replaced = valid_utf8(text)
            self.replaced += replaced
            if not valid.strip():
                continue
            table = self._by_arrow(valid)
            if table is None:
                yield self._by_line(valid)
            else:
                batch = _one_batch(table)
                numbers = np.arange(self.rows + 1, self.rows + batch.num_rows + 1)
                self.rows += batch.num_rows
                yield batch, numbers

    @property
    def bytes_read(self) -> int:
        """The bytes of the file taken so far, over both passes."""
        return self.source.bytes_read

    def _by_arrow(self, text: bytes) -> pa.Table | None:
        """The chunk as Arrow reads it, or None where that fails or would change a value."""
        table = _arrow_table(text, self._plan)
        if table is None:  # most often a label that is a number
            inferred = _arrow_table(text)
            if inferred is None:
                return None
            self._plan = pa.schema([self._as_written(field, inferred) for field in self.schema])
            table = _arrow_table(text, self._plan)
        if table is None or table.schema == self.schema:
            return table
        try:
            return table.cast(self.schema)
        except pa.ArrowInvalid:
            return None

    def _as_written(self, field: pa.Field, inferred: pa.Table) -> pa.Field:
        """How to read a string column whose values are not strings here, so that the cast writes them as they were."""
        if pa.types.is_string(field.type) and field.name in inferred.column_names:
            kind = inferred.schema.field(field.name).type
            if kind in (pa.int64(), pa.bool_()):
                return pa.field(field.name, kind)
        return field

    def _by_line(self, text: bytes) -> tuple[pa.RecordBatch, np.ndarray]:
        columns: list[list[Any]] = [[] for _ in self.schema]
        numbers = []
        for line in _lines(text):
            self.rows += 1
            value, reason = _object(line)
            for name in () if reason else self._strings:
                if isinstance(value.get(name), (list, dict)):
                    reason = f"{name} is a {'list' if isinstance(value[name], list) else 'object'}, not a string"
            if reason:
                self.bad_rows.add(self.rows, reason, value or line)
                continue
            numbers.append(self.rows)
            for cells, field in zip(columns, self.schema, strict=True):
                cells.append(coerced(value.get(field.name), field.type))
        arrays = [pa.array(cells, field.type) for cells, field in zip(columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), np.array(numbers, np.int64)


def _types(text: bytes) -> dict[str, pa.DataType]:
    """The type of each column in one chunk, from Arrow if its guess is exact, else from the values."""
    table = _arrow_table(text)
    if table is not None:
        kinds = {name: plain_type(table[name]) for name in table.column_names}
        if all(kind is not None for kind in kinds.values()):
            return kinds
    types: dict[str, pa.DataType] = {}
    for line in _lines(text):
        for name, value in _object(line)[0].items():
            kind = type_of_value(value)
            types[name] = joined(types[name], kind) if name in types else kind
    return types


def _arrow_table(text: bytes, schema: pa.Schema | None = None) -> pa.Table | None:
    """The chunk as one table, or None if Arrow refuses it or does not find one object a line."""
    if not text.strip():
        return None
    parse = pajson.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore"
    )
    lines = np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    for block_bytes in (1 << 20, len(text) + 1):  # blocks run in parallel, but must not differ in type
        try:
            table = pajson.read_json(
                pa.BufferReader(text), read_options=pajson.ReadOptions(block_size=block_bytes), parse_options=parse
            )
        except (pa.ArrowException, UnicodeDecodeError):
            continue
        return table if table.num_rows == lines else None
    return None


def _lines(text: bytes) -> Iterator[str]:
    return (line.decode() for line in text.split(b"\n") if line.strip())


def _object(line: str) -> tuple[dict[str, Any], str]:
    """The object of a line, or an empty one and what is wrong with the line."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return {}, f"it is not valid JSON ({error.msg}, column {error.colno:,})"
    except (RecursionError, ValueError):
        return {}, "its JSON is nested too deeply or has a number that is too long"
    if not isinstance(value, dict):
        return {}, "it is not a JSON object"
    return value, ""


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
