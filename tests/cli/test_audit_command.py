"""`logitkit audit` and `logitkit calibrate apply`, as a person uses them."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from run_cli import call
from scipy.special import log_softmax

from logitkit import DecisionPolicy, trust


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1500, 3)) * 5.0
    p = np.exp(log_softmax(truth, axis=1))
    labels = (p.cumsum(axis=1) < rng.random((1500, 1))).sum(axis=1).clip(0, 2)
    np.savez(folder / "net.npz", logits=(2.0 * truth).astype(np.float32), labels=labels)
    np.save(folder / "new.npy", (2.0 * truth[:200]).astype(np.float32))
    result = call(
        "audit", folder / "net.npz", "--quick", "--classes", "cat,dog,<b>cow", "-o", folder / "net.logitkit",
        "--report", folder / "audit.html", "--label-errors", folder / "labels.csv",
    )  # fmt: skip
    assert result.code == 0, result.err
    (folder / "out.txt").write_text(result.text)
    return folder


def test_says_the_verdict_first_and_writes_all_that_was_asked(folder):
    text = (folder / "out.txt").read_text()
    assert "confidence" in text.splitlines()[0] and "nan" not in text.lower()
    page = (folder / "audit.html").read_text()
    assert page.startswith("<!doctype html>") and "<b>cow" not in page and "&lt;b&gt;cow" in page
    assert (folder / "labels.csv").read_text().replace('"', "").startswith("row,given,suggested")
    assert DecisionPolicy.load(folder / "net.logitkit").class_names == ("cat", "dog", "<b>cow")


def test_json_is_one_object_and_chinese_is_chinese(folder):
    record = call("audit", folder / "net.npz", "--quick", "--json").json
    assert record["rows"] == 1500 and record["fit"]["chosen"] == "temperature" and record["judged_rows"] == 750
    assert "置信度" in call("audit", folder / "net.npz", "--quick", "--language", "zh").text


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl", "out.csv"])
def test_applies_the_calibrator_and_its_rules_to_new_logits(folder, tmp_path, name):
    result = call(
        "calibrate", "apply", folder / "net.logitkit", folder / "new.npy", "-o", tmp_path / name, "--sets",
        "--with-probs",
    )  # fmt: skip
    assert result.code == 0, result.err
    policy, logits = DecisionPolicy.load(folder / "net.logitkit"), np.load(folder / "new.npy")
    decisions = policy.decide(logits)
    if name.endswith(".parquet"):
        rows = pq.read_table(tmp_path / name).to_pylist()
        assert [row["label"] for row in rows] == [decision.raw_label for decision in decisions]
        assert [row["decision"] for row in rows] == [decision.label for decision in decisions]
        assert [row["reason"] for row in rows] == [str(decision.reason) for decision in decisions]
        np.testing.assert_allclose([row["probs"] for row in rows], policy.calibrator.probs(logits), rtol=1e-6)
        sets = policy.predict_sets(logits)
        assert [len(row["prediction_set"]) for row in rows] == sets.sum(axis=1).tolist()
    elif name.endswith(".jsonl"):
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert [row["label"] for row in rows] == [decision.raw_label for decision in decisions]
    else:
        assert len((tmp_path / name).read_text().splitlines()) == 201


def test_probabilities_alone_go_into_npy(folder, tmp_path):
    out = tmp_path / "probs.npy"
    assert call("calibrate", "apply", folder / "net.logitkit", folder / "new.npy", "-o", out).code == 0
    calibrator = trust.load_calibrator(folder / "net.logitkit")
    np.testing.assert_array_equal(np.load(out), calibrator.probs(np.load(folder / "new.npy")))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "missing.npz"], "does not exist"),
        (["audit", "net.npz", "--split", "1.5"], "'split'"),
        (["audit", "net.npz", "--language", "fr"], "'en' or 'zh'"),
        (["audit", "net.npz", "-o", "-"], "do not go into a pipe"),
        (["audit", "net.npz", "-o", "net.npz"], "read by this command"),
        (["audit", "net.npz", "--classes", "a,b"], "3 classes|classes"),
        (["audit", "net.npz", "--probs"], "--probs"),
        (["audit", "new.npy"], "no labels"),
        (["audit", "net.npz", "--unknown", "net.logitkit"], "net.logitkit"),
        (["calibrate", "apply", "net.npz", "new.npy", "-o", "x.csv"], "not a logitkit model|ZIP"),
        (["calibrate", "apply", "net.logitkit", "new.npy", "-o", "x.npy", "--sets"], "probabilities alone"),
    ],
)
def test_wrong_input_gets_one_sentence(folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    result = call(*arguments)
    assert result.code in (1, 2) and not result.out
    assert result.err.count("Error:") == 1
    assert re.search(words, result.err), result.err
    assert not (folder / "x.csv").exists() and not (folder / "x.npy").exists()
