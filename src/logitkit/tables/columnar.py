"""Parquet and Arrow IPC: columns with types of their own."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logitkit.errors import InputError
from logitkit.tables.records import valid_utf8
from logitkit.tables.sources import Source, unreadable

__all__ = ["ArrowReader", "ParquetReader", "as_text"]


class ParquetReader:
    """Batches of a Parquet file, with the number of each row."""

    hint = ""

    def __init__(self, source: Source, batch_bytes: int) -> None:
        source.spool()
        self.source = source
        self.rows = 0
        self.replaced = 0
        self.bytes_read = 0
        self._batch_bytes = batch_bytes
        try:
            self._file = pq.ParquetFile(_seekable(source))
            self._schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(source.name, error) from None
        self.names = list(self._schema.names)

    def select(self, columns: list[str], strings: set[str]) -> pa.Schema:
        """Chooses the columns to read and returns their schema."""
        self._columns = columns
        self.schema = _with_text(self.source.name, self._schema, columns, strings)
        return self.schema

    def batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        """Yields each batch with the row numbers of its rows."""
        metadata = self._file.metadata
        bytes_of_all = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        rows = max(1, min(65536, int(self._batch_bytes * metadata.num_rows / max(1, bytes_of_all))))
        found = self._file.iter_batches(rows, columns=self._columns)
        for batch, replaced in _checked(self.source.name, found, self.schema):
            numbers = np.arange(self.rows + 1, self.rows + batch.num_rows + 1)
            self.rows += batch.num_rows
            self.replaced += replaced
            self.bytes_read = int((self.source.size or 0) * self.rows / metadata.num_rows)
            yield batch, numbers


class ArrowReader:
    """Batches of an Arrow IPC file (also Feather version 2) or stream, with the number of each row."""

    hint = ""

    def __init__(self, source: Source) -> None:
        source.spool()
        self.source = source
        self.rows = 0
        self.replaced = 0
        self.bytes_read = 0
        file = _seekable(source)
        self._is_file = False
        try:
            start = file.read(6)
            file.seek(0)
            if start[:4] == b"FEA1":
                raise InputError(f"{source.name} is a Feather file of version 1; save it as version 2 or Parquet.")
            self._is_file = start == b"ARROW1"
            self._schema = (pa.ipc.open_file(file) if self._is_file else pa.ipc.open_stream(file)).schema
            file.seek(0)
            names = list(self._schema.names)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise unreadable(source.name, error) from None
        self._file = file
        self.names = names

    def select(self, columns: list[str], strings: set[str]) -> pa.Schema:
        """Chooses the columns to read and returns their schema."""
        self._columns = columns
        self.schema = _with_text(self.source.name, self._schema, columns, strings)
        return self.schema

    def batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        """Yields each batch with the row numbers of its rows."""
        for batch, replaced in _checked(self.source.name, self._found(), self.schema):
            numbers = np.arange(self.rows + 1, self.rows + batch.num_rows + 1)
            self.rows += batch.num_rows
            self.replaced += replaced
            yield batch, numbers

    def _found(self) -> Iterator[pa.RecordBatch]:
        options = pa.ipc.IpcReadOptions(included_fields=[self.names.index(name) for name in self._columns])
        if self._is_file:
            reader = pa.ipc.open_file(self._file, options=options)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                self.bytes_read = int((self.source.size or 0) * (index + 1) / reader.num_record_batches)
                yield batch.select(self._columns)
        else:
            for batch in pa.ipc.open_stream(self._file, options=options):
                self.bytes_read = self._file.tell()
                yield batch.select(self._columns)


def as_text(array: pa.Array) -> pa.Array:
    """A column as strings: numbers and truth values as they are written in JSON, dates in ISO form.

    Example:
        >>> as_text(pa.array([1, None, 0])).to_pylist(), as_text(pa.array([True])).to_pylist()
        (['1', None, '0'], ['true'])
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type in (pa.binary(), pa.large_binary(), pa.binary_view()):
        array = array.cast(pa.binary())
        try:
            return array.cast(pa.string())
        except pa.ArrowInvalid:
            return pa.array(
                [None if v is None else v.decode("utf-8", "replace") for v in array.to_pylist()], pa.string()
            )
    return pc.cast(array, pa.string())


def _with_text(name: str, schema: pa.Schema, columns: list[str], strings: set[str]) -> pa.Schema:
    fields = []
    for column in columns:
        field = schema.field(column)
        if column in strings:
            if pa.types.is_nested(field.type):
                raise InputError(f"{name} has {field.type} in column {column!r}, and strings are needed there.")
            field = field.with_type(pa.string())
        fields.append(field)
    return pa.schema(fields, schema.metadata)


def _checked(name: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batches in the schema, with the number of invalid UTF-8 sequences that were replaced in each."""
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            columns, replaced = [], 0
            for column, field in zip(batch.columns, schema, strict=True):
                valid, count = _valid(column)
                replaced += count
                columns.append(as_text(valid) if field.type == pa.string() != valid.type else valid)
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise unreadable(name, error) from None
        yield batch, replaced


def _valid(column: pa.Array) -> tuple[pa.Array, int]:
    """The column, after a look at all of it: a damaged file can point anywhere, and strings may be not UTF-8."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        if column.type not in (pa.string(), pa.large_string()):
            raise
        raw = column.cast(pa.binary() if column.type == pa.string() else pa.large_binary())
        raw.validate(full=True)
        pairs = [(None, 0) if value is None else valid_utf8(value) for value in raw.to_pylist()]
        return pa.array([value for value, _ in pairs], raw.type).cast(column.type), sum(count for _, count in pairs)
    return column, 0


def _seekable(source: Source) -> Any:
    return source.file if isinstance(source.file, pa.NativeFile) else pa.PythonFile(source.file, mode="r")
