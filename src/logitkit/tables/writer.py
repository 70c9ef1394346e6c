"""Writing a table batch by batch, whole or not at all."""

import contextlib
import gzip
import os
import sys
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from logitkit.errors import OutputError
from logitkit.files import atomic_write
from logitkit.tables.render import flat, json_lines
from logitkit.tables.sources import table_format

__all__ = ["TableWriter", "open_writer"]

_GROUP_ROWS, _GROUP_BYTES = 131_072, 64 << 20


class _Sink(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


class _Delimited:
    def __init__(self, file: Any, schema: pa.Schema, delimiter: str) -> None:
        empty = [flat(pa.nulls(0, field.type)).type for field in schema]
        self._schema = pa.schema(list(zip(schema.names, empty, strict=True)))
        options = pacsv.WriteOptions(delimiter=delimiter, batch_size=16_384)
        self._writer = pacsv.CSVWriter(file, self._schema, write_options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [flat(column) for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _JsonLines:
    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(json_lines(batch))

    def close(self) -> None:
        pass


class _Parquet:
    """Gathers batches into row groups of a useful size."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        if (
            sum(held.num_rows for held in self._held) >= _GROUP_ROWS
            or sum(b.nbytes for b in self._held) >= _GROUP_BYTES
        ):
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
            self._held = []

    def close(self) -> None:
        self._flush()
        self._writer.close()


class _Arrow:
    def __init__(self, file: Any, schema: pa.Schema, *, stream: bool) -> None:
        self._writer = pa.ipc.new_stream(file, schema) if stream else pa.ipc.new_file(file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Output:
    """What Arrow's writers write to: they cannot close it, and after an error nothing more goes through."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.discard = False
        self.closed = False

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes if self.discard else self._file.write(data)

    def flush(self) -> None:
        if not self.discard:
            self._file.flush()

    def close(self) -> None:
        self.closed = True


def _stream(output: _Output, compression: str | None) -> Any:
    if compression == "gzip":  # Arrow compresses at level 9 only, which takes ten times as long
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=output, mtime=0)
        return pa.PythonFile(packed, mode="w")
    stream = pa.PythonFile(output, mode="w")
    return pa.CompressedOutputStream(stream, compression) if compression else stream


class TableWriter:
    """A table being written; `open_writer` makes it. Use it in a `with` block: the file appears when the block ends.

    Attributes:
        rows_written: The rows so far.
    """

    def __init__(self, path: str | os.PathLike[str], schema: pa.Schema, force: bool, format: str | None) -> None:
        self.path = path
        self.schema = schema
        self.rows_written = 0
        kind, compression = table_format(path, format)
        if "://" in str(path):
            raise OutputError(f"{path} cannot be written: only files can, so far; write a file and copy it there.")
        self._stack = contextlib.ExitStack()
        if str(path) == "-":
            sys.stdout.flush()
            self._output = _Output(sys.stdout.buffer)
        else:
            self._output = _Output(self._stack.enter_context(atomic_write(path, force=force)))
        try:
            self._stream = _stream(self._output, compression)
            self._sink = self._opened(kind)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _opened(self, kind: str) -> _Sink:
        try:
            if kind in ("csv", "tsv"):
                return _Delimited(self._stream, self.schema, "," if kind == "csv" else "\t")
            if kind == "jsonl":
                return _JsonLines(self._stream)
            if kind == "parquet":
                return _Parquet(self._stream, self.schema)
            return _Arrow(self._stream, self.schema, stream=kind == "arrows" or str(self.path) == "-")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            said = str(error).split("\n")[0].rstrip(".")
            raise OutputError(
                f"{self.path} cannot hold these columns as {kind}: {said}; choose another format."
            ) from None

    def write(self, data: pa.RecordBatch | pa.Table) -> None:
        """Writes a batch or table of the writer's schema.

        Raises:
            OutputError: The disk is full, or the system refuses the write for another reason.
        """
        for batch in data.to_batches() if isinstance(data, pa.Table) else (data,):
            self._sink.write(batch)
            self.rows_written += batch.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._sink.close()
                self._stream.close()
                self._output.flush()
            except BaseException:
                self._abort()
                if not self._stack.__exit__(*sys.exc_info()):
                    raise
            self._stack.close()
        else:
            self._abort()
            self._stack.__exit__(kind, error, trace)

    def _abort(self) -> None:
        """Lets Arrow's writers close, with what they still write going nowhere."""
        self._output.discard = True
        for part in (getattr(self, "_sink", None), getattr(self, "_stream", None)):
            with contextlib.suppress(Exception):
                if part is not None:
                    part.close()


def open_writer(
    path: str | os.PathLike[str], schema: pa.Schema, *, force: bool = False, format: str | None = None
) -> TableWriter:
    r"""Opens a table to be written batch by batch; it appears at `path` when the `with` block ends without an error.

    Lists and structs are JSON text in a cell of CSV and TSV. JSON has null for NaN and infinity. Floats are written so
    that reading gives back the same bits.

    Args:
        path: The file to be written, or `-` for the standard output. Its name gives the format, as in `read_batches`.
        schema: The columns.
        force: Whether an existing file may be replaced.
        format: The format, where the name does not say it.

    Returns:
        A context manager with `write`.

    Raises:
        OptionError: The format is unknown.
        OutputError: The path is refused (it exists, is a folder, …), a write fails, or the format has no such columns.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "out.jsonl"
        >>> batch = pa.record_batch({"label": ["News"], "logits": pa.array([[2.0, float("nan")]])})
        >>> with open_writer(path, batch.schema) as writer:
        ...     writer.write(batch)
        >>> path.read_text()
        '{"label":"News","logits":[2.0,null]}\n'
    """
    return TableWriter(path, schema, force, format)
