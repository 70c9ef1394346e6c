"""A table that is being written is whole or not there; pipes carry it as it comes."""

import contextlib
import decimal
import os
import resource
import signal
import subprocess
import sys

import pyarrow as pa
import pytest

from logitkit.errors import OutputError
from logitkit.tables import open_writer, read_table

ENDINGS = ["csv", "csv.gz", "tsv.zst", "jsonl", "parquet", "arrow", "arrows"]
BATCH = pa.record_batch({"text": ["a", "b"], "probs": pa.array([[0.5], None])})


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [b"old", None])
def test_an_exception_leaves_everything_as_it_was(tmp_path, ending, error, old):
    path = tmp_path / f"out.{ending}"
    if old:
        path.write_bytes(old)
    with pytest.raises(error), open_writer(path, BATCH.schema, force=True) as writer:
        writer.write(BATCH)
        raise error
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_existing_table_is_kept_without_force(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        open_writer(path, BATCH.schema)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_of_no_rows_is_written_and_read(tmp_path, ending):
    schema = pa.schema({"text": pa.string()})
    with open_writer(tmp_path / f"out.{ending}", schema):
        pass
    if ending == "jsonl":
        assert (tmp_path / "out.jsonl").read_bytes() == b""
    else:
        assert read_table(tmp_path / f"out.{ending}").equals(schema.empty_table())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "arrow", "arrows"])
@pytest.mark.parametrize("rows", [1, 200_000])
def test_a_full_disk_is_one_sentence(format, rows):
    batch = pa.record_batch({"text": [f"text {row}" for row in range(rows)]})
    full = pytest.raises(OutputError, match="/dev/full cannot be written: the disk is full")
    with full, open_writer("/dev/full", batch.schema, format=format) as writer:
        for _ in range(3):
            writer.write(batch)


PREDICT = """
import signal, sys, pyarrow as pa
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have inherited that it is ignored
from logitkit.errors import OutputError
from logitkit.tables import open_writer
batch = pa.record_batch({"text": [f"text {row * 7919 % 10007}" for row in range(100_000)]})
try:
    with open_writer(sys.argv[1], batch.schema, force=True) as writer:
        for step in range(int(sys.argv[2])):
            writer.write(batch)
            print("writing", flush=True)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_beyond_the_limit_leaves_the_old_one(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"old")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    command = [sys.executable, "-c", PREDICT, path, "40"]
    done = subprocess.run(command, check=False, preexec_fn=limit, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].startswith(f"{path} cannot be written: the file would exceed"), done
    assert done.stderr == ""
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_ctrl_c_leaves_the_old_file(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", PREDICT, path, "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(3):
            assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert err.strip().endswith(b"KeyboardInterrupt")
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


COPY = """
import sys
from logitkit.tables import open_writer, read_batches
with read_batches("-", format=sys.argv[1], batch_bytes=1000) as reader:
    with open_writer("-", reader.schema, format=sys.argv[2]) as writer:
        for batch in reader:
            writer.write(batch)
"""


@pytest.mark.parametrize("one", ["csv", "tsv", "jsonl", "parquet", "arrows"])
@pytest.mark.parametrize("other", ["csv", "jsonl", "parquet", "arrows", "arrow"])
def test_pipes_carry_every_format(tmp_path, one, other):
    table = pa.table({"text": [f'a "{row}",\n' for row in range(500)]})
    with open_writer(tmp_path / "in", table.schema, format=one) as writer:
        writer.write(table)
    data = (tmp_path / "in").read_bytes()
    done = subprocess.run([sys.executable, "-c", COPY, one, other], check=True, input=data, capture_output=True)
    (tmp_path / "out").write_bytes(done.stdout)
    assert read_table(tmp_path / "out", format=other).equals(table)


def test_an_error_ends_a_pipe_without_more_output():
    script = COPY.replace("writer.write(batch)", "raise SystemExit(3)")
    done = subprocess.run(
        [sys.executable, "-c", script, "csv", "parquet"], check=False, input=b"a\nb\n", capture_output=True
    )
    assert (done.returncode, done.stdout[4:], done.stderr) == (3, b"", b"")


def test_a_closed_pipe_is_a_broken_pipe():
    script = COPY.replace("writer.write(batch)", "[writer.write(batch) for _ in range(1000)]")
    data = b"text\n" + b"some text\n" * 10_000
    with subprocess.Popen(
        [sys.executable, "-c", script, "csv", "csv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(data)
            process.stdin.close()
        assert b"BrokenPipeError" in process.stderr.read()


def test_what_a_format_cannot_hold_is_refused_before_a_row_is_written(tmp_path):
    with pytest.raises(OutputError, match=r"cannot hold these columns as parquet: .*; choose another format"):
        open_writer(tmp_path / "a.parquet", pa.schema({"a": pa.struct([])})).__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_an_address_is_refused():
    with pytest.raises(OutputError, match="only files can, so far"):
        open_writer("s3://bucket/a.parquet", BATCH.schema)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_columns_of_any_type_become_text(tmp_path, ending):
    table = pa.table(
        {
            "when": pa.array([0], pa.timestamp("us", "UTC")),
            "day": pa.array([1], pa.date32()),
            "took": pa.array([5], pa.duration("s")),
            "price": pa.array([decimal.Decimal("1.50")]),
            "half": pa.array([0.5], pa.float16()),
            "bytes": pa.array([b"\xff\x00"]),
            "words": pa.array([b"caf\xc3\xa9"], pa.binary()),
            "view": pa.array(["v"], pa.string_view()),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "kind": pa.array(["u"]).dictionary_encode(),
            "pair": pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
            "none": pa.nulls(1),
        }
    )
    with open_writer(tmp_path / f"a.{ending}", table.schema) as writer:
        writer.write(table.slice(0, 1))
    (row,) = read_table(tmp_path / f"a.{ending}", strings=["price", "took"]).to_pylist()
    assert row["when"].startswith("1970-01-01 00:00:00")
    nulls = {"csv": "", "jsonl": None}[ending]
    pairs = {"csv": ('[{"key":"k","value":1}]', "[1,2]"), "jsonl": ([{"key": "k", "value": 1}], [1, 2])}[ending]
    assert (row["day"], row["took"], row["bytes"], row["words"]) == ("1970-01-02", "5", "/wA=", "café")
    assert float(row["price"]) == 1.5
    assert float(row["half"]) == 0.5
    assert (row["view"], row["kind"], row["map"], row["pair"], row["none"]) == ("v", "u", *pairs, nulls)
