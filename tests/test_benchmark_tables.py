"""The README's tables are those of benchmarks/results, and the benchmarks' own scores are right."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from logitkit.trust import confusion_matrix, expected_calibration_error, log_loss, macro_f1

ROOT = Path(__file__).resolve().parents[1]
RECORD = {
    "machine": {"processor": "a processor", "python": "3.12.0", "versions": {"logitkit": "0.1.0", "absent": None}},
    "threads": 2,
    "sets": [{"set": "trec", "title": "TREC", "classes": 6}],
    "results": [
        {"set": "trec", "model": "logitkit", "accuracy": 0.9, "expected_calibration_error": 0.021, "fit_s": 0.3},
        {"set": "trec", "model": "tfidf_svc", "accuracy": 0.88, "expected_calibration_error": None, "fit_s": 12.3},
        {"set": "trec", "model": "tfidf_lr", "skipped": "it takes long"},
    ],
}
EMPTY = "before\n\n<!-- table:classifiers -->\n<!-- /table -->\n\nafter\n"


def load(name):
    """Import benchmarks/NAME.py, which is no package, and leave the search path as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


tables = load("tables")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "classifiers.json").write_text(json.dumps(RECORD))
    (tmp_path / "README.md").write_text(EMPTY)
    (tmp_path / "README.zh.md").write_text(EMPTY)

    def run(*arguments):
        return tables.main(list(arguments), root=tmp_path, results=tmp_path / "results")

    return SimpleNamespace(run=run, path=tmp_path, readme=tmp_path / "README.md", chinese=tmp_path / "README.zh.md")


def test_tables_are_written_in_the_page_s_language_and_then_pass_the_check(project):
    assert project.run("--check") == 1
    assert project.readme.read_text() == EMPTY, "a check writes nothing"
    assert project.run() == 0
    text = project.readme.read_text()
    assert "| TREC (6) | **90.0** · 2.1 · 0.30 s | 88.0 · – · 12 s |  |" in text
    assert text.startswith("before\n\n<!-- table:classifiers -->\n") and text.endswith("<!-- /table -->\n\nafter\n")
    assert "3.12.0, logitkit 0.1.0." in text
    assert "数据集" in project.chinese.read_text() and "数据集" not in text
    assert project.run("--check") == 0
    assert project.run() == 0 and project.readme.read_text() == text, "written twice is written once"


def test_a_figure_typed_by_hand_fails_the_check(project):
    project.run()
    project.readme.write_text(project.readme.read_text().replace("90.0", "99.9"))
    assert project.run("--check") == 1


def test_pages_without_markers_and_tables_without_results_are_left_alone(project):
    project.readme.write_text("no tables\n")
    project.chinese.write_text("<!-- table:ops -->\nold\n<!-- /table -->\n")
    assert project.run("--check") == 0
    assert project.run() == 0
    assert project.chinese.read_text() == "<!-- table:ops -->\nold\n<!-- /table -->\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- table:classifiers -->\n", "1 tables begin and 0 end"),
        ("<!-- table:classifiers -->\n" + EMPTY, "2 tables begin and 1 end"),
        ("<!-- table:nothing -->\n<!-- /table -->\n", "there is no table 'nothing'"),
    ],
)
def test_a_broken_marker_is_an_error_and_not_a_lost_page(project, capsys, text, said):
    project.readme.write_text(text)
    assert project.run() == 2
    assert project.readme.read_text() == text
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize("name", sorted(tables.RENDERERS))
def test_every_table_can_be_made_of_the_results_that_are_there(name, chinese):
    file, render = tables.RENDERERS[name]
    source = tables.RESULTS / f"{file}.json"
    if not source.exists():
        pytest.skip(f"{source.name} has not been measured here")
    lines = render(json.loads(source.read_text(encoding="utf-8")), chinese).splitlines()
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert len(columns) == 1
    assert lines[-1].startswith("测量环境" if chinese else "Measured on")


def test_scores_are_those_of_the_metrics():
    measure = load("measure")
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 500)
    logits = rng.normal(0, 2, (500, 4)) + 2 * np.eye(4)[labels]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    data = SimpleNamespace(class_names=("a", "b", "c", "d"), test_labels=labels)
    found = measure.score(data, probs.argmax(axis=1), probs, np.log(probs))
    assert found["accuracy"] == pytest.approx((probs.argmax(axis=1) == labels).mean(), abs=1e-5)
    assert found["macro_f1"] == pytest.approx(
        macro_f1(confusion_matrix(labels, probs.argmax(axis=1), n_classes=4)), abs=1e-5
    )
    assert found["log_loss"] == pytest.approx(log_loss(labels, probs=probs), abs=1e-5)
    assert found["expected_calibration_error"] == pytest.approx(
        expected_calibration_error(labels, probs=probs), abs=1e-5
    )
    assert found["probabilities_above_1"] == 0
    above = np.where(probs == probs.max(), 1.00001, probs)
    assert measure.score(data, probs.argmax(axis=1), above, np.log(above))["probabilities_above_1"] == 1


def test_bars_count_what_is_below_them():
    bars = load("bars")
    row = {"set": "trec", "model": "logitkit", "accuracy": 0.879, "fit_s": 0.3, "expected_calibration_error": 0.02}
    fast = {"set": "trec", "model": "fasttext", "fit_s": 1.0}
    judged = bars.judge([row, fast], {"trec": {"test_rows": 1000}})
    assert [bar["met"] for bar in judged] == [False, True, True]
    few = bars.judge([row | {"fit_s": 0.31}, fast], {"trec": {"test_rows": 999}})
    assert [bar["met"] for bar in few] == [False, False]
