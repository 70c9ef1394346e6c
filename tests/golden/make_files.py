"""Writes the golden tables and the golden model file: run it when a format changes on purpose, and look at the diff."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from logitkit.model_file import write_model_file
from logitkit.tables import open_writer

TABLE = pa.table(
    {
        "text": ["The new smartphone has amazing features.", 'say "hi",\nthen go', "新手机 👩‍👩‍👧", "", "NA"],
        "label": ["Technology", "01", "科技", "null", "true"],
        "prob": pa.array([0.1, 1 / 3, 2.0, 1e-7, None], pa.float32()),
        "logits": pa.array([[2.0, 1.0, 0.1], [], None, [float("-inf")], [-0.0, None, 1e30]], pa.list_(pa.float32())),
    }
)
TENSORS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
    "bias": np.array([0.5, -0.5]),
    "n": np.array(3, np.uint8),
}
MANIFEST = {"class_names": ["News", "科技"], "temperature": 1.25, "record": {"loss": [0.5, 0.25]}}
NAMES = ("table.csv", "table.tsv", "table.jsonl", "table.parquet", "table.arrow", "tiny_model.safetensors")


def make(folder: Path) -> None:
    """Writes every golden file into the folder."""
    for name in NAMES[:-1]:
        with open_writer(folder / name, TABLE.schema, force=True) as writer:
            writer.write(TABLE)
    write_model_file(folder / NAMES[-1], TENSORS, MANIFEST, force=True)


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))
