"""CSV and TSV: every column is read as the text it is, so nothing is re-interpreted and nothing is lost."""

import csv
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from logitkit.errors import InputError
from logitkit.tables.bad_rows import BadRows
from logitkit.tables.records import chunks, last_record_end, valid_utf8
from logitkit.tables.sources import Source, unreadable

__all__ = ["DelimitedReader"]

_MARK = b"\xef\xbb\xbf"


class DelimitedReader:
    """Batches of a CSV or TSV file, with the number of each row."""

    def __init__(self, source: Source, delimiter: str, bad_rows: BadRows, chunk_bytes: int) -> None:
        self.source = source
        self.delimiter = delimiter
        self.bad_rows = bad_rows
        self.replaced = 0
        self.rows = 0
        self._chunks = chunks(source, chunk_bytes, lambda text: last_record_end(text, delimiter))
        self._first = next(self._chunks)
        if self._first[1]:
            raise InputError(f"{source.name} opens a quote in its first row and never closes it; close or remove it.")
        self.names = self._header(self._first[0])
        self.hint = " (the first row must hold the column names)"

    def _header(self, text: bytes) -> list[str]:
        lines = io.StringIO(valid_utf8(text)[0].decode(), newline="")
        try:
            return next(csv.reader(lines, delimiter=self.delimiter))
        except csv.Error as error:
            raise InputError(f"{self.source.name} has no readable header in its first row: {error}.") from None

    def select(self, columns: list[str], strings: set[str]) -> pa.Schema:  # noqa: ARG002  (all columns are strings)
        """Chooses the columns to read and returns their schema."""
        self.columns = columns
        return pa.schema([(name, pa.string()) for name in columns])

    def batches(self) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        """Yields each batch with the row numbers of its rows."""
        header = 1
        for text, is_open in self._all():
            if is_open:
                shown = valid_utf8(text)[0].decode().rstrip("\n")
                self.rows += 1
                self.bad_rows.add(self.rows, "a quote is opened and never closed", shown)
                return
            valid, replaced = valid_utf8(text)
            self.replaced += replaced
            if len(self.names) > 1 and not valid.strip(b"\r\n"):
                continue
            if valid.startswith(_MARK):  # Arrow drops a byte-order mark, and here it is the text of a row
                valid = _MARK + valid
            yield self._parsed(valid, header)
            header = 0

    def _all(self) -> Iterator[tuple[bytes, bool]]:
        yield self._first
        self._first = (b"", False)
        yield from self._chunks

    @property
    def bytes_read(self) -> int:
        """The bytes of the file taken so far."""
        return self.source.bytes_read

    def _parsed(self, text: bytes, header: int) -> tuple[pa.RecordBatch, np.ndarray]:
        bad: list[pacsv.InvalidRow] = []
        table = self._read(text, header, bad, threads=True)
        if bad:  # only a read on one thread says which rows they were
            bad.clear()
            table = self._read(text, header, bad, threads=False)
        rows = self.rows
        self.rows += table.num_rows + len(bad)
        numbers = np.arange(rows + 1, self.rows + 1)
        if bad:
            for row in bad:
                found = f"{row.actual_columns} field{'s' * (row.actual_columns != 1)} instead of {row.expected_columns}"
                self.bad_rows.add(rows + row.number - header, found, row.text)
            numbers = np.delete(numbers, [row.number - header - 1 for row in bad])
        batches = table.combine_chunks().to_batches()
        batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
        return batch, numbers

    def _read(self, text: bytes, header: int, bad: list[pacsv.InvalidRow], *, threads: bool) -> pa.Table:
        def keep(row: pacsv.InvalidRow) -> str:
            bad.append(row)
            return "skip"

        try:
            return pacsv.read_csv(
                pa.BufferReader(text),
                read_options=pacsv.ReadOptions(
                    column_names=self.names,
                    skip_rows_after_names=header,
                    block_size=len(text) + 1,
                    use_threads=threads,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=len(self.names) > 1,  # in a file of one column, an empty line is an empty text
                    invalid_row_handler=keep,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types={name: pa.string() for name in self.names},
                    include_columns=self.columns,
                    check_utf8=False,  # checked for the whole chunk already
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as error:
            raise unreadable(self.source.name, error) from None
