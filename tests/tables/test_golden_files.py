"""Files that were written once are read for ever, and the text formats and the model file keep every byte."""

import json
import runpy
from pathlib import Path

import pytest

from logitkit.model_file import read_model_file
from logitkit.tables import read_table

GOLDEN = Path(__file__).parents[1] / "golden"
MAKER = runpy.run_path(str(GOLDEN / "make_files.py"))


@pytest.mark.parametrize("name", ["table.csv", "table.tsv", "table.jsonl", "tiny_model.safetensors"])
def test_the_same_bytes_are_written(tmp_path, name):
    MAKER["make"](tmp_path)
    assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow"])
def test_typed_tables_are_read_as_they_were(name):
    assert read_table(GOLDEN / name).equals(MAKER["TABLE"])


@pytest.mark.parametrize("name", ["table.csv", "table.tsv", "table.jsonl"])
def test_text_tables_are_read_as_they_were(name):
    found, table = read_table(GOLDEN / name), MAKER["TABLE"]
    assert found["text"].to_pylist() == table["text"].to_pylist()
    assert found["label"].to_pylist() == table["label"].to_pylist()
    logits = found["logits"].to_pylist()
    logits = logits if name.endswith("jsonl") else [json.loads(cell or "null") for cell in logits]
    assert repr(logits) == "[[2.0, 1.0, 0.1], [], None, [None], [-0.0, None, 1e+30]]"


def test_the_model_file_is_read_as_it_was():
    tensors, manifest = read_model_file(GOLDEN / "tiny_model.safetensors")
    assert manifest == MAKER["MANIFEST"]
    for name, array in MAKER["TENSORS"].items():
        assert (tensors[name].dtype, tensors[name].tolist()) == (array.dtype, array.tolist())
