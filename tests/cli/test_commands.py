"""Every command and option as a person uses them: results on stdout, words on stderr, JSON that is JSON."""

import csv
import io
import json
import os
import re
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_cli import call, labelled, spawn, write_csv

import logitkit
from logitkit.tables import open_writer, read_table

COMMANDS = ["demo", "train", "predict", "evaluate", "explain", "info", "softmax"]
WORKED = ["softmax", "2.0", "1.0", "0.1", "--classes", "News,Entertainment,Technology"]
OURS = ["label", "probability", "decision", "reason"]


# --- as processes of their own ---


def test_the_core_as_processes(tmp_path, data, rows_of):
    path = tmp_path / "m.logitkit"
    trained = spawn("train", data, "--text", "text", "--label", "label", "-o", path)
    assert trained.code == 0 and path.exists() and "the model is in" in trained.err and "features" in trained.text
    predicted = spawn("predict", path, "-", "--prefix", "p_", stdin=data.read_bytes())
    assert predicted.code == 0 and predicted.err == "" and len(rows_of(predicted.out)) == 150
    evaluated = spawn("evaluate", path, "-", "--label", "p_label", "--json", stdin=predicted.out)
    assert evaluated.code == 0 and evaluated.err == "" and evaluated.json["accuracy"] == 1.0
    assert spawn("explain", path, "-", "--json", stdin=b"abc").json["explanation"]["tokens"] == ["abc"]
    assert spawn("--version").text == f"logitkit {logitkit.__version__}\n"


def test_a_terminal_that_is_not_utf_8_gets_escapes_not_an_error():
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = spawn("softmax", "1", "2", "--classes", "新闻,é", env=env)
    assert shown.code == 0 and b"\\u65b0" in shown.out
    found = spawn("softmax", "1", "2", "--classes", "😀,é", "--json", env=env)
    assert found.out.isascii() and found.json["class_names"] == ["😀", "é"]


# --- help ---


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command):
    result = call(command, "--help")
    assert result.code == 0 and result.err == ""
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.text)
    assert f"Usage: logitkit {command}" in text and "--help" in text
    assert command in call("--help").text


def test_without_a_command_there_is_help():
    result = call()
    assert "Usage: logitkit" in result.text + result.err
    result = call("nothing")
    assert result.code == 2 and "No such command" in result.err and result.out == b""
    result = call("info")
    assert result.code == 2 and "Missing argument" in result.err and "Traceback" not in result.err


# --- softmax ---


def test_the_worked_example():
    result = call(*WORKED)
    assert result.code == 0 and result.err == ""
    for name, logit, exponential, probability in (
        ("News", "2.00", "7.39", "0.66"),
        ("Entertainment", "1.00", "2.72", "0.24"),
        ("Technology", "0.10", "1.11", "0.10"),
    ):
        (line,) = [line for line in result.text.splitlines() if line.split()[:1] == [name]]
        for number in (logit, exponential, probability):
            assert number in line.split(), line
    assert "11.21" in result.text and "11.22" in result.text
    steps = call(*WORKED, "--json").json
    assert [round(value, 2) for value in steps["probs"]] == [0.66, 0.24, 0.10]
    assert [round(value, 2) for value in steps["exponentials"]] == [7.39, 2.72, 1.11]
    assert round(steps["exponentials_sum"], 2) == 11.21
    assert steps["class_names"] == ["News", "Entertainment", "Technology"]


@pytest.mark.parametrize(
    ("logits", "probs"),
    [
        (["-1.5", "-2", "0"], [0.1643, 0.0997, 0.7361]),
        (["inf", "0"], [1, 0]),
        (["-inf", "0"], [0, 1]),
        (["-inf", "-inf"], [0.5, 0.5]),
        (["inf", "3", "inf"], [0.5, 0, 0.5]),
        (["1e4", "-1e4"], [1, 0]),
        (["1e999", "0"], [1, 0]),
        (["-1e-3"], [1]),
        (["1000", "1001"], [0.2689, 0.7311]),
    ],
)
def test_any_number_is_a_logit(logits, probs):
    assert call("softmax", *logits, "--json").json["probs"] == pytest.approx(probs, abs=1e-4)
    for more in ([], ["--naive"]):
        shown = call("softmax", *logits, *more)
        assert shown.code == 0 and shown.err == ""


def test_what_happens_without_the_shift():
    shown = call("softmax", "--naive", "1000", "1001").text
    assert "NaN" in shown and "inf" in shown and "0.73" in shown
    assert call("softmax", "1000", "1001", "--json").json["naive_probs"] == ["NaN", "NaN"]


def test_the_temperature_divides():
    found = call("softmax", "2", "0", "--temperature", "2", "--json").json
    assert found["probs"] == pytest.approx([0.7311, 0.2689], abs=1e-4) and found["scaled"] == [1.0, 0.0]


# --- train and info ---


def test_train_says_what_it_chose_as_json_and_in_words(tmp_path, data):
    path = tmp_path / "m.logitkit"
    record = call("train", data, "-o", path, "--json", "--seed", "3").json
    assert record["model"] == str(path) and record["seed"] == 3 and record["rows"] == 150
    assert {"log_loss_before", "log_loss_after", "calibration_error_before"} <= set(record["held_out"])
    shown = call("train", data, "-o", path, "--force", "--seed", "3")
    assert shown.code == 0 and "held-out texts" in shown.text and "logit scale" in shown.text
    assert "Trained on 150 texts" in shown.err


def test_the_options_of_train_reach_the_record(tmp_path):
    rows = [{**row, "heavy": "1.0" if at % 3 else "0", "who": str(at // 6)} for at, row in enumerate(labelled(150))]
    data = write_csv(tmp_path / "d.csv", rows)
    options = ["--l2", "0.01", "--label-smoothing", "0.1", "--epochs", "3", "--patience", "1", "--weight", "heavy"]
    path = tmp_path / "m.logitkit"
    record = call("train", data, "-o", path, *options, "--group", "who", "--json").json
    assert (record["l2"], record["label_smoothing"]) == (0.01, 0.1) and record["epochs"] <= 3
    assert record["rows"] == 100 and len(record["class_counts"]) == 2  # the rows of weight 0 are those of "class 0"
    info = call("info", path, "--json").json
    assert info["classes"] == ["class 1", "class 2"] and info["training"]["l2"] == 0.01
    other = call("train", data, "-o", tmp_path / "n.logitkit", *options, "--json").json
    assert other["held_out"] != record["held_out"]
    rare = write_csv(tmp_path / "r.csv", rows[:90] + [row for row in rows[90:] if row["label"] == "class 0"])
    biases = []
    for more in ([], ["--balanced"]):
        assert call("train", rare, "-o", tmp_path / "b.logitkit", "--l2", "0.5", *more, "--force").code == 0
        biases.append(logitkit.load(tmp_path / "b.logitkit").layer.bias[0])
    assert biases[0] > biases[1] + 0.1


def test_the_same_seed_gives_the_same_file(tmp_path, data):
    for name in ("1", "2"):
        assert call("train", data, "-o", tmp_path / name, "--epochs", "2").code == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_info(model):
    found = call("info", model, "--json").json
    assert found["classes"] == ["class 0", "class 1", "class 2"] and found["file_bytes"] == model.stat().st_size
    assert found["training"]["rows"] == 150 and found["ngrams"]["words"] == [1, 2]
    shown = call("info", model).text
    assert "150" in shown and "class 1 50" in shown and "held-out texts" in shown


# --- formats ---


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.csv.gz", "d.jsonl.zst", "d.parquet", "d.arrow"])
def test_every_format_in_and_out(tmp_path, model, data, name, rows_of):
    table = read_table(data)
    expected = rows_of(call("predict", model, data).out)
    with open_writer(tmp_path / name, table.schema) as writer:
        writer.write(table)
    out = tmp_path / f"out-{name}"
    result = call("predict", model, tmp_path / name, "-o", out)
    assert result.code == 0 and result.out == b"" and "150 rows in" in result.err
    found = read_table(out)
    assert found.column_names == ["text", "label", *(f"predicted_{name}" for name in OURS)]
    for key in ("text", "label", "predicted_label", "predicted_decision"):
        assert found.column(key).to_pylist() == [row[key] for row in expected]
    near = [float(value) for value in found.column("predicted_probability").to_pylist()]
    assert near == pytest.approx([float(row["predicted_probability"]) for row in expected])
    trained = call("train", tmp_path / name, "-o", tmp_path / "m.logitkit", "--epochs", "4")
    assert trained.code == 0 and (tmp_path / "m.logitkit").read_bytes() == model.read_bytes()
    assert call("evaluate", model, tmp_path / name, "--json").json["rows"] == 150


def as_bytes(table, format):
    sink = io.BytesIO()
    texts = table.column("text").to_pylist()
    if format in ("csv", "tsv"):
        sink.write("\n".join(["text", *texts]).encode())
    elif format == "jsonl":
        sink.write("\n".join(json.dumps({"text": text}) for text in texts).encode())
    elif format == "parquet":
        pq.write_table(table, sink)
    else:
        new = pa.ipc.new_file if format == "arrow" else pa.ipc.new_stream
        with new(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def as_rows(out, format):
    if format in ("csv", "tsv"):
        return list(csv.DictReader(io.StringIO(out.decode()), delimiter="\t" if format == "tsv" else ","))
    if format == "jsonl":
        return [json.loads(line) for line in out.splitlines()]
    if format == "parquet":
        return pq.read_table(io.BytesIO(out)).to_pylist()
    return pa.ipc.open_stream(out).read_all().to_pylist()


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "arrow", "arrows"])
def test_every_format_through_pipes(model, data, format, rows_of):
    content = as_bytes(read_table(data).select(["text"]), format)
    result = call("predict", model, "-", "--format", format, stdin=content)
    assert result.code == 0 and result.err == "", result.err
    expected = [row["predicted_label"] for row in rows_of(call("predict", model, data).out)]
    assert [row["label"] for row in as_rows(result.out, format)] == expected


# --- predict ---


def test_predict_writes_what_python_says(tmp_path, model, data):
    out = tmp_path / "o.parquet"
    classifier = logitkit.load(model)
    middle = float(np.median(classifier.predict_probs([row["text"] for row in labelled(150)]).max(axis=1)))
    options = ["--logits", "--probs", "--top-k", "2", "--threshold", middle, "--prefix", "p_"]
    assert call("predict", model, data, "-o", out, *options).code == 0
    table = pq.read_table(out)
    assert table.column_names[2:] == [f"p_{name}" for name in (*OURS, "logits", "probs", "top_k")]
    texts = table.column("text").to_pylist()
    logits, probs = classifier.predict_logits(texts), classifier.predict_probs(texts)
    assert (np.array(table.column("p_logits").to_pylist(), np.float32) == logits).all()
    assert (np.array(table.column("p_probs").to_pylist(), np.float32) == probs).all()
    decisions = classifier.decide(texts, threshold=middle)
    assert table.column("p_label").to_pylist() == classifier.predict(texts) == [d.raw_label for d in decisions]
    assert table.column("p_decision").to_pylist() == [d.label for d in decisions]
    assert table.column("p_reason").to_pylist() == [str(d.reason) for d in decisions]
    assert table.column("p_probability").to_pylist() == [d.probability for d in decisions]
    assert {d.abstained for d in decisions} == {True, False}
    for row, pairs in zip(probs, table.column("p_top_k").to_pylist(), strict=True):
        assert [pair["label"] for pair in pairs] == [classifier.class_names[c] for c in np.argsort(-row)[:2]]
        assert [pair["probability"] for pair in pairs] == sorted(row.tolist(), reverse=True)[:2]


def test_a_near_tie_is_written_as_its_logits_decide(tmp_path, model):
    classifier = logitkit.load(model)
    classifier.layer.bias[:] = [1.0, np.nextafter(np.float32(1), np.float32(2)), 0.0]
    classifier.temperature = 1e6
    classifier.save(tmp_path / "m.logitkit")
    data = write_csv(tmp_path / "a.csv", [{"text": "☃"}])
    out = tmp_path / "o.parquet"
    assert call("predict", tmp_path / "m.logitkit", data, "-o", out, "--probs", "--top-k", "1").code == 0
    (row,) = pq.read_table(out).to_pylist()
    assert row["label"] == row["top_k"][0]["label"] == "class 1" and np.argmax(row["probs"]) == 1


def test_names_that_clash(tmp_path, model, rows_of):
    data = write_csv(tmp_path / "a.csv", [{"text": "abc", "label": "x", "reason": "mine"}])
    result = call("predict", model, data)
    (found,) = rows_of(result.out)
    assert found["label"] == "x" and found["reason"] == "mine" and "predicted_label" in found
    assert result.err == "The input has columns of these names already, so the new ones begin with predicted_.\n"
    (found,) = rows_of(call("predict", model, data, "--prefix", "m_").out)
    assert found["m_label"] and "predicted_label" not in found
    (found,) = rows_of(call("predict", model, write_csv(tmp_path / "b.csv", [{"text": "abc"}])).out)
    assert list(found) == ["text", *OURS]


def test_labels_only_are_the_same_labels_and_never_enter_a_softmax(model, data, rows_of):
    entered = set()

    def profile(frame, event, _argument):
        if event == "call":
            entered.add(f"{frame.f_code.co_filename.rsplit('logitkit/', 1)[-1]}:{frame.f_code.co_name}")

    def profiled(*arguments):
        entered.clear()
        threading.setprofile(profile)
        sys.setprofile(profile)
        try:
            result = call(*arguments)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        return result, {name for name in entered if "softmax" in name or "decide" in name}

    whole, with_softmax = profiled("predict", model, data, "--prefix", "p_")
    labels, without = profiled("predict", model, data, "--prefix", "p_", "--labels-only")
    assert any(name.startswith("ops/softmax.py") for name in with_softmax)  # so the profile would see it
    assert without == set()
    found = rows_of(labels.out)
    assert list(found[0]) == ["text", "label", "p_label"]
    assert [row["p_label"] for row in found] == [row["p_label"] for row in rows_of(whole.out)]


def test_no_rows_in_no_rows_out(tmp_path, model, rows_of):
    (tmp_path / "a.csv").write_text("text,label\n")
    result = call("predict", model, tmp_path / "a.csv", "--logits", "--top-k", "2")
    assert result.code == 0 and rows_of(result.out) == [] and b"predicted_top_k" in result.out
    shown = call("evaluate", model, tmp_path / "a.csv")
    assert shown.code == 0 and "No rows" in shown.text
    assert call("evaluate", model, tmp_path / "a.csv", "--json").json["accuracy"] is None


def test_batches_leave_no_trace(tmp_path, model, monkeypatch):
    data = write_csv(tmp_path / "a.csv", [{"text": row["text"]} for row in labelled(150)] * 4)
    whole = call("predict", model, data, "--probs").out
    sizes = []
    real = logitkit.TextClassifier.decide_columns
    monkeypatch.setattr(
        logitkit.TextClassifier, "decide_columns",
        lambda self, texts, **more: sizes.append(len(texts)) or real(self, texts, **more),
    )  # fmt: skip
    monkeypatch.setattr("logitkit.cli.console._LOGITS_AT_ONCE", 21)
    assert call("predict", model, data, "--probs").out == whole
    assert max(sizes) == 7 and sum(sizes) == 600


# --- evaluate ---


def test_evaluate_has_the_agreed_names(model, data):
    found = call("evaluate", model, data, "--json").json
    for name in ("accuracy", "macro_f1", "log_loss", "brier_score", "expected_calibration_error"):
        assert 0.0 <= found[name] <= 2.0
    table = read_table(data)
    guesses = logitkit.load(model).predict(table.column("text"))
    right = [guess == label for guess, label in zip(guesses, table.column("label").to_pylist(), strict=True)]
    assert found["accuracy"] == pytest.approx(np.mean(right)) and found["rows"] == 150
    shown = call("evaluate", model, data)
    assert shown.err == "" and all(
        word in shown.text for word in ("accuracy", "macro F1", "Brier", "class 0", "recall")
    )


def test_labels_that_training_never_saw(tmp_path, model):
    rows = labelled(30)
    rows[3]["label"] = "sports"
    data = write_csv(tmp_path / "a.csv", rows)
    found = call("evaluate", model, data, "--json").json
    assert found["unseen_labels"] == {"sports": 1} and found["rows_with_unseen_labels"] == 1
    assert "have a label that training never saw: 'sports' (1)" in call("evaluate", model, data).text
    data = write_csv(tmp_path / "b.csv", [{"text": "abc", "label": "sports"}])
    assert call("evaluate", model, data, "--json").json["log_loss"] is None
    assert call("evaluate", model, data).code == 0


# --- explain ---


def test_explain(model):
    text = labelled(1)[0]["text"]
    found = call("explain", model, text, "--json").json
    classifier = logitkit.load(model)
    assert found["explanation"] == classifier.explain(text).to_json()
    assert found["decision"]["raw_label"] == classifier.predict([text])[0]
    shown = call("explain", model, text, "--class", "class 2").text
    assert "What moved the logit of class 2" in shown and "bias" in shown
    assert call("explain", model, "-", stdin=text.encode()).text == call("explain", model, text).text


@pytest.mark.parametrize("text", ["", "\0", "👩‍👩‍👧 é", "[/red] [bold]x :smile:", "☃" * 500, "a\x1b[31m\r\nb"])
def test_explain_any_text(model, text):
    for more in ([], ["--json"]):
        result = call("explain", model, "-", *more, stdin=text.encode())
        assert result.code == 0 and result.err == ""


def test_explain_invalid_utf_8_and_what_looks_like_an_option(model):
    assert call("explain", model, "-", "--json", stdin=b"abc \xff def").json["explanation"]["tokens"][0] == "abc"
    found = call("explain", model, "--json", "--", "--debug").json
    assert "debug" in found["explanation"]["tokens"]


# --- names ---


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path):
    names = {"class 0": "[/red]", "class 1": "[bold]x", "class 2": ":smile:\\"}
    rows = [{"text": row["text"] + " [/b] :smile:", "label": names[row["label"]]} for row in labelled(60)]
    data, path = write_csv(tmp_path / "a.csv", rows), tmp_path / "[x] :smile:.logitkit"
    trained = call("train", data, "-o", path)
    assert trained.code == 0 and "[x] :smile:.logitkit" in trained.err
    explained = call("explain", path, rows[0]["text"])
    for shown in (trained, call("info", path), call("evaluate", path, data), explained):
        assert shown.code == 0 and all(name in shown.text for name in names.values()), shown
    steps = call("softmax", "1", "2", "--classes", "[/red],[bold]x").text
    assert "[/red]" in steps and "[bold]x" in steps
