"""Numbers that stay on the disk: the arrays of npy, npz and safetensors files, and rows of logits read as needed.

Nothing is unpickled or memory-mapped, and nothing that a header says is believed before it fits the size of the file.
"""

from logitkit.tables.stored.arrays import StoredArray
from logitkit.tables.stored.files import ARRAY_FORMATS, open_arrays
from logitkit.tables.stored.rows import StoredRows
from logitkit.tables.stored.views import MemoryRows, as_log_odds, as_log_probs

__all__ = [
    "ARRAY_FORMATS",
    "MemoryRows",
    "StoredArray",
    "StoredRows",
    "as_log_odds",
    "as_log_probs",
    "open_arrays",
]
