"""What is written comes back: for every format, any text, and any size of batch."""

import csv
import gzip
import io
import json
import math

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logitkit.errors import InputError
from logitkit.tables import BadRows, open_writer, read_batches, read_table
from logitkit.tables.records import last_record_end

TEXT_FORMATS = ["csv", "tsv", "jsonl", "csv.gz", "tsv.zst", "jsonl.gz", "jsonl.zst"]
TYPED_FORMATS = ["parquet", "arrow", "feather", "arrows"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "",
        "NA",
        "null",
        "01",
        "1.50",
        "true",
        '"',
        '""',
        'a"b',
        ",",
        "\t",
        "a\nb",
        "a\r\nb",
        "\r",
        "👩‍👩‍👧",
        "e\u0301",
        "\0",
        "\\",
        "\\n",
        " ",
        "\ufeff",
        "\u2028",
    ]
)
ROWS = st.lists(st.tuples(TEXT, TEXT), max_size=8)
FLOATS = st.floats(width=32)
LISTS = st.lists(st.none() | st.lists(st.none() | FLOATS, max_size=3), max_size=5)


def table_of(rows):
    columns = list(zip(*rows, strict=True)) or [(), ()]
    return pa.table({"text": pa.array(columns[0], pa.string()), "label": pa.array(columns[1], pa.string())})


def written(path, table, **options):
    with open_writer(path, table.schema, **options) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write(batch)
    assert writer.rows_written == table.num_rows
    return path


@pytest.mark.parametrize("ending", TEXT_FORMATS + TYPED_FORMATS)
@given(rows=ROWS, batch_bytes=st.sampled_from([1, 2, 7, 64, 1 << 20]), batch_rows=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_any_text_comes_back(tmp_path_factory, ending, rows, batch_bytes, batch_rows):
    if not rows and ending.startswith("jsonl"):
        return  # a file without a single row names no columns
    path = written(tmp_path_factory.mktemp("t") / f"a.{ending}", table_of(rows))
    with read_batches(path, batch_bytes=batch_bytes, batch_rows=batch_rows, strings=["text", "label"]) as reader:
        batches = list(reader)
    assert all(0 < batch.num_rows <= batch_rows and batch.schema == reader.schema for batch in batches)
    assert [(row["text"], row["label"]) for batch in batches for row in batch.to_pylist()] == rows
    assert reader.rows_read == len(rows)
    assert reader.replaced_sequences == 0


@pytest.mark.parametrize("ending", TYPED_FORMATS)
def test_typed_formats_keep_types_and_nulls(tmp_path, ending):
    table = pa.table(
        {
            "text": ["a", None],
            "id": pa.array([1, None], pa.int32()),
            "probs": pa.array([[0.25, 0.75], None], pa.list_(pa.float32())),
            "top_k": pa.array([[{"label": "x", "prob": 0.5}], []]),
            "kind": pa.array(["u", "v"]).dictionary_encode(),
            "when": pa.array([0, None], pa.timestamp("us", "UTC")),
        }
    )
    assert read_table(written(tmp_path / f"a.{ending}", table)).equals(table)


@given(lists=LISTS)
@settings(deadline=None)
@example(lists=[None, [], [float("nan"), float("inf"), -0.0, 1e-45, 3.4028235e38, 2.0, None]])
def test_lists_are_json_in_json_lines_and_in_a_cell_of_csv(tmp_path_factory, lists):
    folder = tmp_path_factory.mktemp("t")
    structs = [{"label": str(index), "logits": value} for index, value in enumerate(lists)]
    kind = pa.list_(pa.float32())
    table = pa.table(
        {"logits": pa.array(lists, kind), "best": pa.array(structs, pa.struct({"label": pa.string(), "logits": kind}))}
    )
    strict = {"parse_constant": pytest.fail}
    lines = [json.loads(line, **strict) for line in written(folder / "a.jsonl", table).read_text("utf-8").splitlines()]
    with written(folder / "a.csv", table).open(encoding="utf-8", newline="") as file:
        cells = [
            {key: json.loads(cell or "null", **strict) for key, cell in row.items()} for row in csv.DictReader(file)
        ]
    for found in (lines, cells):
        assert len(found) == len(lists)
        for row, value, struct in zip(found, lists, structs, strict=True):
            expected = value and [None if item is None or not math.isfinite(item) else item for item in value]
            for back in (row["logits"], row["best"]["logits"]):
                again = back if back is None else pa.array(back, pa.float32()).to_pylist()
                assert repr(again) == repr(
                    expected if expected is None else pa.array(expected, pa.float32()).to_pylist()
                )
            assert row["best"]["label"] == struct["label"]


def test_floats_come_back_bit_for_bit(tmp_path):
    values = [0.1, 1 / 3, 2.0, 1e300, 5e-324, -0.0, 123456789012.0, 2.0**53]
    table = pa.table({"x": values})
    assert read_table(written(tmp_path / "a.jsonl", table)).equals(table)
    assert [float(cell) for cell in read_table(written(tmp_path / "a.csv", table))["x"].to_pylist()] == values


@given(
    st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=6),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(1, 40),
)
@settings(deadline=None)
def test_csv_is_read_as_the_csv_module_writes_it(tmp_path_factory, rows, quoting, newline, mark, batch_bytes):
    if quoting == csv.QUOTE_MINIMAL:  # some versions of the module leave a bare carriage return unquoted
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator=newline).writerows([["a", "b", "c"], *rows])
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" * mark + out.getvalue().encode())
    with read_batches(path, batch_bytes=batch_bytes) as reader:
        assert [list(row.values()) for batch in reader for row in batch.to_pylist()] == rows


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@given(rows=ROWS)
@settings(deadline=None)
def test_the_csv_module_reads_what_is_written(tmp_path_factory, ending, rows):
    path = written(tmp_path_factory.mktemp("t") / f"a.{ending}", table_of(rows))
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file, delimiter="," if ending == "csv" else "\t"))
    assert found == [["text", "label"], *map(list, rows)]


def naive_record_end(text, delimiter):
    """A CSV lexer, character by character."""
    state, end, index = "start", 0, 0
    while index < len(text):
        c = text[index : index + 1]
        if state == "quoted":
            if c == b'"' and text[index + 1 : index + 2] == b'"':
                index += 1
            elif c == b'"':
                state = "field"
        elif c in (b"\n", b"\r"):
            state = "start"
            end = index + 1 if c == b"\n" else end
        elif c == delimiter.encode():
            state = "start"
        elif c == b'"' and state == "start":
            state = "quoted"
        else:
            state = "field"
        index += 1
    return end, state == "quoted"


RAGGED = st.text(st.sampled_from('""",,\n\n\ra'), max_size=40)


@given(RAGGED.map(str.encode))
@settings(max_examples=1000)
def test_records_end_where_a_plain_lexer_ends_them(text):
    assert last_record_end(text, ",") == naive_record_end(text, ",")


@given(RAGGED, st.integers(1, 30))
@settings(deadline=None, max_examples=500)
@example('5" pipe,1\n"a",2\n', 3)
def test_the_size_of_chunks_changes_nothing(tmp_path_factory, text, batch_bytes):
    path = tmp_path_factory.mktemp("t") / "a.csv"
    path.write_bytes(b"x,y\n" + text.encode())
    seen = []
    for size in (batch_bytes, 1 << 20):
        bad = BadRows("skip", path.with_suffix(f".{size}.bad.csv"))
        with bad, read_batches(path, batch_bytes=size, bad_rows=bad) as reader:
            rows = [
                (number, row)
                for batch in reader
                for number, row in zip(reader.row_numbers, batch.to_pylist(), strict=True)
            ]
        side = bad.side_path.read_text("utf-8") if bad.count else ""
        seen.append((rows, side))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.zst", "a.parquet", "a.jsonl"])
def test_the_same_table_gives_the_same_bytes(tmp_path, name):
    table = table_of([("a", "b"), ("c", "d")])
    first = written(tmp_path / name, table).read_bytes()
    assert written(tmp_path / name, table, force=True).read_bytes() == first
    if name.endswith(".gz"):
        assert first[4:8] == b"\0\0\0\0"  # no time


def test_gzip_of_several_members_is_read_to_the_end(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text\na\n") + gzip.compress(b"b\n"))
    assert read_table(path)["text"].to_pylist() == ["a", "b"]


def test_a_table_can_replace_the_one_it_is_made_from(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "".join(f"{i}\n" for i in range(10_000)))
    with read_batches(path, batch_bytes=1000) as reader, open_writer(path, reader.schema, force=True) as writer:
        for batch in reader:
            writer.write(batch)
    assert read_table(path)["text"].to_pylist() == [str(i) for i in range(10_000)]


def test_a_file_address_is_read(tmp_path):
    path = written(tmp_path / "a.parquet", table_of([("a", "b")]))
    assert read_table(path.as_uri()).num_rows == 1
    with pytest.raises(InputError, match="does not exist"):
        read_table((tmp_path / "none.csv").as_uri())


def test_a_record_that_ended_long_ago_is_found():
    assert last_record_end(b'a,"b"\n"' + b"x\n" * 100_000, ",") == (6, True)
    assert last_record_end(b'a,"b"\nc', ",") == (6, False)


@pytest.mark.parametrize("ending", TEXT_FORMATS)
def test_every_control_character_comes_back(tmp_path, ending):
    characters = [chr(code) for code in range(0x300)]
    rows = [(character, "".join(characters)) for character in characters]
    assert read_table(written(tmp_path / f"a.{ending}", table_of(rows))).equals(table_of(rows))
