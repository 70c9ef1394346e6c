"""Bad input gets one sentence that names the file and the row, and nothing is lost."""

import csv
import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from logitkit.errors import InputError, LogitkitError, OptionError
from logitkit.tables import BadRows, open_writer, read_batches, read_table

BOTH = {"strings": ["text", "label"], "required": ["text", "label"]}


def table(tmp_path, name, data, **options):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path, **options)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"\xef\xbb\xbf\r\n\r\n", "a.csv is empty"),
        ("a.jsonl", b"\n", "a.jsonl is empty"),
        ("a.csv.gz", gzip.compress(b""), "a.csv.gz is empty"),
        ("a.csv", "text".encode("utf-16"), "a.csv is UTF-16, not UTF-8 text; save it as UTF-8"),
        ("a.csv", b"\xff\xfe\0\0t\0\0\0", "a.csv is UTF-32"),
        ("a.csv", gzip.compress(b"text\na\n"), "a.csv is gzip, not UTF-8 text; give its name the ending"),
        ("a.csv", b"PK\x03\x04xx", "a ZIP archive or a spreadsheet"),
        ("a.csv.gz", b"text\na\n", "a.csv.gz cannot be read"),
        ("a.csv.gz", gzip.compress(b"text\na\n" * 999)[:-9], "a.csv.gz cannot be read: Truncated"),
        ("a.csv.zst", b"text\na\n", "a.csv.zst cannot be read"),
        ("a.parquet", b"", "a.parquet cannot be read"),
        ("a.parquet", b"PAR1 no more PAR1", "a.parquet cannot be read"),
        ("a.arrow", b"ARROW1 no more", "a.arrow cannot be read"),
        ("a.arrow", b"text\na\n", "a.arrow cannot be read"),
        ("a.feather", b"FEA1", "Feather file of version 1"),
        ("a.csv", b"text,label,text\n", "2 columns named 'text'"),
        ("a.csv", b'"text,label\na,b\n', "opens a quote in its first row and never closes it"),
        ("a.csv", b"txt,label\na,b\n", r"has no column 'text': its columns are 'txt', 'label' \(the first row"),
        (
            "a.jsonl",
            b'{"txt": "a", "label": "b"}\n',
            r"has no column 'text': its columns are 'txt', 'label'; did you mean",
        ),
        ("a.jsonl", b'[{"text": "a", "label": "b"}]\n', "is a JSON array, and JSON Lines is needed"),
        (
            "a.csv",
            b"text,label\na,b\nc\nd,e,f\n",
            "2 bad rows in its first 3: row 2: 1 field instead of 2; row 3: 3 fields",
        ),
        ("a.csv", b'text,label\na,b\n\n"c,d\ne,f\n', "row 2: a quote is opened and never closed"),
        (
            "a.jsonl",
            b'{"text": "a", "label": "b"}\n{"text": }\n',
            r"row 2: it is not valid JSON \(Expecting value, column 10\)",
        ),
        ("a.jsonl", b'{"text": "a", "label": "b"}\n3\n', "row 2: it is not a JSON object"),
        (
            "a.jsonl",
            b'{"text": "a", "label": "b"}\n{"text": "c", "label": "d"} {"text": "e"}\n',
            "row 2: it is not valid JSON",
        ),
        (
            "a.jsonl",
            b'{"text": "a", "label": "b"}\n{"text": ["c"], "label": "d"}\n',
            "row 2: text is a list, not a string",
        ),
        ("a.jsonl", b'{"text": "a", "label": "b"}\n{"label": "d"}\n', "row 2: text is null"),
        ("a.jsonl", b'{"text": "a", "label": "b"}\n{"text": "c", "label": null}\n', "row 2: label is null"),
        ("a.jsonl", b'{"text": "a", "label": "b"}\n' + b'{"text":' * 100_000, "row 2: its JSON is nested too deeply"),
        (
            "a.jsonl",
            b'{"text": "a", "label": ' + b"9" * 5000 + b"}\n",
            "no row with a field: in row 1 its JSON .* has a number that is too long",
        ),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, name, data, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        table(tmp_path, name, data, **BOTH)
    assert str(tmp_path / name) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_a_folder_and_an_unknown_ending(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        read_batches(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_batches(tmp_path)
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(OptionError, match=r"a\.xlsx does not end in a known table format"):
        read_batches(tmp_path / "a.xlsx")
    with pytest.raises(OptionError, match="'excel' is unknown"):
        read_batches(tmp_path / "a.xlsx", format="excel")
    with pytest.raises(OptionError, match="compresses inside"):
        open_writer(tmp_path / "a.parquet.gz", pa.schema([]))


def test_a_header_alone_is_a_table_of_no_rows(tmp_path):
    assert table(tmp_path, "a.csv", b"text,label", **BOTH).shape == (0, 2)


def test_what_looks_like_something_else_stays_text(tmp_path):
    rows = [("01", "1"), ("NA", "null"), ("true", "2024-01-01"), ("", "1e5")]
    data = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    assert [tuple(row.values()) for row in table(tmp_path, "a.csv", data, **BOTH).to_pylist()] == rows


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("1", "1"),
        ("true", "true"),
        ('"01"', "01"),
        ("1.0", "1.0"),
        ("12345678901234567890", "12345678901234567890"),
        ('"2024-01-01"', "2024-01-01"),
        ("-0", "0"),
    ],
)
def test_json_labels_are_the_text_they_were(tmp_path, label, text):
    found = table(tmp_path, "a.jsonl", f'{{"text": "a", "label": {label}}}\n' * 2, **BOTH)
    assert found["label"].to_pylist() == [text, text]


def test_parquet_labels_of_other_types_become_text(tmp_path):
    columns = {
        "text": pa.array(["a", "b"]).dictionary_encode(),
        "label": pa.array([1, 0]),
        "b": pa.array([b"\xff", b"x"]),
        "t": [True, False],
    }
    data = pa.table(columns)
    with open_writer(tmp_path / "a.parquet", data.schema) as writer:
        writer.write(data)
    found = read_table(tmp_path / "a.parquet", strings=list(columns))
    assert found.to_pydict() == {"text": ["a", "b"], "label": ["1", "0"], "b": ["\ufffd", "x"], "t": ["true", "false"]}
    with open_writer(tmp_path / "b.parquet", pa.schema({"text": pa.list_(pa.string())})):
        pass
    with pytest.raises(InputError, match=r"has list<.*> in column 'text', and strings are needed"):
        read_table(tmp_path / "b.parquet", strings=["text"])


@pytest.mark.parametrize("batch_bytes", [1, 50, 1 << 20])
def test_json_lines_of_changing_shape_lose_nothing(tmp_path, batch_bytes):
    rows = [
        {"text": "a", "n": 1, "mixed": 1, "nested": {"x": 1}, "list": [1, 2]},
        {"text": "b", "n": 2.5, "mixed": "x", "nested": {"y": [True]}, "list": []},
        {"text": "c", "late": "2024-01-01", "mixed": {"deep": [1, None]}, "nested": None, "list": ["three"]},
        {"text": "d", "late": "no date", "mixed": None, "big": 12345678901234567890},
        {},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    with read_batches(path, batch_bytes=batch_bytes) as reader:
        found = [row for batch in reader for row in batch.to_pylist()]
    nested = [{"x": 1, "y": None}, {"x": None, "y": [True]}, None, None, None]
    assert [row["text"] for row in found] == ["a", "b", "c", "d", None]
    assert [row["n"] for row in found] == [1.0, 2.5, None, None, None]
    assert [row["mixed"] for row in found] == ["1", "x", '{"deep":[1,null]}', None, None]
    assert [row["nested"] for row in found] == nested
    assert [row["list"] for row in found] == [["1", "2"], [], ["three"], None, None]
    assert [row["late"] for row in found] == [None, None, "2024-01-01", "no date", None]
    assert [row["big"] for row in found] == [None, None, None, "12345678901234567890", None]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_invalid_utf_8_is_replaced_and_counted(tmp_path, name):
    data = {"a.csv": b"text,label\ncaf\xe9 \xff,b\n", "a.jsonl": b'{"text":"caf\xe9 \xff","label":"b"}\n'}[name]
    (tmp_path / name).write_bytes(data)
    with read_batches(tmp_path / name) as reader:
        assert next(reader).to_pylist() == [{"text": "caf\ufffd \ufffd", "label": "b"}]
        assert reader.replaced_sequences == 2


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_invalid_utf_8_is_replaced_and_counted_in_typed_formats(tmp_path, ending, kind):
    raw = pa.array([b"fine", b"caf\xe9 \xff", None], pa.binary() if kind == pa.string() else pa.large_binary())
    column = pa.Array.from_buffers(kind, 3, raw.buffers(), 1)
    with open_writer(tmp_path / f"a.{ending}", pa.schema({"text": kind})) as writer:
        writer.write(pa.record_batch({"text": column}))
    with read_batches(tmp_path / f"a.{ending}") as reader:
        assert next(reader).to_pydict() == {"text": ["fine", "caf\ufffd \ufffd", None]}
        assert reader.replaced_sequences == 2


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet", "table.arrow"])
def test_a_damaged_table_is_read_or_refused_in_a_sentence(tmp_path, name):
    data = (Path(__file__).parents[1] / "golden" / name).read_bytes()
    chance = random.Random(20261122)
    for _ in range(400):
        damaged = bytearray(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
        for _ in range(min(len(damaged), chance.choice([1, 2, 5]))):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        (tmp_path / name).write_bytes(damaged)
        try:
            read_table(tmp_path / name, strings=["text", "label"], required=["text"])
        except InputError as error:
            assert "\n" not in str(error)


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    found = table(tmp_path, "a.jsonl", b'{"text": "a\\ud83d", "label": "\\ud83d\\ude00"}\n', **BOTH)
    assert found.to_pylist() == [{"text": "a\ufffd", "label": "😀"}]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_a_text_of_100_megabytes_is_read(tmp_path, name):
    text = "x," * 50_000_000
    data = (
        f'{{"text":"{text}","label":"b"}}\n{{"text":"c","label":"d"}}\n'
        if "json" in name
        else f'text,label\n"{text}",b\nc,d\n'
    )
    packed = gzip.compress(data.encode(), 1) if name.endswith(".gz") else data
    found = table(tmp_path, name, packed, **BOTH)
    assert found["text"][0].as_py() == text
    assert found["label"].to_pylist() == ["b", "d"]


def test_null_bytes_stay(tmp_path):
    assert table(tmp_path, "a.csv", b"text,label\na\0b,c\n")["text"].to_pylist() == ["a\0b"]


def test_an_empty_line_is_an_empty_text_only_where_there_is_one_column(tmp_path):
    assert table(tmp_path, "a.csv", b"text\na\n\nb\n")["text"].to_pylist() == ["a", "", "b"]
    assert table(tmp_path, "a.csv", b"text,label\na,b\n\nc,d\n\n")["text"].to_pylist() == ["a", "c"]


@pytest.mark.parametrize("batch_bytes", [1, 20, 1 << 20])
def test_skipped_rows_go_to_a_side_file_with_the_reason(tmp_path, batch_bytes):
    path, side = tmp_path / "a.jsonl", tmp_path / "a.bad.csv"
    path.write_text(
        '{"text":"a","row":1}\n{"text":null,"row":2}\nnot json, "really"\n{"text":"b","row":4}\n{"row":5}\n'
    )
    with (
        BadRows("skip", side) as bad,
        read_batches(path, required=["text"], bad_rows=bad, batch_bytes=batch_bytes) as reader,
    ):
        good = [(batch["text"][i].as_py(), int(n)) for batch in reader for i, n in enumerate(reader.row_numbers)]
        assert not side.exists()
    assert good == [("a", 1), ("b", 4)]
    assert bad.count == 3
    with side.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["bad_row"], row["reason"], row["raw"], row["row"]) for row in rows] == [
        ("2", "text is null", "", "2"),
        ("3", "it is not valid JSON (Expecting value, column 1)", 'not json, "really"', ""),
        ("5", "text is null", "", "5"),
    ]


def test_no_side_file_without_bad_rows_and_none_after_an_error(tmp_path):
    side = tmp_path / "bad.csv"
    with BadRows("skip", side):
        pass
    with pytest.raises(KeyboardInterrupt), BadRows("skip", side) as bad:
        bad.add(1, "text is null", {})
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_the_listing_stops_after_a_few(tmp_path):
    data = "text,label\n" + "a\n" * 1000
    with pytest.raises(
        InputError, match=r"has 1,000 bad rows in its first 1,000: row 1: .*; row 5: .*; and 995 more; fix them"
    ):
        table(tmp_path, "a.csv", data)


def test_the_policy_is_checked(tmp_path):
    with pytest.raises(OptionError, match="must be 'fail' or 'skip'"):
        BadRows("ignore")
    with pytest.raises(OptionError, match="needs a side file"):
        BadRows("skip")
    (tmp_path / "bad.csv").touch()
    with pytest.raises(LogitkitError, match="exists already"):
        BadRows("skip", tmp_path / "bad.csv")


def test_columns_are_chosen_in_the_order_asked_for(tmp_path):
    data = pa.table({"a": ["1"], "b": ["2"], "c": ["3"]})
    for ending in ("csv", "tsv.gz", "jsonl", "parquet", "arrow", "arrows"):
        with open_writer(tmp_path / f"t.{ending}", data.schema) as writer:
            writer.write(data)
        assert read_table(tmp_path / f"t.{ending}", columns=["c", "a"]).to_pydict() == {"c": ["3"], "a": ["1"]}, ending


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet", "arrow"])
def test_progress_ends_at_the_total(tmp_path, ending):
    data = pa.table({"text": [f"text {i * 7919 % 10007}" for i in range(50_000)]})
    with open_writer(tmp_path / f"t.{ending}", data.schema) as writer:
        writer.write(data)
    seen = []
    with read_batches(
        tmp_path / f"t.{ending}", batch_bytes=1 << 16, batch_rows=1000, progress=lambda *two: seen.append(two)
    ) as reader:
        for _ in reader:
            pass
        assert reader.bytes_read <= reader.total_bytes
    done = [bytes_read for bytes_read, _ in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1]
