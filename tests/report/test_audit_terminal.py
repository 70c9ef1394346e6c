"""An audit in a terminal: words first, every figure there, within 100 columns, no name that is markup."""

import dataclasses
import re

import audits
import pytest
from rich.cells import cell_len
from rich.console import Console

from logitkit.audit.record import Sentence
from logitkit.report.audit_terminal import render_audit
from logitkit.report.audit_words import say

MAKERS = (audits.class_audit, audits.tiny_audit, audits.label_audit)


def text(audit, language="en", width=100):
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(render_audit(audit, language))
    return captured.get().replace("\u00a0", " ")


def one_line(shown):
    return " ".join(shown.split())


def rows(shown):
    """Lines as lists of cells, which at least two spaces part; an interval stays with its figure."""
    return [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]


@pytest.fixture(scope="module")
def audit():
    return audits.class_audit()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_fits_100_columns_and_no_figure_is_nan(make, language):
    shown = text(make(), language, 400)
    tables = [line for line in shown.splitlines() if set(line.strip()) == {"─"}]
    assert tables and max(len(line) for line in tables) <= 100
    assert not re.search(r"\b(nan|NaN|None|inf|Infinity)\b", shown)
    assert "…" not in shown.replace("… ", "").replace("……", "")  # nothing is cut
    assert max(cell_len(line) for line in text(make(), language).splitlines()) <= 100


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_comes_first_then_the_notes(make, language):
    audit = make()
    shown = text(audit, language, 1000).splitlines()
    sentences = [say(one, language).replace("\u00a0", " ") for one in (*audit.verdict, *audit.notes)]
    assert [line.strip() for line in shown[: len(sentences)]] == sentences
    console = Console(width=100, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(render_audit(audit, language))
    assert captured.get().startswith("\x1b[1m")


def test_the_methods_are_there_with_their_intervals_and_the_chosen_one_is_marked(audit):
    lines = rows(text(audit))
    for one in audit.methods:
        name = say(Sentence("why.refused", {"method": one.method, "why": "x"})).split(": ")[1].split(" (")[0]
        if one.refused:
            assert any(line == [f"Not tried: {name} (for two classes only)."] for line in lines)
            continue
        mark = " ✓" if one.method == "temperature" else ""
        loss, error = one.log_loss, one.expected_calibration_error
        assert [
            f"{name}{mark}",
            f"{loss.value:.4f} [{loss.low:.4f}, {loss.high:.4f}]",
            f"{100 * error.value:.1f} [{100 * error.low:.1f}, {100 * error.high:.1f}]",
            f"{one.brier_score.value:.4f}",
            f"{100 * one.accuracy.value:.1f}",
        ] in lines


def test_the_other_tables_hold_the_record(audit):
    lines = rows(text(audit))
    for when in (audit.before, audit.after):
        for name, value in dataclasses.asdict(when.errors).items():
            assert any(f"{100 * value:.2f}" in line for line in lines), name
        parts = (when.log_loss_calibration, when.log_loss_refinement)
        assert any(line[1:] == [f"{v:.4f}" for v in (*parts, sum(parts))] for line in lines)
    for one in audit.abstention:
        if one.threshold is not None:
            allowed = f"{100 * one.max_error:g} %"
            assert any(line[0] == allowed and line[1] == f"{one.threshold:.3f}" for line in lines)
    assert "At most 0.1 %: too few rows, 2,000 of 3,000 needed." in text(audit)
    assert "At most 2 %: no, too many errors; about 1.3 % can be promised." in text(audit)
    assert ["LAC, by class", "90.3 %", "1.84", "55.0 %", "0.2 %", "class 3", "86.1 %"] in lines
    assert ["energy", "−1.250", "4.9 %", "0.870", "0.930", "31.0 %", "68.0 %"] in lines
    assert ["class 7", "407", "390", "57.0 %", "47.0 %", "10.1 %", "10.0 %"] in lines
    assert not any(line[0] == "class 8" for line in lines)
    assert ["333", "class 9", "9.0 %", "class 0", "81.0 %"] in lines and not any(line[0] == "370" for line in lines)


def test_what_there_is_none_of_is_left_out_or_a_dash(audit):
    tiny = text(audits.tiny_audit())
    lines = rows(tiny)
    assert ["as they are", "∞", "–", "0.4412", "80.0"] in lines
    assert ["LAC", "–", "–", "–", "–", "–", "–"] in lines
    assert "AUROC, unknown" not in one_line(tiny) and "wrong labels" not in tiny
    assert "5 rows of other.csv fitted the calibrator, 5 rows judge it." in tiny
    bare = dataclasses.replace(
        audit, methods=(), classes=(), abstention=(), conformal=(), outliers=(), label_errors=None, notes=()
    )
    assert "Before and after" in text(bare) and "method" not in text(bare)


def test_a_multilabel_model_has_labels_instead_of_methods():
    audit = audits.label_audit()
    lines = rows(text(audit))
    for one in audit.labels:
        method = {"none": "as they are", "beta": "beta calibration"}[one.method]
        assert any(line[0] == one.name and line[2:4] == [method, "0.4000"] for line in lines)
    many = text(audits.label_audit(tuple(f"label {i}" for i in range(500))))
    assert "The 20 labels with the largest calibration error before, of 500" in many
    assert len(re.findall(r"^label \d", many, re.M)) == 20


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_names_are_shown_as_they_are_and_rule_nothing(language):
    shown = text(audits.class_audit(names=audits.HOSTILE), language)
    assert "<script>alert(1)</script>"[:20] in shown and "[red]x" in shown
    assert not re.search("[\x1b\u202e\r\x00]", shown)
    assert "W" * 61 not in shown
    assert max(cell_len(line) for line in shown.splitlines()) <= 100


def test_many_classes_stay_few_lines():
    shown = text(audits.class_audit(names=tuple(f"class {i}" for i in range(1000)), rows=500))
    assert "The 8 classes that need a look most, of 1,000" in shown
    assert len(shown.splitlines()) < 130
