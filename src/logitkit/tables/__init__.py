"""Reading and writing tables: CSV, TSV, JSON Lines, Parquet and Arrow, batch by batch; and saved logits of any size.

Nothing here loops over rows in Python, except where a file is at odds with itself.
"""

from logitkit.tables.bad_rows import BadRows
from logitkit.tables.logit_checks import Finding, check_logits
from logitkit.tables.logits import LOGIT_FORMATS, LogitsFile, open_logits
from logitkit.tables.reader import TableReader, read_batches, read_table
from logitkit.tables.sources import FORMATS
from logitkit.tables.stored import MemoryRows, StoredRows
from logitkit.tables.writer import TableWriter, open_writer

__all__ = [
    "FORMATS",
    "LOGIT_FORMATS",
    "BadRows",
    "Finding",
    "LogitsFile",
    "MemoryRows",
    "StoredRows",
    "TableReader",
    "TableWriter",
    "check_logits",
    "open_logits",
    "open_writer",
    "read_batches",
    "read_table",
]
