"""Memory does not grow with the rows."""

import subprocess
import sys

import pytest

COPY = """
import resource, sys
from logitkit.tables import open_writer, read_batches

def copy(source, target):
    with read_batches(source, required=["text"]) as reader, open_writer(target, reader.schema, force=True) as writer:
        for batch in reader:
            writer.write(batch)
    return reader.rows_read

def peak():
    try:  # of this program alone: ru_maxrss also remembers the process that started it
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

small, large, target = sys.argv[1:]
copy(small, target)
before = peak()
rows = copy(large, target)
print(rows, peak() - before)
"""


def make(path, rows):
    import pyarrow as pa

    from logitkit.tables import open_writer

    texts = [
        f'{row} the new "smartphone" has amazing features, {row * 7919 % 1000003} of them' for row in range(10_000)
    ]
    batch = pa.record_batch({"text": texts, "label": [str(row % 3) for row in range(10_000)]})
    with open_writer(path, batch.schema) as writer:
        for _ in range(rows // 10_000):
            writer.write(batch)


@pytest.mark.parametrize(
    ("one", "other"),
    [("csv", "csv"), ("csv.gz", "jsonl"), ("jsonl", "parquet"), ("parquet", "csv"), ("arrow", "jsonl.zst")],
)
def test_a_million_rows_take_no_more_memory_than_a_few(tmp_path, one, other):
    make(tmp_path / f"small.{one}", 150_000)
    make(tmp_path / f"large.{one}", 1_000_000)
    command = [
        sys.executable,
        "-c",
        COPY,
        tmp_path / f"small.{one}",
        tmp_path / f"large.{one}",
        tmp_path / f"out.{other}",
    ]
    rows, growth_mb = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert rows == 1_000_000
    assert growth_mb < 60
