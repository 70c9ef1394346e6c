"""Bad input gets one sentence: what, where, what was found, what to do; nothing is lost, nothing half-written."""

import datetime
import os
import resource
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_cli import call, labelled, refused, spawn, write_csv

import logitkit
from logitkit.model_file import read_model_file, write_model_file
from logitkit.tables import read_table


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- tables ---


@pytest.mark.parametrize("command", ["train", "predict", "evaluate"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.csv", None, ["missing.csv does not exist; check the path."]),
        ("empty.csv", "", ["empty.csv is empty"]),
        ("a.csv", "txt,label\na,b\n", ["has no column 'text'", "'txt', 'label'"]),
        ("a.txt", "text,label\n", ["does not end in a known table format"]),
        ("a.csv", "text,label\na,b\nc\n", ["a.csv has 1 bad row", "row 2: 1 field instead of 2", "--on-bad-row skip"]),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": null, "label": "y"}\n', ["row 2: text is null"]),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": \n', ["row 2: it is not valid JSON"]),
        ("a.csv", b"\xff\xfet\0", ["a.csv is UTF-16, not UTF-8 text"]),
        ("a.parquet", b"PAR1 and no more", ["a.parquet cannot be read"]),
        ("folder.csv", ..., ["folder.csv is a folder"]),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, model, command, name, content, words):
    data = tmp_path / name
    if content is ...:
        data.mkdir()
    elif content is not None:
        put(data, content)
    before, out = files_in(tmp_path), tmp_path / "out.csv"
    arguments = {
        "train": [data, "-o", out],
        "predict": [model, data, "-o", out, "--prefix", "p_"],
        "evaluate": [model, data],
    }[command]
    refused(call(command, *arguments), *words)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_null_labels_and_missing_label_columns(tmp_path, model, command):
    more = ["-o", tmp_path / "m.logitkit"] if command == "train" else []
    first = [] if command == "train" else [model]
    data = put(tmp_path / "a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n')
    refused(call(command, *first, data, *more), "a.jsonl has 1 bad row", "row 2: label is null")
    data = put(tmp_path / "b.csv", "text,lable\na,b\n")
    refused(call(command, *first, data, *more), "has no column 'label'", "did you mean 'lable'?")
    assert files_in(tmp_path) == ["a.jsonl", "b.csv"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\n", ["at least two classes; the labels hold no labelled text"]),
        ("text,label\na,x\nb,x\n", ["at least two classes; the labels hold only 'x'"]),
        ("text,label,weight\na,x,1\nb,y,heavy\n", ["a.csv, row 2, column 'weight' must be a number; got 'heavy'"]),
        ("text,label,weight\na,x,1\nb,y,\n", ["row 2, column 'weight' must be a number; got ''"]),
        ("text,label,weight\na,x,-1\nb,y,1\n", ["row 1, column 'weight' must be finite and at least 0; got -1"]),
        ("text,label,weight\na,x,1\nb,y,nan\n", ["row 2, column 'weight' must be finite and at least 0; got nan"]),
        ("text,label,weight\na,x,1\nb,y,inf\n", ["row 2, column 'weight' must be finite and at least 0; got inf"]),
        (
            "text,label,weight\na,x,1\nb,y,1_0\nc,z,-٣\n",
            ["row 3, column 'weight' must be finite and at least 0; got -3"],
        ),
        ("text,label,weight\na,x,0\nb,y,0\n", ["the labels hold no labelled text"]),
    ],
)
def test_what_cannot_be_learnt_from(tmp_path, content, words):
    data = put(tmp_path / "a.csv", content)
    more = ["--weight", "weight"] if "weight" in content else []
    refused(call("train", data, "-o", tmp_path / "m.logitkit", *more), *words)
    assert files_in(tmp_path) == ["a.csv"]


def test_bad_rows_can_be_skipped_and_are_kept_beside(tmp_path, model):
    rows = labelled(60)
    lines = [f"{row['text']},{row['label']}" for row in rows]
    data = put(tmp_path / "a.csv", "\n".join(["text,label", *lines[:30], "only one field", *lines[30:]]))
    out = tmp_path / "m.logitkit"
    trained = call("train", data, "-o", out, "--on-bad-row", "skip")
    assert trained.code == 0 and "1 rows could not be used" in trained.err and "m.logitkit.bad-rows.csv" in trained.err
    side = read_table(tmp_path / "m.logitkit.bad-rows.csv").to_pylist()
    assert side[0]["row"] == "31" and side[0]["raw"] == "only one field"
    refused(
        call("train", data, "-o", tmp_path / "n", "--on-bad-row", "perhaps"), "must be 'fail' or 'skip', not 'perhaps'"
    )
    assert call("predict", model, data, "-o", tmp_path / "p.csv", "--on-bad-row", "skip").code == 0
    assert read_table(tmp_path / "p.csv").num_rows == 60
    refused(call("predict", model, data, "-o", tmp_path / "p.csv", "--on-bad-row", "skip"), "exists already", code=1)


COLUMNS = {
    "numbers": pa.array([1.5, 2.0] * 10),
    "integers": pa.array([7, 8] * 10),
    "dates": pa.array([datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)] * 10),
    "booleans": pa.array([True, False] * 10),
    "lists": pa.array([["a"], ["b", "c"]] * 10),
    "bytes": pa.array([b"a", b"\xff"] * 10),
    "structs": pa.array([{"a": 1}, {"a": 2}] * 10),
    "text": pa.array(["a b", "c d"] * 10),
}


@pytest.mark.parametrize("text", [name for name in COLUMNS if name != "text"])
def test_columns_of_other_types_are_read_as_text_or_refused(tmp_path, model, text):
    data = tmp_path / "a.parquet"
    pq.write_table(pa.table(COLUMNS), data)
    for result in (
        call("predict", model, data, "--text", text, "-o", tmp_path / "o.jsonl", "--prefix", "p_"),
        call("train", data, "-o", tmp_path / "m1", "--text", "text", "--label", text),
        call("train", data, "-o", tmp_path / "m2", "--text", text, "--label", "text"),
    ):
        if result.code:
            refused(result, text)
        else:
            assert "Traceback" not in result.err
    if (tmp_path / "m1").exists():
        assert len(logitkit.load(tmp_path / "m1").class_names) == 2


def test_texts_of_any_content(tmp_path, model):
    odd = [
        "",
        "\0",
        "a\0b",
        "👩‍👩‍👧 é",
        "e\u0301 é",
        "شكرا 谢谢 спасибо",
        "\u202e",
        '"quoted", and\nnew line',
        "x" * 1_000_000,
    ]
    rows = [{"text": text, "label": "xy"[at % 2]} for at, text in enumerate(odd * 4)]
    data = write_csv(tmp_path / "a.csv", rows)
    out = tmp_path / "out.csv"
    assert call("predict", model, data, "-o", out).code == 0
    assert read_table(out).column("text").to_pylist() == [row["text"] for row in rows]
    assert call("train", data, "-o", tmp_path / "m.logitkit").code == 0
    assert call("evaluate", tmp_path / "m.logitkit", data, "--json").json["rows"] == 36
    data = put(tmp_path / "b.csv", b"text,label\nabc \xff\xfe def,x\n\xe2\x82,y\n")
    assert call("predict", model, data).text.splitlines()[1].startswith('"abc \ufffd')
    assert call("train", data, "-o", tmp_path / "n.logitkit").code == 0


def test_a_text_of_100_mb(tmp_path, model):
    """It is predicted and learnt from in less than 1.5 GB; explained, word by word, it is not."""
    text = ("the fast new chip of a phone lost the match with a late goal. " * 1_700_000)[:100_000_000]
    data = put(tmp_path / "a.csv", f"text,label\n{text},x\nabc,y\nabd,y\n{'goal ' * 9},x\n")
    for arguments in (
        ["predict", model, data, "-o", tmp_path / "o.csv", "--labels-only"],
        ["train", data, "-o", tmp_path / "m.logitkit"],
    ):
        result = spawn(*arguments)
        assert result.code == 0, result.err
    assert (tmp_path / "o.csv").stat().st_size > 100_000_000
    (tmp_path / "o.csv").unlink()
    refused(spawn("explain", model, "-", stdin=text.encode()), "up to 10,000,000 bytes", "100,000,000")
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_500_000


# --- options ---


def test_options_that_make_no_sense(tmp_path, model, data):
    out = tmp_path / "o.csv"
    predict = ["predict", model, data, "-o", out]
    refused(call(*predict, "--top-k", "4"), "'top_k'", "an integer in [1, 3]; got 4")
    refused(call(*predict, "--top-k", "0"), "an integer in [1, 3]; got 0")
    for wrong in ("-0.1", "1.5", "nan", "inf"):
        refused(call(*predict, "--threshold", wrong), "The 'threshold' option of predict must be in [0, 1]; got")
    for more in (["--logits"], ["--probs"], ["--top-k", "2"], ["--threshold", "0.5"]):
        refused(call(*predict, "--labels-only", *more), "--labels-only gives the label alone")
    refused(call(*predict, "--format", "xlsx"), "The table format 'xlsx' is unknown")
    refused(call(*predict, "--text", "body"), "has no column 'body'")
    (tmp_path / "c.csv").write_text("text,p_label,label,predicted_label\na,b,c,d\n")
    refused(call("predict", model, tmp_path / "c.csv", "--prefix", "p_"), "a column 'p_label' already")
    refused(call("predict", model, tmp_path / "c.csv"), "choose a --prefix")
    train = ["train", data, "-o", tmp_path / "m"]
    for option, wrong in (
        ("--l2", "0"),
        ("--l2", "nan"),
        ("--label-smoothing", "1"),
        ("--epochs", "0"),
        ("--seed", "-1"),
    ):
        refused(call(*train, option, wrong), f"'{option[2:].replace('-', '_')}' option of TrainOptions")
    refused(call(*train, "--patience", "0"), "'patience'")
    refused(call(*train, "--weight", "w"), "has no column 'w'")
    refused(call(*train, "--group", "g"), "has no column 'g'")
    refused(call("explain", model, "abc", "--class", "sports"), "The model has no class 'sports'")
    refused(call("softmax", "1", "two"), "A logit must be a number; got 'two'.")
    refused(call("softmax", "1", "--unknown"), "A logit must be a number; got '--unknown'.")
    refused(call("softmax", "1", "nan"), "NaN")
    refused(call("softmax", "1", "2", "--classes", "a"), "names")
    refused(call("softmax", "1", "2", "--temperature", "0"), "temperature")
    assert files_in(tmp_path) == ["c.csv"]
    result = call(*predict, "--threshold", "high")
    assert result.code == 2 and "Invalid value" in result.err and "Traceback" not in result.err


# --- model files ---


def test_files_that_are_no_model(tmp_path, model, data):
    content = model.read_bytes()
    bad = {
        "missing": (None, "does not exist; check the path of the model file."),
        "folder": (..., "is a folder; name the .logitkit file in it."),
        "empty": (b"", "is empty"),
        "truncated": (content[:-100], "truncated"),
        "short": (content[:40], "truncated"),
        "altered": (content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "its checksum does not match"),
        "pickle": (b"\x80\x04\x95" + bytes(40), "a Python pickle"),
        "text": (b"just some words, no model at all", "not a logitkit model"),
    }
    for name, (what, words) in bad.items():
        path = tmp_path / name
        if what is ...:
            path.mkdir()
        elif what is not None:
            path.write_bytes(what)
        for command in (["predict", path, data], ["evaluate", path, data], ["explain", path, "abc"], ["info", path]):
            refused(call(*command), name, words)
    tensors, manifest = read_model_file(model)
    write_model_file(tmp_path / "t", tensors, {**manifest, "temperature": -1})
    refused(call("info", tmp_path / "t"), "is not a consistent model", "temperature")


# --- outputs ---


def test_outputs_that_are_refused_before_any_work(tmp_path, model, data):
    taken, folder = put(tmp_path / "taken.csv", "mine"), tmp_path / "folder.csv"
    folder.mkdir()
    for path, words in (
        (taken, "exists already; choose another name or pass --force"),
        (folder, "it is a folder; name a file in it"),
        (tmp_path / "none" / "a.csv", "does not exist"),
        (taken / "a.csv", "is not a folder"),
    ):
        refused(call("train", data, "-o", path), words, code=1)
        refused(call("predict", model, data, "-o", path), words, code=1)
        refused(call("train", tmp_path / "missing.csv", "-o", path), words, code=1)  # and so before reading
    assert taken.read_text() == "mine" and files_in(tmp_path) == ["folder.csv", "taken.csv"] and files_in(folder) == []
    assert call("predict", model, data, "-o", taken, "--force").code == 0
    assert read_table(taken).num_rows == 150
    refused(call("train", data, "-o", "-"), "does not go into a pipe", code=1)


def test_an_output_is_never_an_input(tmp_path, model):
    data = write_csv(tmp_path / "a.csv", labelled(30))
    mine = put(tmp_path / "m.logitkit", model.read_bytes())
    (tmp_path / "link.csv").symlink_to(data)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for force in ([], ["--force"]):
        refused(call("train", data, "-o", data, *force), "is read by this command", code=1)
        refused(call("train", data, "-o", tmp_path / "link.csv", *force), "is read by this command", code=1)
        refused(call("predict", mine, data, "-o", data, *force), "is read by this command", code=1)
        refused(call("predict", mine, data, "-o", mine, "--format", "csv", *force), "is read by this command", code=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# --- tracebacks ---


def test_only_debug_shows_a_traceback(tmp_path, monkeypatch):
    refused(spawn("info", tmp_path / "none"), "does not exist")
    for arguments in (["--debug", "info", tmp_path / "none"], ["info", tmp_path / "none", "--debug"]):
        result = spawn(*arguments)
        assert result.code == 1 and "Traceback" in result.err and "InputError" in result.err and result.out == b""
    monkeypatch.setattr("logitkit.classifier.TextClassifier.load", lambda _: {}["a\nb"])
    refused(call("info", tmp_path / "none"), "logitkit has failed (KeyError:", "--debug and report", code=1)
    with pytest.raises(KeyError):
        call("info", tmp_path / "none", "--debug")

    def exhausted(_):
        raise MemoryError

    monkeypatch.setattr("logitkit.classifier.TextClassifier.load", exhausted)
    refused(call("info", tmp_path / "none"), "There is not enough memory", code=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path, data):
    tmp_path.chmod(0o500)
    refused(call("train", data, "-o", tmp_path / "m.logitkit"), "no permission", code=1)
