"""Reading and writing tables: CSV, TSV, JSON Lines, Parquet and Arrow, batch by batch.

Nothing here loops over rows in Python, except where a file is at odds with itself.
"""

from logitkit.tables.bad_rows import BadRows
from logitkit.tables.reader import TableReader, read_batches, read_table
from logitkit.tables.sources import FORMATS
from logitkit.tables.writer import TableWriter, open_writer

__all__ = ["FORMATS", "BadRows", "TableReader", "TableWriter", "open_writer", "read_batches", "read_table"]
