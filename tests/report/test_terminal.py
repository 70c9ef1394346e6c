"""What a person reads: the figures are there, in 80 columns, and the sentence says what the figures say."""

import math

import numpy as np
import pytest
from rich.console import Console

from logitkit.report.evaluation import EvaluationBuilder
from logitkit.report.steps import softmax_steps
from logitkit.report.terminal import format_number, reliability_sentence, render_evaluation, render_steps


def text(renderable, width=80):
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def one_line(renderable):
    return " ".join(text(renderable).split())


def test_the_worked_example_fits_80_columns_and_explains_its_sum():
    shown = text(render_steps(softmax_steps([2.0, 1.0, 0.1], class_names=["News", "Entertainment", "Technology"])))
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.split()}
    assert rows["News"] == ["2.00", "7.39", "0.00", "1.00", "0.66"]
    assert rows["Entertainment"] == ["1.00", "2.72", "-1.00", "0.37", "0.24"]
    assert rows["Technology"] == ["0.10", "1.11", "-1.90", "0.15", "0.10"]
    assert rows["sum"] == ["11.21", "1.52", "1.00"]
    assert "Adding the rounded terms gives 11.22; the sum of the exact ones is 11.21." in shown
    assert "…" not in shown


def test_naive_shows_nan_beside_the_stable_way():
    shown = one_line(render_steps(softmax_steps([1000.0, 1001.0]), naive=True))
    assert "class 0 1000.00 inf NaN -1.00 0.37 0.2689" in shown
    assert "class 1 1001.00 inf NaN 0.00 1.00 0.7311" in shown
    assert "overflows to inf, and inf / inf = NaN" in shown
    assert "0 / 0 = NaN" in one_line(render_steps(softmax_steps([-1000.0, -1001.0]), naive=True))
    assert "Both ways agree here" in one_line(render_steps(softmax_steps([2.0, 1.0]), naive=True))
    assert "digits are lost" in one_line(render_steps(softmax_steps([-743.0, -744.0]), naive=True))


def test_notes_on_temperature_ties_and_many_classes():
    assert "z = logit / 2.5, the temperature." in one_line(render_steps(softmax_steps([2.0, 1.0], temperature=2.5)))
    assert "class 1: the first of 2 equal logits" in one_line(render_steps(softmax_steps([0.0, 3.0, 3.0])))
    many = text(render_steps(softmax_steps(np.arange(50.0))))
    assert "The 20 largest of 50 classes" in many and "class 30" in many and "class 29" not in many


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (0.005, 2, "0.01"),
        (0.0049, 2, "4.9e-03"),
        (-1e-9, 4, "-1.0e-09"),
        (9_999_999.0, 2, "9999999.00"),
        (2e7, 2, "2.0e+07"),
        (math.nan, 2, "NaN"),
        (-math.inf, 2, "-inf"),
    ],
)
def test_numbers_are_readable(value, digits, expected):
    assert format_number(value, digits) == expected


def logits_that_say(p):
    return [math.log(p), math.log(1.0 - p)]


@pytest.mark.parametrize(
    ("right", "wrong", "p", "words"),
    [
        (90, 10, 0.9, "says 90 %, it is right 90 % of the time (100 rows): its confidence can be believed"),
        (
            60,
            40,
            0.9,
            "says 90 %, it is right 60 % of the time (100 rows): it is over-confident by 30.0 points",
        ),
        (
            100,
            0,
            0.6,
            "says 60 %, it is right 100 % of the time (100 rows): it is under-confident by 40.0 points",
        ),
        (5, 5, 0.9, "says 90.0 % and is right 50.0 % of the time: it is over-confident by 40.0 points"),
    ],
)
def test_the_sentence_says_what_the_figures_say(right, wrong, p, words):
    builder = EvaluationBuilder(["a", "b"]).update([logits_that_say(p)] * (right + wrong), [0] * right + [1] * wrong)
    assert words in reliability_sentence(builder.finish())


def test_errors_of_both_signs_are_not_called_over_confident():
    rows = [logits_that_say(0.6)] * 50 + [logits_that_say(0.95)] * 50
    labels = [0] * 45 + [1] * 5 + [0] * 32 + [1] * 18
    assert "now above and now below" in reliability_sentence(
        EvaluationBuilder(["a", "b"]).update(rows, labels).finish()
    )


def test_few_classes_show_everything_and_names_are_not_markup():
    logits = np.eye(3)[[0, 1, 1, 2]]
    shown = text(render_evaluation(EvaluationBuilder(["[red]a", "b", "c"]).update(logits, [0, 1, 2, 2]).finish()))
    assert shown.count("[red]a") == 3  # in the table of classes, and twice in the confusions
    assert "accuracy" in shown and "75.0 %" in shown
    assert "Confusion: rows are labels" in shown


def test_many_classes_show_the_worst_and_the_most_frequent_confusions():
    labels = np.arange(40) % 20
    predicted = labels.copy()
    predicted[[3, 23, 7]] = [4, 4, 8]
    names = [f"c{i}" for i in range(20)]
    shown = text(render_evaluation(EvaluationBuilder(names).update(np.eye(20)[predicted], labels).finish()))
    assert "The 10 classes with the least F1, of 20" in shown
    assert "The 2 most frequent confusions" in one_line(shown)
    assert [line.split() for line in shown.splitlines() if line.split()[:1] == ["c3"]][-1] == ["c3", "c4", "2"]
    perfect = EvaluationBuilder(names).update(np.eye(20), np.arange(20)).finish()
    assert "No class is taken for another." in text(render_evaluation(perfect))


def test_what_is_odd_is_said():
    builder = EvaluationBuilder(["a", "b"]).update_names([[0.0, -np.inf], [1.0, 0.0], [1.0, 0.0]], ["b", "Law", "Law"])
    shown = one_line(render_evaluation(builder.finish()))
    assert "2 rows have a label that training never saw: 'Law' (2)" in shown
    assert "The log loss is infinite: 1 rows" in shown
    assert text(render_evaluation(EvaluationBuilder(["a"]).finish())) == "No rows: there is nothing to judge.\n"
