"""Reading a table in batches, so that memory does not grow with its rows."""

import difflib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

from logitkit.errors import InputError
from logitkit.tables.bad_rows import BadRows
from logitkit.tables.columnar import ArrowReader, ParquetReader
from logitkit.tables.delimited import DelimitedReader
from logitkit.tables.json_lines import JsonLinesReader
from logitkit.tables.sources import Source, table_format

__all__ = ["TableReader", "read_batches", "read_table"]


class _Format(Protocol):
    names: list[str]
    hint: str
    replaced: int
    rows: int

    @property
    def bytes_read(self) -> int: ...
    def select(self, columns: list[str], strings: set[str]) -> pa.Schema: ...
    def batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]: ...


class TableReader:
    """An iterator over the record batches of a table; `read_batches` makes it.

    Attributes:
        name: The table, as messages call it.
        schema: The schema that every batch has.
        rows_read: The rows yielded so far.
        row_numbers: int64 `[N]`, the numbers of the last batch's rows in the input, from 1 and without the header.
    """

    def __init__(
        self,
        source: Source,
        format: _Format,
        schema: pa.Schema,
        *,
        required: Sequence[str],
        bad_rows: BadRows,
        batch_rows: int,
        passes: int,
        progress: Callable[[int, int | None], None] | None,
    ) -> None:
        self.name = source.name
        self.schema = schema
        self.rows_read = 0
        self.row_numbers = np.empty(0, np.int64)
        self._source = source
        self._format = format
        self._required = [(name, schema.get_field_index(name)) for name in required]
        self._bad_rows = bad_rows
        self._batch_rows = batch_rows
        self._passes = passes
        self._progress = progress
        self._batches = self._usable()

    @property
    def bytes_read(self) -> int:
        """The bytes of the file taken so far: for a progress bar."""
        return self._format.bytes_read

    @property
    def total_bytes(self) -> int | None:
        """The bytes that will have been taken at the end, or None for a pipe."""
        return None if self._source.size is None else self._source.size * self._passes

    @property
    def replaced_sequences(self) -> int:
        """The invalid UTF-8 sequences that became U+FFFD so far."""
        return self._format.replaced

    def _usable(self) -> Generator[tuple[pa.RecordBatch, np.ndarray], None, None]:
        """Batches of at most `batch_rows` rows, without the rows that lack a required value."""
        for found, found_numbers in self._format.batches():
            if self._progress is not None:
                self._progress(self.bytes_read, self.total_bytes)
            batch, numbers = self._without_nulls(found, found_numbers)
            self._bad_rows.check(self.name, self._format.rows)
            for start in range(0, batch.num_rows, self._batch_rows):
                yield batch.slice(start, self._batch_rows), numbers[start : start + self._batch_rows]
        self._bad_rows.check(self.name, self._format.rows)

    def _without_nulls(self, batch: pa.RecordBatch, numbers: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        columns = [(name, batch.column(index)) for name, index in self._required]
        if not any(column.null_count for _, column in columns):
            return batch, numbers
        lacks = np.zeros(batch.num_rows, bool)
        reasons = np.full(batch.num_rows, "", object)
        for name, column in columns:
            is_null = column.is_null().to_numpy(zero_copy_only=False)
            reasons[is_null & ~lacks] = f"{name} is null"
            lacks |= is_null
        for row in np.flatnonzero(lacks):
            self._bad_rows.add(int(numbers[row]), reasons[row], batch.slice(row, 1).to_pylist()[0])
        return batch.filter(pa.array(~lacks)), numbers[~lacks]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pa.RecordBatch:
        batch, self.row_numbers = next(self._batches)
        self.rows_read += batch.num_rows
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; there are no further batches."""
        self._batches.close()
        self._source.close()


def read_batches(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    strings: Sequence[str] = (),
    required: Sequence[str] = (),
    format: str | None = None,
    bad_rows: BadRows | None = None,
    batch_rows: int = 65_536,
    batch_bytes: int = 4 << 20,
    progress: Callable[[int, int | None], None] | None = None,
) -> TableReader:
    r"""Opens a table to be read batch by batch.

    CSV and TSV have no types, so all their columns are strings, exactly as written: `01`, `NA` and `1.50` stay, and an
    empty field is an empty text. In JSON Lines a missing field is null, and a column of several types becomes strings.
    Parquet and Arrow keep their types. Invalid UTF-8 becomes U+FFFD and is counted.

    Args:
        path: A file, an address with `://`, or `-` for the standard input. Its name gives the format: .csv, .tsv,
            .jsonl (these also with .gz or .zst), .parquet, .arrow, .feather, .arrows.
        columns: The columns to read, in this order, and after them the `required` ones; None reads all.
        strings: Columns to be read as strings, whatever they hold.
        required: Columns in which a null makes a bad row.
        format: The format, where the name does not say it: `csv`, `tsv`, `jsonl`, `parquet`, `arrow` or `arrows`.
        bad_rows: What to do with rows that cannot be used; by default they stop the reading with a listing.
        batch_rows: The most rows in a batch.
        batch_bytes: About how many bytes of text are parsed at a time; a longer row makes its batch larger.
        progress: Called with the bytes read and the total (None for a pipe) whenever a part has been read.

    Returns:
        An iterator of `pyarrow.RecordBatch`, and a context manager that closes the file.

    Raises:
        InputError: The file is missing, empty, damaged or not text, a column is missing or doubled, or rows are bad.
        OptionError: The format is unknown.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "news.csv"
        >>> _ = path.write_text("text,label\nA new phone,01\n")
        >>> with read_batches(path, columns=["label"]) as reader:
        ...     [batch.to_pydict() for batch in reader]
        [{'label': ['01']}]
    """
    if str(path) != "-" and "://" not in str(path) and (not Path(path).exists() or Path(path).is_dir()):
        Source(path).close()  # says so; a missing file matters more than the end of its name
    kind, compression = table_format(path, format)
    bad_rows = bad_rows or BadRows()
    source = Source(path, compression)
    passes = 2 if kind == "jsonl" else 1

    def report() -> None:  # of the pass that finds the columns
        if progress is not None:
            progress(source.bytes_read, source.size and source.size * passes)

    try:
        reader: _Format
        if kind in ("csv", "tsv"):
            reader = DelimitedReader(source, "," if kind == "csv" else "\t", bad_rows, batch_bytes)
        elif kind == "jsonl":
            reader = JsonLinesReader(source, bad_rows, batch_bytes, report)
        elif kind == "parquet":
            reader = ParquetReader(source, batch_bytes)
        else:
            reader = ArrowReader(source)
        _check_names(source.name, reader, [*(columns or ()), *strings, *required])
        wanted = list(dict.fromkeys([*columns, *required])) if columns is not None else reader.names
        schema = reader.select(wanted, set(strings))
        bad_rows.expect(wanted)
    except BaseException:
        source.close()
        raise
    return TableReader(
        source,
        reader,
        schema,
        required=required,
        bad_rows=bad_rows,
        batch_rows=batch_rows,
        passes=passes,
        progress=progress,
    )


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    strings: Sequence[str] = (),
    required: Sequence[str] = (),
    format: str | None = None,
    bad_rows: BadRows | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> pa.Table:
    r"""Reads a whole table, as for training; arguments, columns and errors are those of `read_batches`.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "news.jsonl"
        >>> _ = path.write_text('{"text": "A new phone", "label": 1}\n')
        >>> read_table(path, columns=["text", "label"], strings=["text", "label"]).to_pylist()
        [{'text': 'A new phone', 'label': '1'}]
    """
    with read_batches(
        path,
        columns=columns,
        strings=strings,
        required=required,
        format=format,
        bad_rows=bad_rows,
        progress=progress,
    ) as reader:
        return pa.Table.from_batches(reader, reader.schema)


def _check_names(name: str, reader: _Format, wanted: Sequence[str]) -> None:
    """Refuses doubled columns, and missing ones with the name that was probably meant."""
    names = reader.names
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise InputError(f"{name} has {names.count(twice)} columns named {twice!r}; give each column its own name.")
    for column in wanted:
        if column not in names:
            close = difflib.get_close_matches(column, names, 1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            shown = ", ".join(repr(other[:40]) for other in names[:12]) + (", …" if len(names) > 12 else "")
            raise InputError(f"{name} has no column {column!r}: its columns are {shown}{reader.hint}{meant or '.'}")
