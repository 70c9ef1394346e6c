"""The page: one well-formed file that fetches nothing, every text escaped, both languages alike, no number lost."""

import dataclasses
import math
import re
import string
import unicodedata

import numpy as np
import pytest
from pages import Reader, assert_readable, assert_self_contained, assert_well_formed, halves

from logitkit import TextClassifier, TrainOptions
from logitkit.demo.corpus import CLASS_OF_FOLDER, ORIGIN
from logitkit.report.demo import WORKED_CLASSES, WORKED_LOGITS, DemoReport
from logitkit.report.evaluation import EvaluationBuilder
from logitkit.report.page import render_page
from logitkit.report.page_en import ENGLISH
from logitkit.report.page_markup import number
from logitkit.report.page_zh import CHINESE, TRANSLATED
from logitkit.report.steps import softmax_steps
from logitkit.report.terminal import format_number

SENTENCE = "The new smartphone has amazing features."
TOPICS = {"News": "vote goal market", "Entertainment": "film song actor", "Technology": "smartphone chip features"}


def make_report(topics, sentence=SENTENCE, held_out=8, threshold=None, copies=12):
    """Train on a few words a class, and report on it as the demo does."""
    texts = [f"the {word} is here {i}" for words in topics.values() for word in words.split() for i in range(copies)]
    labels = [label for label, words in topics.items() for _ in words.split() for _ in range(copies)]
    model = TextClassifier(TrainOptions(epochs=3)).fit(texts, labels)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(texts))[:held_out]

    def judge(names):
        builder = EvaluationBuilder(model.class_names, temperature=model.temperature)
        if held_out:
            asked = [f"{texts[i]} {texts[rng.integers(len(texts))]}" for i in chosen]
            builder.update_names(model.predict_logits(asked), names)
        return builder.finish()

    explanation = model.explain(sentence)
    return DemoReport(
        origin=ORIGIN, articles=99, train_articles=88, train_paragraphs=len(texts), record=model.record,
        temperature=model.temperature, paragraphs=judge([labels[i] for i in chosen]),
        whole_articles=judge([labels[i] for i in chosen]), sentence=sentence,
        decision=model.decide([sentence], threshold=threshold)[0], explanation=explanation,
        steps=softmax_steps(explanation.logits, class_names=model.class_names, temperature=model.temperature),
        worked=softmax_steps(WORKED_LOGITS, class_names=WORKED_CLASSES),
        seconds={"reading": 0.25, "training": 1.5, "unheard of <i>": 2.0}, version="9.8.7",
    )  # fmt: skip


@pytest.fixture(scope="session")
def report():
    return make_report(TOPICS, sentence="A film, a vote or a chip?", held_out=30)


@pytest.fixture(scope="session")
def page(report):
    return render_page(report)


@pytest.fixture(scope="session")
def page_of_two():
    return render_page(make_report({"a": "vote goal", "b": "film song"}))


def hostile():
    names = ["<script>alert(1)</script>", "a\"b'c&amp;</td>", "عربى \u202e", "😀" * 3, "W" * 300]
    return dict(zip(names, ("vote goal", "film song", "chip code", "sun rain", "bread soup"), strict=True))


def test_is_well_formed_with_one_of_each_id_and_every_reference_resolved(page):
    assert_well_formed(page)


def test_fetches_nothing_and_runs_nothing(page):
    assert_self_contained(page)


def test_can_be_read_without_seeing_it(page):
    assert_readable(page)
    read = Reader(page)
    assert len(read.all("h1")) == 2
    assert len(read.all("svg")) == 12


def test_both_languages_say_the_same_things(page):
    assert ENGLISH.words.keys() == CHINESE.words.keys()
    for key, words in ENGLISH.words.items():
        fields, others = ({f for _, f, *_ in string.Formatter().parse(w) if f} for w in (words, CHINESE.words[key]))
        assert fields == others, key
    english, chinese = halves(page)
    for tag in ("h1", "h2", "h3", "table", "tr", "th", "td", "svg", "figure", "details", "p", "pre", "bdi"):
        assert english.count(f"<{tag}") == chinese.count(f"<{tag}"), tag
    assert re.findall(r'<h2 id="en-(\w+)', english) == re.findall(r'<h2 id="zh-(\w+)', chinese)


def test_the_chinese_has_chinese_punctuation_and_spaced_latin():
    for key, words in {**CHINESE.words, **TRANSLATED}.items():
        bare = re.sub(r"</?(b|code|span)[^>]*>|\{\w+\}", "", words).replace("<small>", "\n")
        assert not re.search(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!(][\u4e00-\u9fff]", bare), key
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", bare), key
        assert unicodedata.is_normalized("NFC", words)


def test_the_origin_has_chinese_words_and_what_has_none_is_marked_as_english(report):
    assert set(ORIGIN) <= set(TRANSLATED)
    _, chinese = halves(render_page(dataclasses.replace(report, origin=("No such <sentence>.",))))
    assert '<span lang="en">No such &lt;sentence&gt;.</span>' in chinese


def test_the_words_on_the_corpus_are_those_of_the_corpus(report, page_of_two):
    of_class = {label: {f for f, c in CLASS_OF_FOLDER.items() if c == label} for label in WORKED_CLASSES}
    assert of_class == {
        "News": {"business", "politics", "sports"},
        "Entertainment": {"entertainment"},
        "Technology": {"tech"},
    }
    assert "business, politics and sport are News" in render_page(report)
    assert "business, politics and sport are News" not in page_of_two


def test_the_numbers_of_the_report_are_there(report, page):
    for half, sign in zip(halves(page), ("\u00a0%", "%"), strict=True):
        label, chance = report.decision.raw_label, report.decision.probability
        assert re.search(rf"<h1><bdi>{label}</bdi>[,，] ?{100 * chance:.0f}{sign}</h1>", half)
        e = report.paragraphs
        for value in (e.accuracy, e.macro_f1, e.expected_calibration_error, e.mean_confidence):
            assert f"{100 * value:.1f}{sign}" in half
        for value in (
            e.log_loss,
            e.brier_score,
            report.whole_articles.log_loss,
            report.record.held_out.log_loss_before,
        ):
            assert f"<td>{format_number(value, 3)}</td>" in half
        for value in report.explanation.contributions.ravel():
            assert f"{abs(value):.3f}</td>" in half
        for value in (*report.steps.scaled, *report.steps.probs, report.steps.shifted_exponentials_sum):
            assert f"{number(abs(value))}</td>" in half
        for value in ("7.39", "2.72", "1.11", "11.21", "0.66", "0.24", "0.10"):
            assert f"<td>{value}</td>" in half
        assert "11.22" in half
        assert "logitkit 9.8.7" in half
        for one in e.per_class:
            assert f"<td>{one.support}</td><td>{one.predicted}</td><td>{100 * one.precision:.1f}</td>" in half
        for row in e.confusion:
            assert all(f">{n}</span></td>" in half for n in row)
        for one in e.reliability:
            assert not one.count or f">{one.count}</text>" in half


def test_words_and_class_names_are_escaped(page_of_two):
    sentence = "<script>alert('x')</script> \"q\" vote 😀 שלום\x00 &lt; \ud800" + "W" * 500
    report = make_report(hostile(), sentence="vote")
    words = ("<script>", 'a"b', "'c'", "&lt;", "\x00", "\ud800")
    explanation = dataclasses.replace(report.explanation, tokens=words, contributions=np.ones((6, 5)))
    report = dataclasses.replace(
        report, sentence=sentence, explanation=explanation, version="<i>", origin=("<img src=x onerror=y>",)
    )
    page = render_page(report)
    page.encode("utf-8")
    read = Reader(page)
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in Reader(page_of_two).tags} | {"li", "ul", "h3"}
    assert "\x00" not in page
    text = "".join(read.texts)
    for label in report.paragraphs.classes:
        assert label in text
    assert "<script>alert('x')</script>" in text
    assert "&lt;" in text  # what was escaped in the input stays as it was
    assert not [key for key, _ in read.attributes if key.startswith("on")]


@pytest.mark.parametrize(
    ("classes", "held_out", "threshold"), [(2, 8, None), (2, 1, 1.0), (3, 0, None), (150, 20, None)]
)
def test_small_and_large_reports_render(classes, held_out, threshold):
    topics = {f"class {i}": f"word{i}a word{i}b" for i in range(classes)}
    report = make_report(topics, sentence="word1a word0b nothing", held_out=held_out, threshold=threshold, copies=3)
    page = render_page(report)
    read = Reader(page)
    assert "NaN" not in page and "None" not in page and ">nan" not in page and ">inf" not in page
    english, chinese = halves(page)
    if classes == 150:
        assert len(page) < 200_000
        assert "The 8 largest of 150 classes." in english and "共 150 类，只画出最大的 8 类。" in chinese
        assert max(len(re.findall("<t[dh][ >]", row)) for row in english.split("</tr>")) <= 6
    if not held_out:
        assert "No paragraph was held out" in english and "没有留出任何段落" in chinese
        assert not [svg for svg in read.all("svg") if "reliability" in svg["aria-labelledby"]]
    if held_out == 1:
        assert "of 1 held-out paragraph," in english
    if threshold == 1.0:
        assert "<h1>No answer</h1>" in english and "<h1>不作回答</h1>" in chinese


def test_what_is_no_number_is_a_dash(report):
    steps = softmax_steps([1000.0, -math.inf, 3.0], class_names=report.steps.class_names)
    nothing = EvaluationBuilder(report.paragraphs.classes).finish()
    step = dataclasses.replace(report.record.steps[0], loss=math.nan)
    record = dataclasses.replace(report.record, held_out=None, steps=(step, *report.record.steps[1:]))
    page = render_page(
        dataclasses.replace(report, steps=steps, record=record, whole_articles=nothing, paragraphs=nothing)
    )
    Reader(page)
    assert not re.search(r"\b(nan|NaN|None|inf|Infinity)\b", "".join(Reader(page).texts))
    assert "<td>−∞</td>" in page and "<td>–</td>" in page
    assert not re.search(r'(x|y|x1|y1|x2|y2|cx|cy|width|height|points)="[^"]*(nan|inf)', page)


def test_a_training_without_a_course_says_so(report):
    record = dataclasses.replace(report.record, steps=(), warnings=("Beware of <b>.",))
    page = render_page(dataclasses.replace(report, record=record))
    Reader(page)
    assert ENGLISH.words["training.no_course"] in page and CHINESE.words["training.no_course"] in page
    assert "<li>Beware of &lt;b&gt;.</li>" in page


def test_the_same_report_gives_the_same_page(report, page):
    assert render_page(report) == page
